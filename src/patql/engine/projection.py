"""Queries that only choose columns, of a whole list or of the row with a key: nothing is left to do after fetching.

The relational engine has checked such a query by then; it would copy the rows in and out again and change nothing, which
takes longer than all the rest.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import arro3.core as arrow
from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Column
from patql.engine.bind import Bound
from patql.engine.decode import Columns
from patql.engine.fetch import Fetch
from patql.engine.given import Value
from patql.engine.instants import WIRE
from patql.engine.result import Result, ResultColumn, Row
from patql.engine.scope import TABLE, bare, has_only
from patql.engine.state import State
from patql.engine.step import Plan, Step
from patql.engine.views import is_never, never_from

_PLAIN = {"BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN"}
"""Types that a decoder gives as the relational engine does."""

Chosen = tuple[Column, ...]
"""The columns that a query chooses, in order."""


def chosen(bound: Bound, plan: Plan) -> Chosen | None:
    """What a query chooses, if that is all it does; None where anything else is left to the relational engine."""
    tree = bound.tree
    if (
        len(plan) != 1
        or plan[0].given
        or plan[0].fed
        or not isinstance(tree, exp.Select)
    ):
        return None
    table = bound.occurrences[0].table
    from_ = tree.args.get("from_")
    if (
        not from_
        or from_.this is not table
        or not has_only(tree, {"expressions", "from_", "where"})
    ):
        return None
    if not has_only(table, TABLE) or table.alias_column_names:
        return None
    where = tree.args.get("where")
    if where and not _asks_for_key(where.this, table, plan[0]):
        return None
    if [type(projection) for projection in tree.expressions] == [exp.Star]:
        return plan[0].method.columns if has_only(tree.expressions[0], set()) else None
    known = {column.name.casefold(): column for column in plan[0].method.columns}
    names = (_column_name(projection, table) for projection in tree.expressions)
    columns = [known.get(name) for name in names]
    found = tuple(column for column in columns if column is not None)
    return found if len(found) == len(columns) == len(set(found)) else None


def answer(
    columns: Chosen, headings: tuple[ResultColumn, ...], plan: Plan, state: State
) -> Result | None:
    """Fetch the columns that are wanted, and the key where it is asked for.

    None where the relational engine is needed after all: for the types of the columns, or since the server sent another
    row than that with the key.

    Raises:
        PatqlError: a server didn't answer for all of it.
    """
    if not fits(columns, headings):
        return None
    asked = _asked(plan[0])
    read = columns if asked is None or asked[0] in columns else (*columns, asked[0])
    fetch = Fetch(replace(plan[0], columns=read), state)
    decoder = fetch.decoder
    horizon = never_from(state.now)

    def take(values: Columns, _fed: Columns) -> Stretch:
        for at, column in enumerate(columns):
            if column.never:
                values[at] = _without_never(values[at], horizon)
        return values, decoder.batch(values, fetch.where)

    stretches = fetch.each(take)
    if asked is not None:
        at, wanted = read.index(asked[0]), str(asked[1])  # paths may call a number text
        if any(str(key) != wanted for values, _ in stretches for key in values[at]):
            return None
    return Result(headings, Rows(stretches, decoder.schema, headings))


def fits(columns: Chosen, headings: Sequence[ResultColumn]) -> bool:
    """Whether the columns have the types that they are decoded as, each under a name of its own."""
    names = {heading.name.casefold() for heading in headings}
    return len(names) == len(columns) and all(h.type in _PLAIN for h in headings)


Stretch = tuple[Columns, arrow.RecordBatch]
"""A few thousand rows, as Python values and as Arrow: either is cheap only while the other is at hand."""


class Rows:
    """Fetched rows under the headings of a result; columns after those aren't of it."""

    def __init__(
        self,
        stretches: list[Stretch],
        schema: arrow.Schema,
        headings: Sequence[ResultColumn],
    ) -> None:
        self._stretches = stretches
        self._schema = schema
        self._names = [heading.name for heading in headings]

    def __len__(self) -> int:
        return sum(batch.num_rows for _, batch in self._stretches)

    def iter_rows(self, batch_size: int = 1, /) -> Iterator[Row]:
        """Each row."""
        width = len(self._names)
        parts = (zip(*values[:width], strict=True) for values, _ in self._stretches)
        return chain.from_iterable(parts)

    def fetchall(self) -> list[Row]:
        """All rows."""
        return list(self.iter_rows())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream."""
        batches = [batch for _, batch in self._stretches]
        table = arrow.Table.from_batches(batches, schema=self._schema)
        chosen = table.select(self._schema.names[: len(self._names)]).rename_columns(
            self._names
        )
        return chosen.__arrow_c_stream__(requested_schema)


def _without_never(values: list[str | None], horizon: str) -> list[str | None]:
    """Dates from the horizon on become None; most lists have none."""
    if max((value for value in values if value), default="") < horizon:
        return values
    return [None if value and is_never(value, horizon) else value for value in values]


def _asks_for_key(condition: exp.Expr, table: exp.Table, step: Step) -> bool:
    """Whether a condition is that the key has the value that a step asks for, as a literal of the key's own type."""
    equality = bare(condition)
    if not isinstance(equality, exp.EQ) or (asked := _asked(step)) is None:
        return False
    key, value = asked
    column, literal = equality.this, equality.expression
    if not isinstance(literal, exp.Literal) or key.format == WIRE:
        return False
    type_ = "string" if literal.is_string else "integer"
    is_it = key.type == type_ and literal.this == str(value)
    return is_it and _column_name(column, table) == key.name.casefold()


def _asked(step: Step) -> tuple[Column, Value] | None:
    """The key of the one row that a step asks for, and its value."""
    for parameter in step.method.parameters:
        if parameter.key_column and parameter.name in step.arguments:
            columns = (c for c in step.method.columns if c.name == parameter.key_column)
            key = next(columns, None)
            return None if key is None else (key, step.arguments[parameter.name])
    return None


def _column_name(projection: exp.Expr, table: exp.Table) -> str:
    """The name of a column that stands by itself, in lower case; nothing for anything else, such as `owner.login`."""
    column = projection.unalias()
    if not isinstance(column, exp.Column):
        return ""
    of = [table.alias] if table.alias else [part.name for part in table.parts]
    *qualifiers, name = (part.name.casefold() for part in column.parts)
    is_own = (
        not qualifiers or qualifiers == [*map(str.casefold, of)][-len(qualifiers) :]
    )
    return name if is_own else ""
