"""A step's rows as an Arrow stream that the relational engine pulls from while it computes."""

from collections.abc import Callable, Generator

import arro3.core as arrow


class ReadAgainError(Exception):
    """The relational engine began to read rows a second time, which only a table allows."""


class Stream:
    """Rows that can be read once; whoever computes over them must look at `error` afterwards.

    Attributes:
        error: why reading ended early, None where it didn't: the relational engine passes on its text alone.
    """

    def __init__(
        self, schema: arrow.Schema, begin: Callable[[], Generator[arrow.RecordBatch]]
    ) -> None:
        self.error: BaseException | None = None
        self._schema = schema
        self._begin = begin
        self._batches: Generator[arrow.RecordBatch] | None = None

    def __arrow_c_schema__(self) -> object:
        """The schema (the Arrow PyCapsule interface)."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, from the first on (the Arrow PyCapsule interface)."""
        reader = arrow.RecordBatchReader.from_batches(self._schema, self._read())
        return reader.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """Read no further, and cancel what is under way."""
        if self._batches is not None:
            self._batches.close()

    def _read(self) -> Generator[arrow.RecordBatch]:
        if self._batches is not None:
            self.error = ReadAgainError()
            raise self.error
        self._batches = self._begin()
        try:
            yield from self._batches
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise
