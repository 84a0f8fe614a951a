"""The shape of nested values: a DuckDB type such as `STRUCT("login" VARCHAR, "tags" VARCHAR[])`, taken apart."""

import re
from functools import cache, reduce
from typing import Annotated, Any, cast

import msgspec
from sqlglot import exp

from patql.kernel.errors import Code, PatqlError

Shape = str | list["Shape"] | dict[str, "Shape"]
"""A scalar's type, a list of its elements' shape, or the shapes of an object's properties; `JSON` is anything."""

JSON = "JSON"

MAX_ADDED = 100
"""How many properties that its document doesn't name an object may have before it is taken for a mapping."""

INT64 = range(-(2**63), 2**63)

EXACT = 2.0**53 - 1
"""Up to here, each double stands for one whole number alone."""

_UNNAMEABLE = re.compile(r"""["\\\x00-\x1f]|^$""")
"""What the name of a property can't have to be one of a shape's."""

_READ: dict[str, Any] = {
    "BIGINT": Annotated[int, msgspec.Meta(ge=INT64[0], le=INT64[-1])],
    "DOUBLE": Annotated[float, msgspec.Meta(ge=-EXACT, le=EXACT)],
    "VARCHAR": str,
    "BOOLEAN": bool,
}


def parse(text: str) -> Shape:
    """The shape that a DuckDB type describes."""
    return _shape(exp.DataType.build(text, dialect="duckdb"))


def _shape(kind: exp.Expr) -> Shape:
    if kind.this is exp.DType.STRUCT:
        fields = cast("list[exp.ColumnDef]", kind.expressions)
        return {field.name: _shape(field.args["kind"]) for field in fields}
    if kind.this is exp.DType.ARRAY:
        return [_shape(kind.expressions[0])]
    return kind.sql("duckdb").replace("TEXT", "VARCHAR")


def written(shape: Shape) -> str:
    """A shape as a DuckDB type."""
    match shape:
        case str():
            return shape
        case [element]:
            return f"{written(element)}[]"
        case dict():
            fields = (f'"{name}" {written(of)}' for name, of in shape.items())
            return f"STRUCT({', '.join(fields)})"
        case _:
            raise PatqlError(Code.INTERNAL, f"{shape} is no shape")


def structure(text: str) -> str:
    """A DuckDB type in the form that DuckDB's `from_json` takes."""
    return msgspec.json.encode(parse(text)).decode()


@cache
def reader(text: str) -> "msgspec.json.Decoder[list[object]]":
    """What reads a list of values of a DuckDB type, and refuses every other value and property."""
    value = _optional(parse(text))
    return msgspec.json.Decoder(_list(value))


def _optional(shape: Shape) -> Any:  # noqa: ANN401  (types made at run time)
    match shape:
        case str():
            return _READ[shape] | None if shape in _READ else msgspec.Raw
        case [element]:
            return _list(_optional(element)) | None
        case _:
            fields = [
                (f"f{at}", _optional(of), msgspec.field(default=None, name=name))
                for at, (name, of) in enumerate(cast("dict[str, Shape]", shape).items())
            ]
            return (
                msgspec.defstruct("Object", fields, forbid_unknown_fields=True) | None
            )


def _list(element: Any) -> Any:  # noqa: ANN401  (types made at run time)
    return list[element]


def fitted(shape: Shape, value: object) -> Shape:
    """The shape, changed as far as it must be to lose nothing of a value: what contradicts it becomes JSON."""
    if value is None or shape == JSON:
        return shape
    match shape:
        case str():
            return shape if _is_scalar(shape, value) else JSON
        case [element] if isinstance(value, list):
            return [reduce(fitted, cast("list[object]", value), element)]
        case dict() if isinstance(value, dict):
            return _fitted_object(shape, cast("dict[str, object]", value))
        case _:
            return JSON


def _fitted_object(shape: dict[str, Shape], value: dict[str, object]) -> Shape:
    known = {name: fitted(of, value.get(name)) for name, of in shape.items()}
    added = [name for name in value if name not in shape]
    names = {name.casefold() for name in (*shape, *added)}
    # DuckDB takes names that differ only in case for one.
    if len(names) < len(shape) + len(added) or len(added) > MAX_ADDED:
        return JSON
    if any(map(_UNNAMEABLE.search, added)):
        return JSON
    return known | dict.fromkeys(added, JSON)


def _is_scalar(kind: str, value: object) -> bool:
    match value:
        case bool():
            return kind == "BOOLEAN"
        case int():
            exact = abs(value) <= EXACT
            return value in INT64 if kind == "BIGINT" else kind == "DOUBLE" and exact
        case float():
            return kind == "DOUBLE" and abs(value) <= EXACT
        case str():
            return kind == "VARCHAR"
        case _:
            return False
