"""Fetched rows as the views that a query reads."""

import arro3.core as arrow

from patql.catalog.document import Column
from patql.engine.bind import Value
from patql.engine.decode import Decoder
from patql.engine.plan import Step
from patql.engine.relate import Relational, quote
from patql.kernel.clock import to_wire

_CENTURY = 36_525 * 86_400
"""Seconds; a date further ahead than this stands for "never"."""

_JSON = ("object", "array")


def publish(step: Step, table: arrow.Table, relational: Relational, now: float) -> None:
    """Make a step's rows readable under its name: nested values as JSON, dates that mean "never" as NULL."""
    horizon = never_from(now)
    selected = [_select(column, horizon) for column in step.columns]
    selected += [
        f"{_literal(value)} AS {quote(name)}" for name, value in step.given.items()
    ]
    relational.publish(step.view, table, ", ".join(selected))


def publish_empty(step: Step, relational: Relational, now: float) -> None:
    """The same without rows, so that the query can be checked before anything is asked for."""
    schema = Decoder(step.method, step.columns).schema
    publish(step, arrow.Table.from_batches([], schema=schema), relational, now)


def never_from(now: float) -> str:
    """The date from which on dates mean "never", in the wire's form; `now` in seconds since the epoch."""
    return to_wire(int(now) + _CENTURY)


def _select(column: Column, horizon: str) -> str:
    name = quote(column.name)
    if column.never:
        return f"CASE WHEN {name} >= '{horizon}' THEN NULL ELSE {name} END AS {name}"
    return f"CAST({name} AS JSON) AS {name}" if column.type in _JSON else name


def _literal(value: Value) -> str:
    return (
        "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
    )
