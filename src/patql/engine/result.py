"""What a statement gives: columns and rows, a message, and what it takes to keep a one-time secret safe."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    import arro3.core

Row = tuple[Any, ...]


class Source(Protocol):
    """What a result reads its rows from: a DuckDB cursor is one."""

    def fetchmany(self, size: int, /) -> list[Row]:
        """The next rows, at most `size`; empty at the end."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...

    def to_arrow_reader(self) -> Any:  # noqa: ANN401  (an object with __arrow_c_stream__)
        """All rows that are left, as an Arrow stream."""
        ...


class ResultColumn(msgspec.Struct, frozen=True):
    """A column of a result: its name, and its DuckDB type as DuckDB writes it (`BIGINT`, `VARCHAR`, `JSON`)."""

    name: str
    type: str


class Result:
    """One statement's result. Rows are read once, by `rows`, `batches` or `arrow`; nothing is fetched meanwhile.

    Attributes:
        columns: empty where the statement returns no rows.
        message: one line for the person, such as `2 rows deleted`; None for a query.
        once: positions of the columns that hold secrets which will never be shown again.
        undo: revokes what the statement created and returns the ids that it revoked; None where it created nothing.
            For a secret that can't be delivered.
    """

    def __init__(
        self,
        columns: tuple[ResultColumn, ...] = (),
        source: Source | None = None,
        *,
        message: str | None = None,
        once: tuple[int, ...] = (),
        undo: Callable[[], tuple[int | str, ...]] | None = None,
    ) -> None:
        self.columns = columns
        self.message = message
        self.once = once
        self.undo = undo
        self._source = source

    def batches(self, size: int = 10_000) -> Iterator[list[Row]]:
        """The rows, at most `size` at a time, as Python values."""
        while self._source is not None and (rows := self._source.fetchmany(size)):
            yield rows

    def rows(self) -> list[Row]:
        """All rows as Python values."""
        return self._source.fetchall() if self._source is not None else []

    def arrow(self) -> "arro3.core.Table":
        """All rows as an Arrow table."""
        import arro3.core

        if self._source is None:
            return arro3.core.Table.from_pydict({})
        return arro3.core.Table.from_arrow(self._source.to_arrow_reader())
