"""The rows that UPDATE, REPLACE and DELETE act on, found by a query with their predicate, whatever it is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlglot import exp

from patql.catalog.document import Method, Parameter
from patql.engine import query
from patql.engine.given import Value, as_argument
from patql.engine.result import Result, ResultColumn, Row
from patql.engine.state import State
from patql.engine.statement import Delete, Update
from patql.kernel.errors import Code, SqlError

if TYPE_CHECKING:
    import arro3.core


class Match(msgspec.Struct, frozen=True):
    """A row to act on: the arguments that select it alone, and what was read of it."""

    arguments: dict[str, Value]
    row: Row = ()

    @property
    def name(self) -> str:
        """What to call it: the values that select it."""
        return "/".join(map(str, self.arguments.values()))


class Found:
    """The rows that a statement's predicate finds, and what RETURNING makes of them as they were.

    Args:
        statement: the UPDATE or DELETE.
        key: the column that selects one row.
        method: what will act on each row; the key and the columns of its other parameters' names give its arguments.
        selected: what else to read of each row.
        state: what it runs with.

    Attributes:
        matches: each row.

    Raises:
        SqlError: the predicate, or RETURNING, can't be run as written, or fails on the data.
        PatqlError: a server didn't answer for all rows.
    """

    def __init__(
        self,
        statement: Update | Delete,
        key: str,
        method: Method,
        selected: Sequence[exp.Expr],
        state: State,
    ) -> None:
        parameters = own_parameters(method)
        names = [key, *(p.name for p in parameters)]
        self._width = len(names) + len(selected)
        self._returns = bool(_returned(statement))
        self._result = query.settled(
            lambda: query.ask(prepare(statement, key, method, selected, state), state),
            state,
        )
        self._rows = self._result.rows()
        self.matches = [
            Match(_arguments(method, parameters, row), row[len(names) :])
            for row in self._rows
        ]
        if len({row[: len(names)] for row in self._rows}) != len(self._rows):
            raise SqlError(Code.EVALUATION, "SET gives a row more than one value")

    def returning(self, positions: Sequence[int]) -> Result:
        """What the statement returns of the rows at these positions of `matches`."""
        if not self._returns:
            return Result()
        columns = self._result.columns[self._width :]
        rows = [self._rows[at][self._width :] for at in positions]
        return Result(columns, _Kept(self._result, columns, rows, positions))


class _Kept:
    """Some rows of a result, and its last columns."""

    def __init__(
        self,
        result: Result,
        columns: Sequence[ResultColumn],
        rows: list[Row],
        positions: Sequence[int],
    ) -> None:
        self._result = result
        self._columns = columns
        self._rows = rows
        self._positions = positions

    def iter_rows(self, batch_size: int = 1, /) -> Iterator[Row]:
        """Each row."""
        return iter(self._rows)

    def fetchall(self) -> list[Row]:
        """All rows."""
        return self._rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream."""
        return self._arrow().__arrow_c_stream__(requested_schema)

    def _arrow(self) -> "arro3.core.Table":
        import arro3.core as arrow

        chosen_rows = arrow.Array(self._positions, type=arrow.DataType.int64())
        whole = self._result.arrow().combine_chunks()
        last = range(whole.num_columns - len(self._columns), whole.num_columns)
        chosen = whole.select(list(last))
        batches = [
            batch.take(chosen_rows)  # pyright: ignore[reportUnknownMemberType]  (its stubs)
            for batch in chosen.to_batches()
        ]
        return arrow.Table.from_batches(batches, schema=chosen.schema)


def prepare(
    statement: Update | Delete,
    key: str,
    method: Method,
    selected: Sequence[exp.Expr],
    state: State,
) -> query.Prepared:
    """The query for the rows, with the arguments of `Found`.

    Raises:
        SqlError: the predicate, or RETURNING, can't be run as written.
    """
    names = [key, *(p.name for p in own_parameters(method))]
    kept = [*(exp.column(name, quoted=True) for name in names), *selected]
    returned = _returned(statement)
    tree = exp.select(*(e.copy() for e in (*kept, *returned)))
    tree = tree.from_(statement.target.copy())
    if statement.where is not None:
        tree = tree.where(statement.where.copy())
    prepared = query.prepare(tree, state, execs=statement.execs)
    if not returned and len(prepared.columns) != len(kept):
        raise SqlError(Code.SYNTAX, "SET takes one value for each column")
    return prepared


def _returned(statement: Update | Delete) -> Sequence[exp.Expr]:
    return (isinstance(statement, Delete) and statement.returning) or ()


def own_parameters(method: Method) -> tuple[Parameter, ...]:
    """What a method must be given besides the key of a row."""
    return tuple(p for p in method.parameters if p.required and not p.key_column)


def key_argument(methods: Sequence[Method], key: Value) -> dict[str, Value]:
    """The parameter by which methods select one row, with its value."""
    return {p.name: key for m in methods for p in m.parameters if p.key_column}


def _arguments(
    method: Method, parameters: Sequence[Parameter], row: Row
) -> dict[str, Value]:
    arguments: dict[str, Value] = {}
    for parameter, value in zip(parameters, row[1:], strict=False):
        argument = as_argument(parameter, value)
        if argument is None or isinstance(value, (dict, list)):
            message = f"{method.name} takes {parameter.name} as {parameter.type}, and a row has {value!r}"
            raise SqlError(Code.TYPE_MISMATCH, message)
        arguments[parameter.name] = argument
    return {**arguments, **key_argument([method], row[0])}
