"""A step's rows as an Arrow stream that the relational engine pulls from while it computes."""

from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue

import arro3.core as arrow

from patql.engine.computation import Job
from patql.engine.statement import STOPPED
from patql.kernel.errors import Code, PatqlError

AHEAD = 2
"""Batches that are fetched before they are asked for."""


class ReadAgainError(Exception):
    """The relational engine began to read rows a second time, which only a table allows."""


class Stream:
    """Rows that can be read once; whoever computes over them must look at `error` afterwards.

    Attributes:
        schema: of the batches.
        error: why reading ended early, None where it didn't: the relational engine passes on its text alone.

    Args:
        schema: of the batches.
        begin: begins to fetch them.
        ask: has the thread that waits for the computation do something.
    """

    def __init__(
        self,
        schema: arrow.Schema,
        begin: Callable[[], Generator[arrow.RecordBatch]],
        ask: Callable[[Job], None],
    ) -> None:
        self.schema = schema
        self.error: BaseException | None = None
        self._begin = begin
        self._ask = ask
        self._opened = False
        self._batches: Generator[arrow.RecordBatch] | None = None
        self._inbox: SimpleQueue[arrow.RecordBatch | BaseException | None] = (
            SimpleQueue()
        )

    def __arrow_c_schema__(self) -> object:
        """The schema (the Arrow PyCapsule interface)."""
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, from the first on (the Arrow PyCapsule interface)."""
        reader = arrow.RecordBatchReader.from_batches(self.schema, self._read())
        return reader.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """Fetch no further, and cancel what is under way."""
        if self._batches is not None:
            self._batches.close()

    def _read(self) -> Iterator[arrow.RecordBatch]:
        """The batches, in one of the relational engine's threads."""
        if self._opened:
            self.error = ReadAgainError()
            raise self.error
        self._opened = True
        for _ in range(AHEAD):
            self._ask(self._fetch)
        while (batch := self._inbox.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            self._ask(self._fetch)
            yield batch

    def _fetch(self, *, ending: bool) -> None:
        """Fetch the next batch, in the thread that waits for the computation."""
        try:
            if ending:
                raise PatqlError(Code.CANCELLED, STOPPED)  # noqa: TRY301  (it is passed on)
            if self._batches is None:
                self._batches = self._begin()
            self._inbox.put(next(self._batches, None))
        except BaseException as error:
            self.error = self.error or error
            self._inbox.put(error)
            if not isinstance(error, Exception):
                raise
