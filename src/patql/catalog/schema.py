"""JSON schemas of OpenAPI read as columns: top-level properties, with `allOf` and references resolved."""

from collections.abc import Iterator

import msgspec

from patql.catalog.document import Column
from patql.catalog.node import MAX_HOPS, Node

ANONYMOUS = "column_anon"
"""The column of rows that are scalars, which have no names."""

_COMBINATIONS = ("allOf", "oneOf", "anyOf")


class Rows(msgspec.Struct, frozen=True):
    """Where a response holds its rows: the top-level key (None: it is the row itself), and a row's columns."""

    object_key: str | None
    columns: tuple[Column, ...]


def rows(response: Node, object_key: str) -> Rows:
    """How a response is read as rows.

    `object_key` is StackQL's: `$.data`, or empty where the document gives none; then a property named `items` holds
    the rows if there is one. Where it doesn't resolve on the schema, the response itself is the row.
    """
    key = object_key.removeprefix("$.").removesuffix("[*]") or "items"
    found = dict(properties(response))
    if key in found:
        return Rows(key, row(found[key]))
    return Rows(None, row(response))


def row(schema: Node) -> tuple[Column, ...]:
    """The columns of one row: of an object its properties, of an array those of an element."""
    kind = type_name(schema)
    element = schema.child("items") if kind == "array" else None
    if element is not None:
        return row(element)
    return columns(schema) if kind == "object" else (_column(ANONYMOUS, schema),)


def columns(schema: Node) -> tuple[Column, ...]:
    """A column for each property of an object, in document order."""
    return tuple(_column(name, node) for name, node in properties(schema))


def properties(schema: Node) -> tuple[tuple[str, Node], ...]:
    """Name and schema of each property, those of combined schemas included; of two with one name, the first."""
    found: dict[str, Node] = {}
    for part in _parts(schema, _COMBINATIONS):
        for name, node in part.children("properties"):
            found.setdefault(name, node)
    return tuple(found.items())


def required(schema: Node) -> tuple[str, ...]:
    """Names of the properties that an object must have."""
    names = (
        str(name.value)
        for part in _parts(schema, ("allOf",))
        for name in part.elements("required")
    )
    return tuple(dict.fromkeys(names))


def type_name(schema: Node) -> str:
    """The JSON type: integer, number, string, boolean, object or array. OpenAPI 3.1 may list several: the first."""
    parts = tuple(_parts(schema, _COMBINATIONS))
    for part in parts:
        if named := [name for name in _types(part) if name != "null"]:
            return named[0]
        if part.raw("properties"):
            return "object"
        if part.raw("items"):
            return "array"
    return "string" if any(part.raw("enum") for part in parts) else "object"


def _column(name: str, schema: Node) -> Column:
    parts = tuple(_parts(schema, _COMBINATIONS))
    return Column(
        name=name,
        type=type_name(schema),
        description=_text(parts, "description"),
        format=_text(parts, "format") or None,
        nullable=_flag(parts, "nullable") or any("null" in _types(p) for p in parts),
        read_only=_flag(parts, "readOnly"),
        filterable=_flag(parts, "x-linode-filterable"),
        filterable_extension=_flag(parts, "x-patql-filterable-extension"),
        once=_flag(parts, "x-patql-once"),
        never=_flag(parts, "x-patql-never"),
        immutable=_text(parts, "x-patql-immutable") or None,
        min_length=_whole(parts, "minLength"),
        max_length=_whole(parts, "maxLength"),
    )


def _parts(
    schema: Node, combinations: tuple[str, ...], depth: int = 0
) -> Iterator[Node]:
    """The schema, then those that it combines, theirs included."""
    if depth > MAX_HOPS:
        schema.fail("schemas are combined in a circle")
    yield schema
    for key in combinations:
        for part in schema.elements(key):
            yield from _parts(part, combinations, depth + 1)


def _types(schema: Node) -> tuple[str, ...]:
    written = schema.raw("type")
    if written is None:
        return ()
    if isinstance(written.value, list):
        return tuple(str(element.value) for element in schema.elements("type"))
    return (schema.text("type"),)


def _text(parts: tuple[Node, ...], key: str) -> str:
    return next((text for p in parts if (text := p.text(key))), "")


def _flag(parts: tuple[Node, ...], key: str) -> bool:
    return any(p.flag(key) for p in parts)


def _whole(parts: tuple[Node, ...], key: str) -> int | None:
    return next((n for p in parts if (n := p.whole(key)) is not None), None)
