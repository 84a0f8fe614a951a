"""RETURNING: a query over the rows that responses hold, in which a one-time secret is never left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import arro3.core as arrow
from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Method, Resource
from patql.engine import query
from patql.engine.reading import widening
from patql.engine.result import Result, ResultColumn, Row
from patql.engine.scope import bare
from patql.engine.state import State
from patql.engine.step import Step
from patql.kernel.errors import Code, SqlError

Projections = tuple[exp.Expr, ...]

_NUMBERS = {
    str(arrow.DataType.int64()): "BIGINT",
    str(arrow.DataType.float64()): "DOUBLE",
}
"""DuckDB's types of Arrow's, where they aren't text."""


class Returning:
    """What a statement returns of the rows of one method's responses.

    Attributes:
        added: names of the one-time secrets that the clause leaves out.
        once: where in the result the one-time secrets stand.
        once_at_least: the same for `secrets`.

    It is checked when it is made, before any request: a secret that is shown once mustn't meet a query that fails.

    Args:
        resource: the statement's target.
        method: whose responses the rows are.
        table: the target as the statement names it.
        projections: the RETURNING clause; None where there is none.
        state: what it runs with.

    Raises:
        SqlError: the clause can't be run as written.
    """

    def __init__(
        self,
        resource: Resource,
        method: Method,
        table: exp.Table,
        projections: Projections | None,
        state: State,
    ) -> None:
        self._state = state
        self._table = table
        secrets = method.secrets
        given = projections or ()
        self.added = tuple(
            name for name in secrets if not any(_shows(p, name) for p in given)
        )
        key = tuple(c.name for c in method.columns if c.name == resource.key)
        keys = key if self.added and projections is None else ()
        self._projections = (
            *given,
            *(exp.column(name, quoted=True) for name in (*keys, *self.added)),
        )
        self._fallback = (*key, *secrets)
        self.once_at_least = tuple(range(len(key), len(self._fallback)))
        self._resource = resource
        self._step = Step(
            tuple(resource.id.split(".")),
            method,
            {},
            method.columns,
            {},
            None,
            resource,
        )
        self._prepared = self._prepare(self._step) if self._projections else None
        self.once = _positions(self._projections, method)

    @property
    def wanted(self) -> bool:
        """Whether the statement returns rows at all."""
        return self._prepared is not None

    def told(self, types: Mapping[str, str]) -> Iterator[str]:
        """The sentences about columns that have become wider than their document says."""
        for column in self._step.columns:
            if wider := types.get(column.name):
                yield widening(self._resource.id, column, wider)

    def rows(self, table: arrow.Table, types: Mapping[str, str]) -> Result:
        """The result over these rows, with wider types of columns than documented; no columns where nothing is returned.

        Raises:
            SqlError: the clause fails on the data; `secrets` still gives what must not be lost.
        """
        if self._prepared is None:
            return Result()
        prepared = self._prepared
        if types:
            prepared = self._prepare(replace(self._step, types=types))
        result = query.answer(prepared, self._state, [table])
        if (given := len(result.rows())) != table.num_rows:
            message = f"RETURNING gave {given} rows for {table.num_rows}"
            raise SqlError(Code.EVALUATION, message)
        return result

    def secrets(self, table: arrow.Table) -> Result:
        """The key and the one-time secrets of these rows, whatever the clause says, and whatever has been stopped."""
        kept = table.select(list(self._fallback))
        columns = tuple(
            ResultColumn(f.name, _NUMBERS.get(str(f.type), "VARCHAR"))
            for f in map(kept.schema.field, self._fallback)
        )
        return Result(columns, _Plain(kept))

    def _prepare(self, step: Step) -> query.Prepared:
        chosen = (projection.copy() for projection in self._projections)
        tree = exp.select(*chosen).from_(self._table.copy())
        return query.prepare(tree, self._state, steps=(step,))


class _Plain:
    """The rows of an Arrow table, without the relational engine."""

    def __init__(self, table: arrow.Table) -> None:
        self._table = table

    def iter_rows(self, batch_size: int = 1, /) -> Iterator[Row]:
        """Each row."""
        return iter(self.fetchall())

    def fetchall(self) -> list[Row]:
        """All rows."""
        columns: list[Any] = list(self._table.columns)
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream."""
        return self._table.__arrow_c_stream__(requested_schema)


def _is_star(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Star) or (
        isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
    )


def _shows(projection: exp.Expr, name: str) -> bool:
    if _is_star(projection):
        return True
    inner = bare(projection.unalias())
    return isinstance(inner, exp.Column) and inner.name.casefold() == name.casefold()


def _positions(projections: Sequence[exp.Expr], method: Method) -> tuple[int, ...]:
    """Where in the result the one-time secrets stand."""
    found: list[int] = []
    at = 0
    for projection in projections:
        if method.secrets and (
            projection.find(exp.Columns) or _is_edited_star(projection)
        ):
            message = (
                f"RETURNING {projection.sql()} isn't accepted where {method.secrets[0]} is shown once: "
                "name the columns"
            )
            raise SqlError(Code.UNSUPPORTED, message)
        if _is_star(projection):
            names = [column.name for column in method.columns]
            found += [at + names.index(name) for name in method.secrets]
            at += len(names)
            continue
        found += [at for name in method.secrets if _shows(projection, name)]
        at += 1
    return tuple(found)


def _is_edited_star(projection: exp.Expr) -> bool:
    star = projection.find(exp.Star)
    return star is not None and any(star.args.values())
