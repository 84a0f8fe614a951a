"""What a statement gives: columns and rows, a message, and what it takes to keep a one-time secret safe."""

import gc
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    import arro3.core

Row = tuple[Any, ...]


class Source(Protocol):
    """What a result reads its rows from: a materialised DuckDB relation is one."""

    def iter_rows(self, batch_size: int = ..., /) -> Iterator[Row]:
        """Each row, read a batch at a time."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows."""
        ...

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream (the Arrow PyCapsule interface)."""
        ...


class ResultColumn(msgspec.Struct, frozen=True):
    """A column of a result: its name, and its DuckDB type as DuckDB writes it (`BIGINT`, `VARCHAR`, `JSON`)."""

    name: str
    type: str


class Result:
    """One statement's result. Rows are read by `rows`, `batches` or `arrow`; nothing is fetched meanwhile.

    Attributes:
        columns: empty where the statement returns no rows.
        message: one line for the person, such as `2 rows deleted`; None for a query.
        once: positions of the columns that hold secrets which will never be shown again.
        undo: revokes what the statement created and returns the ids that it revoked; None where it created nothing.
            For a secret that can't be delivered.
        source: what the rows are read from; None where there are none.
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
        self.source = source

    def batches(self, size: int = 10_000) -> Iterator[list[Row]]:
        """The rows, at most `size` at a time, as Python values."""
        rows = (
            iter(self.source.iter_rows(size)) if self.source is not None else iter(())
        )
        while batch := list(islice(rows, size)):
            yield batch

    def rows(self) -> list[Row]:
        """All rows as Python values."""
        if self.source is None:
            return []
        # Each new tuple counts as garbage to be; searching for cycles among them is a third of the time, and finds none.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self.source.fetchall()
        finally:
            if collecting:
                gc.enable()

    def arrow(self) -> "arro3.core.Table":
        """All rows as an Arrow table."""
        import arro3.core

        if self.source is None:
            return arro3.core.Table.from_batches([], schema=arro3.core.Schema([]))
        return arro3.core.Table.from_arrow(self.source)
