"""Values as the relational engine writes them, where Python has no type that holds them."""

from collections.abc import Callable, ItemsView, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from patql.engine.result import Result, ResultColumn, Row
from patql.faces.console.recast import recast

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_IN_PYTHON = {"INTERVAL": "VARCHAR", "TIMESTAMP_NS": "VARCHAR", "FLOAT": "DOUBLE"}
"""A timedelta has no months, a datetime no nanoseconds, and a float is a double."""

_Embed = Callable[[object], object]


def readable(result: Result) -> Result:
    """The same result, with what Python can't hold as text: `1 month` is no number of days."""
    return recast(result, _IN_PYTHON)


def embedded(
    columns: Sequence[ResultColumn], batches: Iterator[list[Row]], *, whole: bool
) -> Iterator[list[Row]]:
    """The rows, with the JSON texts inside nested values as parts of the JSON that these are written in.

    Args:
        columns: of the rows.
        batches: the rows.
        whole: whether also those that are a column's whole value.
    """
    embeds = {
        at: embed
        for at, column in enumerate(columns)
        if "JSON" in column.type and (whole or column.type != "JSON")
        if (embed := _embed_of(column.type)) is not None
    }
    if not embeds:
        yield from batches
        return
    for batch in batches:
        rows = [list(row) for row in batch]
        for at, embed in embeds.items():
            for row in rows:
                row[at] = None if row[at] is None else embed(row[at])
        yield [tuple(row) for row in rows]


def _embed_of(kind: str) -> _Embed | None:
    if kind == "JSON":
        return _document
    from duckdb import sqltype

    return _nested(sqltype(kind))


def _nested(kind: "DuckDBPyType") -> _Embed | None:
    """What embeds the JSON inside a value of that type; None where there can't be any."""
    if str(kind) == "JSON":
        return _document
    if kind.id not in {"struct", "map", "list", "array"}:
        return None
    inner = {
        name: None if name == "key" and kind.id == "map" else _nested(of)
        for name, of in kind.children
        if not isinstance(of, int | list)  # an array's size, the values of an enum
    }
    if not any(inner.values()):
        return None
    match kind.id:
        case "struct":
            return lambda value: {
                name: _given(inner[str(name)], item) for name, item in _pairs(value)
            }
        case "map":
            return lambda value: {
                key: _given(inner["value"], item) for key, item in _pairs(value)
            }
        case _:
            return lambda value: [
                _given(inner["child"], item) for item in cast("Sequence[object]", value)
            ]


def _pairs(value: object) -> ItemsView[object, object]:
    return cast("dict[object, object]", value).items()


def _given(embed: _Embed | None, value: object) -> object:
    return value if embed is None or value is None else embed(value)


def _document(text: object) -> msgspec.Raw:
    """On one line."""
    return msgspec.Raw(msgspec.json.format(str(text), indent=-1).encode())
