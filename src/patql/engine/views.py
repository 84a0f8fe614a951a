"""Fetched rows as the views that a query reads."""

from collections.abc import Sequence

import arro3.core as arrow

from patql.catalog.document import Column, Parameter
from patql.engine.decode import Decoder
from patql.engine.given import Value
from patql.engine.reading import duckdb_type
from patql.engine.relate import Relational, quote
from patql.engine.shape import JSON, structure
from patql.engine.step import Step
from patql.engine.stream import Stream
from patql.kernel.clock import to_wire

_CENTURY = 36_525 * 86_400
"""Seconds; a date further ahead than this stands for "never"."""

_TYPES = {
    "integer": arrow.DataType.int64(),
    "number": arrow.DataType.float64(),
    "boolean": arrow.DataType.bool(),
}


def publish(
    step: Step, table: arrow.Table | Stream, relational: Relational, now: float
) -> None:
    """Make a step's rows readable under its name: nested values typed, dates that mean "never" as NULL."""
    horizon = never_from(now)
    selected = [
        _select(column, step.types.get(column.name), horizon) for column in step.columns
    ]
    selected += [
        f"{_literal(step.given[name])} AS {quote(name)}"
        if name in step.given
        else quote(name)
        for name in step.shown
    ]
    relational.publish(step.view, table, ", ".join(selected))


def publish_empty(step: Step, relational: Relational, now: float) -> None:
    """The same without rows, so that the query can be checked before anything is asked for."""
    decoder = Decoder(step.method, step.columns, types=step.types)
    schema = with_fed(decoder.schema, step.fed)
    publish(step, arrow.Table.from_batches([], schema=schema), relational, now)


def with_fed(schema: arrow.Schema, fed: Sequence[Parameter]) -> arrow.Schema:
    """A schema with a column more for each parameter that is a column of the rows."""
    for parameter in fed:
        schema = schema.append(arrow.Field(parameter.name, type_of(parameter)))
    return schema


def type_of(parameter: Parameter) -> arrow.DataType:
    """The Arrow type of a parameter's values."""
    return _TYPES.get(parameter.type, arrow.DataType.string())


def never_from(now: float) -> str:
    """The date from which on dates mean "never", in the wire's form; `now` in seconds since the epoch."""
    return to_wire(int(now) + _CENTURY)


def is_never(text: str, horizon: str) -> bool:
    """Whether a text is a date that means "never": what a server may send instead of one isn't, however it orders."""
    return text >= horizon and text[4:5] == text[7:8] == "-" and text[10:11] == "T"


def _select(column: Column, wider: str | None, horizon: str) -> str:
    name = quote(column.name)
    if column.never:
        is_never = f"{name} >= '{horizon}' AND {name} LIKE '____-__-__T%'"
        return f"CASE WHEN {is_never} THEN NULL ELSE {name} END AS {name}"
    kind = duckdb_type(column, wider)
    if kind is None:
        return name
    if kind in (JSON, "HUGEINT"):
        return f"CAST({name} AS {kind}) AS {name}"
    return f"from_json({name}, {_literal(structure(kind))}) AS {name}"


def _literal(value: Value) -> str:
    """A value as a column has it: whole numbers have 64 bits."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value)
    return f"CAST({value} AS {'BIGINT' if isinstance(value, int) else 'DOUBLE'})"
