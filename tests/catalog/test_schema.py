"""Schemas as columns: the types of nested values, and where rows are."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from patql.catalog import schema
from patql.catalog.node import Node

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("schemas.yaml").read_text("utf-8")
)
SCHEMAS = {
    "Owner": {"properties": {"login": {"type": "string"}}},
    "Node": {
        "properties": {
            "name": {"type": "string"},
            "children": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Node"},
            },
        }
    },
    "Hen": {"properties": {"egg": {"$ref": "#/components/schemas/Egg"}}},
    "Egg": {"properties": {"hen": {"$ref": "#/components/schemas/Hen"}}},
}


def node(value: object) -> Node:
    """A schema in a document that has the schemas above."""
    document = {"components": {"schemas": SCHEMAS}, "schema": value}
    return Node(document, "things.yaml").need("schema")


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_shape(case: dict[str, Any]) -> None:
    """Each case of schemas.yaml."""
    properties = {"type": "object", "properties": {"c": case["schema"]}}
    (column,) = schema.columns(node(properties))
    assert column.shape == case["shape"]


@pytest.mark.parametrize("kind", ["integer", "number", "string", "boolean"])
def test_scalars_have_no_shape(kind: str) -> None:
    """They aren't nested."""
    (column,) = schema.columns(node({"properties": {"c": {"type": kind}}}))
    assert (column.type, column.shape) == (kind, None)


PASSWORD = {"type": "string", "format": "password"}


@pytest.mark.parametrize(
    ("described", "secret", "holds"),
    [
        (PASSWORD, True, False),
        ({"properties": {"user": {"type": "string"}}}, False, False),
        ({"properties": {"user": {"type": "string"}, "pass": PASSWORD}}, True, True),
        ({"type": "array", "items": {"properties": {"pass": PASSWORD}}}, True, True),
        ({"type": "object", "additionalProperties": PASSWORD}, True, True),
        ({"type": "object", "additionalProperties": True}, False, False),
        ({"oneOf": [{"type": "string"}, {"properties": {"p": PASSWORD}}]}, True, True),
        ({"$ref": "#/components/schemas/Node"}, False, False),
    ],
)
def test_passwords(described: dict[str, Any], secret: bool, holds: bool) -> None:
    """What a request has for a property is secret where any part of it is, however deep."""
    for schema_of in (described, {"properties": {"more": described}}):
        (column,) = schema.fields(node({"properties": {"c": schema_of}}))
        assert column.secret == secret
        assert column.holds_password == (holds if schema_of is described else secret)


def deep(levels: int, wide: int = 1) -> dict[str, Any]:
    """Objects in objects, each with so many properties."""
    if levels == 0:
        return {"type": "string"}
    return {"properties": {f"p{n}": deep(levels - 1, wide) for n in range(wide)}}


def test_deep_schema_ends_in_json() -> None:
    """Below a depth that nobody writes out, a value is JSON."""
    shape = schema.shape(node(deep(schema.MAX_DEPTH + 3)))
    assert shape is not None
    assert shape.count("STRUCT") == schema.MAX_DEPTH
    assert "JSON" in shape


@pytest.mark.parametrize(
    ("wide", "levels", "kept"), [(300, 2, 0), (100, 3, 1), (15, 4, 2), (3, 6, 4)]
)
def test_wide_schema_is_cut_where_it_has_too_many_parts(
    wide: int, levels: int, kept: int
) -> None:
    """As deep as the parts allow, and JSON below."""
    shape = schema.shape(node(deep(levels, wide)))
    assert (shape or "").partition('"p1"')[0].count("STRUCT") == kept


NAMES = {"type": "array", "items": {"properties": {"id": {"type": "integer"}}}}
PLACES: list[tuple[str, dict[str, Any], str | None, list[str]]] = [
    ("$.data", {"properties": {"data": NAMES}}, "data", ["id"]),
    ("$.data[*]", {"properties": {"data": NAMES}}, "data", ["id"]),
    ("data", {"properties": {"data": NAMES}}, "data", ["id"]),
    ("", {"properties": {"items": NAMES}}, "items", ["id"]),
    ("", NAMES, None, ["id"]),
    ("$", NAMES, None, ["id"]),
    ("$[*]", NAMES, None, ["id"]),
    ("$.a.b", {"properties": {"a": {"properties": {"b": NAMES}}}}, "a.b", ["id"]),
    (
        "$.a[*].b",
        {"properties": {"a": {"type": "array", "items": {"properties": {"b": NAMES}}}}},
        "a[*].b",
        ["id"],
    ),
    (
        "$.a[*].b",
        {"properties": {"a": {"additionalProperties": {"properties": {"b": NAMES}}}}},
        "a[*].b",
        ["id"],
    ),
    ("$.a[*].b", {"properties": {"a": {"additionalProperties": True}}}, None, ["a"]),
    ("$.a.x", {"properties": {"a": {"properties": {"b": NAMES}}}}, None, ["a"]),
    ("$.a.x.y", {"properties": {"a": {"type": "string"}}}, None, ["a"]),
    ("", {"type": "array", "items": {"type": "string"}}, None, ["column_anon"]),
    ("", {"type": "string"}, None, ["column_anon"]),
    ("", {"type": "array", "items": NAMES}, None, ["column_anon"]),
    (
        "$.a",
        {"properties": {"a": {"type": "array", "items": {"type": "integer"}}}},
        "a",
        ["column_anon"],
    ),
]


@pytest.mark.parametrize(("key", "response", "place", "names"), PLACES)
def test_rows(
    key: str, response: dict[str, Any], place: str | None, names: list[str]
) -> None:
    """Rows stand where the object key says, else the response is the row, or the list of rows."""
    rows = schema.rows(node(response), key)
    assert (rows.object_key, [column.name for column in rows.columns]) == (place, names)


def test_rows_that_are_lists_have_a_shape() -> None:
    """Their one column is a nested value."""
    rows = schema.rows(node({"type": "array", "items": NAMES}), "")
    assert rows.columns[0].shape == 'STRUCT("id" BIGINT)[]'
