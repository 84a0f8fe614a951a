"""JSON schemas of OpenAPI read as columns: top-level properties, with `allOf` and references resolved."""

import re
from collections.abc import Iterator

import msgspec

from patql.catalog.document import Column
from patql.catalog.node import MAX_HOPS, Node

ANONYMOUS = "column_anon"
"""The column of rows that are scalars, which have no names."""

MAX_DEPTH = 8
"""How deep the type of a nested value goes."""

MAX_PARTS = 300
"""How many parts the type of a nested value has."""

_COMBINATIONS = ("allOf", "oneOf", "anyOf")

_UNNAMEABLE = re.compile(r"""["\\\x00-\x1f]|^$""")
"""What no property of a nested type can have in its name."""

_DUCKDB = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
}


class Rows(msgspec.Struct, frozen=True):
    """Where a response holds its rows, and a row's columns.

    `object_key` is the dotted path of the rows, in which `[*]` stands for each element of a list or each value of a
    mapping; None where the response itself is the row, or the list of rows.
    """

    object_key: str | None
    columns: tuple[Column, ...]


def rows(response: Node, object_key: str) -> Rows:
    """How a response is read as rows.

    `object_key` is StackQL's, such as `$.data` or `$.groups[*].members`, or empty where the document gives none; then
    a property named `items` holds the rows if there is one. Where it doesn't resolve on the schema, or to one scalar,
    the response itself is the row.
    """
    path = object_key.removeprefix("$").removeprefix(".").removesuffix("[*]")
    path = path or "items"
    found = resolve(response, path)
    if found is None or (
        type_name(found) not in ("object", "array") and "[*]" not in path
    ):
        return Rows(None, row(response))
    return Rows(path, row(found))


def resolve(schema: Node, path: str) -> Node | None:
    """The schema at a dotted path, None where there is none.

    A property whose whole name is the path, dots and all, goes first.
    """
    known = dict(properties(schema))
    if path in known:
        return known[path]
    step, _, rest = path.partition(".")
    found = known.get(step.removesuffix("[*]"))
    if found is not None and step.endswith("[*]"):
        found = found.child("items") or _values(found)
    return resolve(found, rest) if found is not None and rest else found


def _values(schema: Node) -> Node | None:
    """The schema of the values of a mapping with any keys, None where there is none."""
    described = schema.raw("additionalProperties")
    if described is None or not isinstance(described.value, dict):
        return None
    return described.followed()


def row(schema: Node) -> tuple[Column, ...]:
    """The columns of one row: of an object its properties, of a list those of an element."""
    element = schema.child("items") if type_name(schema) == "array" else None
    one = element or schema
    return columns(one) if type_name(one) == "object" else (_column(ANONYMOUS, one),)


def columns(schema: Node) -> tuple[Column, ...]:
    """A column for each property of an object, in document order."""
    return tuple(_column(name, node) for name, node in properties(schema))


def fields(schema: Node) -> tuple[Column, ...]:
    """A column for each property of a request's body, which may hold passwords."""
    return tuple(
        msgspec.structs.replace(_column(name, node), holds_password=_holds(node))
        for name, node in properties(schema)
    )


def _holds(schema: Node) -> bool:
    """Whether a part of a value, and not all of it, is a password."""
    seen: set[str] = set()
    waiting = [schema]
    while waiting:
        inner = waiting.pop()
        if inner.place in seen:
            continue
        seen.add(inner.place)
        for part in _parts(inner, _COMBINATIONS):
            if inner is not schema and part.text("format") == "password":
                return True
            parts = (part.child("items"), _values(part))
            waiting += [found for found in parts if found is not None]
            waiting += [found for _, found in part.children("properties")]
    return False


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
    kind = type_name(schema)
    return Column(
        name=name,
        type=kind,
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
        shape=shape(schema) if kind in ("object", "array") else None,
    )


def shape(schema: Node) -> str | None:
    """The DuckDB type of a nested value, None where the schema leaves it open.

    What it leaves open further in is JSON there: any value, any keys, alternatives, a schema inside itself. So is what
    lies deeper than a type of `MAX_PARTS` parts can reach.
    """
    reached = None
    for depth in range(1, MAX_DEPTH + 1):
        try:
            deeper = _Shape(depth).of(schema)
        except _TooWideError:
            break
        if deeper == reached:
            break
        reached = deeper
    return None if reached == "JSON" else reached


class _TooWideError(Exception):
    """A type has too many parts."""


class _Shape:
    """Reads a schema as a DuckDB type, down to a depth."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._parts = 0

    def of(self, schema: Node, around: tuple[str, ...] = ()) -> str:
        """The type of a schema that stands inside those at the places `around`."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _TooWideError
        if schema.place in around or _has_alternatives(schema):
            return "JSON"
        kind = type_name(schema)
        if kind not in ("object", "array"):
            return _DUCKDB.get(kind, "JSON")
        if len(around) == self._depth:
            return "JSON"
        around = (*around, schema.place)
        if kind == "object":
            return self._object(schema, around)
        parts = _parts(schema, _COMBINATIONS)
        element = next((found for p in parts if (found := p.child("items"))), None)
        return f"{self.of(element, around)}[]" if element is not None else "JSON[]"

    def _object(self, schema: Node, around: tuple[str, ...]) -> str:
        found = properties(schema)
        names = {name.casefold() for name, _ in found}
        # DuckDB takes names that differ only in case for one.
        if not found or len(names) < len(found) or _is_open(schema):
            return "JSON"
        if any(map(_UNNAMEABLE.search, names)):
            return "JSON"
        fields = (f'"{name}" {self.of(node, around)}' for name, node in found)
        return f"STRUCT({', '.join(fields)})"


def _has_alternatives(schema: Node) -> bool:
    """Whether a value that isn't null may be one of several things."""
    for part in _parts(schema, _COMBINATIONS):
        if len(set(_types(part)) - {"null"}) > 1:
            return True
        choices = [*part.elements("oneOf"), *part.elements("anyOf")]
        if len([choice for choice in choices if _types(choice) != ("null",)]) > 1:
            return True
    return False


def _is_open(schema: Node) -> bool:
    """Whether an object says that it has more properties than it names."""
    said = (part.raw("additionalProperties") for part in _parts(schema, _COMBINATIONS))
    return any(node is not None and node.value is not False for node in said)


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
