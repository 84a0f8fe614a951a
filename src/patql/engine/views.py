"""Fetched rows as the views that a query reads."""

from collections.abc import Mapping

import arro3.core as arrow

from patql.catalog.document import Column
from patql.engine.bind import Value
from patql.engine.decode import Decoder
from patql.engine.plan import Step
from patql.engine.reading import duckdb_type
from patql.engine.relate import Relational, quote
from patql.engine.shape import JSON, structure
from patql.kernel.clock import to_wire

_CENTURY = 36_525 * 86_400
"""Seconds; a date further ahead than this stands for "never"."""

Types = Mapping[str, str]
"""DuckDB types of the columns that are wider than documented, by name."""


def publish(
    step: Step,
    table: arrow.Table,
    relational: Relational,
    now: float,
    types: Types | None = None,
) -> None:
    """Make a step's rows readable under its name: nested values typed, dates that mean "never" as NULL."""
    horizon = never_from(now)
    wider = types or {}
    selected = [
        _select(column, wider.get(column.name), horizon) for column in step.columns
    ]
    selected += [
        f"{_literal(value)} AS {quote(name)}" for name, value in step.given.items()
    ]
    relational.publish(step.view, table, ", ".join(selected))


def publish_empty(
    step: Step, relational: Relational, now: float, types: Types | None = None
) -> None:
    """The same without rows, so that the query can be checked before anything is asked for."""
    schema = Decoder(step.method, step.columns, types=types).schema
    empty = arrow.Table.from_batches([], schema=schema)
    publish(step, empty, relational, now, types)


def never_from(now: float) -> str:
    """The date from which on dates mean "never", in the wire's form; `now` in seconds since the epoch."""
    return to_wire(int(now) + _CENTURY)


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
    return (
        "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
    )
