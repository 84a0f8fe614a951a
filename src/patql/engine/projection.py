"""Queries that only choose columns: nothing is left to do after fetching.

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
from patql.engine.plan import Plan
from patql.engine.result import Result, ResultColumn, Row
from patql.engine.scope import TABLE, has_only
from patql.engine.state import State
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
        or not has_only(tree, {"expressions", "from_"})
    ):
        return None
    if not has_only(table, TABLE) or table.alias_column_names:
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
    """Fetch the columns that are wanted, and nothing else; None where their types need the relational engine.

    Raises:
        PatqlError: a server didn't answer for all of it.
    """
    if not fits(columns, headings):
        return None
    fetch = Fetch(replace(plan[0], columns=columns), state)
    decoder = fetch.decoder
    horizon = never_from(state.now)

    def take(values: Columns, _fed: Columns) -> Stretch:
        for at, column in enumerate(columns):
            if column.never:
                values[at] = _without_never(values[at], horizon)
        return values, decoder.batch(values, fetch.where)

    stretches = fetch.each(take)
    return Result(headings, Rows(stretches, decoder.schema, headings))


def fits(columns: Chosen, headings: Sequence[ResultColumn]) -> bool:
    """Whether the columns have the types that they are decoded as, each under a name of its own."""
    names = {heading.name.casefold() for heading in headings}
    return len(names) == len(columns) and all(h.type in _PLAIN for h in headings)


Stretch = tuple[Columns, arrow.RecordBatch]
"""A few thousand rows, as Python values and as Arrow: either is cheap only while the other is at hand."""


class Rows:
    """Fetched rows under the headings of a result."""

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
        parts = (zip(*values, strict=True) for values, _ in self._stretches)
        return chain.from_iterable(parts)

    def fetchall(self) -> list[Row]:
        """All rows."""
        return list(self.iter_rows())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream."""
        batches = [batch for _, batch in self._stretches]
        table = arrow.Table.from_batches(batches, schema=self._schema)
        return table.rename_columns(self._names).__arrow_c_stream__(requested_schema)


def _without_never(values: list[str | None], horizon: str) -> list[str | None]:
    """Dates from the horizon on become None; most lists have none."""
    if max((value for value in values if value), default="") < horizon:
        return values
    return [None if value and is_never(value, horizon) else value for value in values]


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
