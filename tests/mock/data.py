"""Values that conform to a schema: the same ones for the same seed, in the types that the schema says."""

from collections.abc import Iterator
from random import Random
from typing import Any, TypeVar, cast

from patql.catalog.node import Node

MAX_DEPTH = 6
"""From here on, what is nested is left empty, as schemas may contain themselves."""

Scalar = TypeVar("Scalar", str, int)
_PYTHON: dict[str, type[Any]] = {"string": str, "integer": int}

Json = dict[str, Any] | list[Any] | str | int | float | bool | None


def make(schema: Node, rng: Random, depth: int = 0) -> Json:
    """A value of a schema; of alternatives the first, so that no value contradicts a column's type."""
    parts = _parts(schema)
    if depth and rng.random() < 0.1 and any(map(_is_nullable, parts)):
        return None
    kind = _kind(parts)
    if kind in _PYTHON and (choices := list(_choices(parts, _PYTHON[kind]))):
        chosen: Json = rng.choice(choices)
        return chosen
    match kind:
        case "object":
            return _object(parts, rng, depth)
        case "array":
            items = next((i for p in parts if (i := p.child("items"))), None)
            count = rng.randrange(4) if items and depth < MAX_DEPTH else 0
            return [make(items, rng, depth + 1) for _ in range(count) if items]
        case "integer":
            return rng.randrange(1, 10_000)
        case "number":
            return rng.randrange(10_000) / 4
        case "boolean":
            return rng.random() < 0.5
        case _:
            return _text(parts, rng)


def _choices(parts: list[Node], kind: type[Scalar]) -> Iterator[Scalar]:
    """What `enum` allows, as far as it is of the type that the schema says."""
    for part in parts:
        for element in part.elements("enum"):
            if isinstance(element.value, kind):
                yield element.value


def _object(parts: list[Node], rng: Random, depth: int) -> dict[str, Any]:
    found: dict[str, Node] = {}
    for part in parts if depth < MAX_DEPTH else ():
        for name, node in part.children("properties"):
            found.setdefault(name, node)
    required = {str(name.value) for part in parts for name in part.elements("required")}
    return {
        name: make(node, rng, depth + 1)
        for name, node in found.items()
        if name in required or rng.random() < 0.9
    }


def _text(parts: list[Node], rng: Random) -> str:
    if any(part.text("format") == "date-time" for part in parts):
        day, hour = rng.randrange(1, 28), rng.randrange(24)
        return f"2026-{rng.randrange(1, 13):02}-{day:02}T{hour:02}:30:{hour:02}"
    return "".join(rng.choice("abcé'\" %_\\ü☃") for _ in range(rng.randrange(9)))


def _parts(schema: Node, depth: int = 0) -> list[Node]:
    """The schema and those that it is combined of: all of `allOf`, the first of alternatives."""
    found = [schema]
    for key in ("allOf", "oneOf", "anyOf") if depth < MAX_DEPTH else ():
        combined = list(schema.elements(key))
        for part in combined if key == "allOf" else combined[:1]:
            found += _parts(part, depth + 1)
    return found


def _kind(parts: list[Node]) -> str:
    for part in parts:
        written = part.raw("type")
        if written is not None:
            kinds = cast("list[str]", written.value)
            listed = kinds if isinstance(written.value, list) else [part.text("type")]
            return next(kind for kind in listed if kind != "null")
        if part.raw("properties"):
            return "object"
        if part.raw("items"):
            return "array"
    return "string" if any(part.raw("enum") for part in parts) else "object"


def _is_nullable(schema: Node) -> bool:
    written = schema.raw("type")
    listed = written is not None and isinstance(written.value, list)
    return schema.flag("nullable") or (listed and "null" in str(written))
