"""Bytes to columns: the rows of a response, typed by the document, as Arrow."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import arro3.core as arrow
import msgspec
from msgspec.structs import astuple

from patql.catalog.document import Column, Method
from patql.engine.envelope import Envelope, Page
from patql.engine.reading import NOTHING, ContradictionError, Reading
from patql.kernel.errors import Code, PatqlError

__all__ = ["Columns", "ContradictionError", "Decoder", "Page"]

Columns = list[list[Any]]
"""The values of each column, row by row."""


class Decoder:
    """Reads the responses of one method: the columns asked for, and nothing else.

    Args:
        method: which operation sends the responses.
        columns: those to read, in the order of the batch.
        key: the column that `keys` gives.
        types: DuckDB types of the columns that are wider than documented, by name.

    `decode`, `extend` and `batch` raise ContradictionError where values contradict the types; a decoder of the same
    method with those of the error reads them.
    """

    def __init__(
        self,
        method: Method,
        columns: Sequence[Column],
        key: str | None = None,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self._method = method
        names = [column.name for column in columns]
        self._columns = tuple(columns)
        if key and key not in names:
            names.append(key)
        described = {column.name: column for column in (*method.columns, *columns)}
        wider = types or {}
        self._readings = {
            name: Reading(described[name], wider.get(name)) for name in names
        }
        self._envelope = Envelope(
            method, {n: (r.python, r.default) for n, r in self._readings.items()}
        )
        self._key = attrgetter(f"f{names.index(key)}") if key else None
        self._key_name = key
        self.schema = arrow.Schema(
            [arrow.Field(c.name, self._readings[c.name].arrow) for c in columns]
        )

    def decode(self, body: bytes, where: str) -> Page:
        """The rows of one response; `where` names the request in an error.

        Raises:
            PatqlError: BAD_RESPONSE where the body isn't what the document says.
        """
        try:
            return self._envelope.open(body)
        except UnicodeDecodeError:
            message = f"{where} answered with text that isn't UTF-8"
            raise PatqlError(Code.BAD_RESPONSE, message) from None
        except msgspec.DecodeError as error:
            wider = self._contradicted(body)
            if wider:
                raise ContradictionError(wider) from None
            message = f"{where} answered with something that its document doesn't describe: {error}"
            raise PatqlError(Code.BAD_RESPONSE, message) from None

    def _contradicted(self, body: bytes) -> dict[str, str]:
        """The wider types that the rows of a response need; none where its rows can't be found."""
        fields = dict.fromkeys(self._readings, (msgspec.Raw, NOTHING))
        try:
            rows = Envelope(self._method, fields).open(body).rows
        except msgspec.DecodeError:
            return {}
        return self._wider(zip(*map(astuple, rows), strict=True))

    def _wider(self, values: Iterable[Iterable[msgspec.Raw]]) -> dict[str, str]:
        """The wider types that values, left as JSON by the decoder and column by column, need."""
        columns = zip(self._readings.items(), values, strict=False)
        found = {name: reading.wider(given) for (name, reading), given in columns}
        return {name: wider for name, wider in found.items() if wider}

    def keys(self, rows: list[Any]) -> list[Any]:
        """The key of each row; none where there is no key.

        Raises:
            ContradictionError: the key has been widened, and one isn't even that.
        """
        if self._key is None or self._key_name is None:
            return []
        keys = list(map(self._key, rows))
        reading = self._readings[self._key_name]
        if not reading.is_raw:
            return keys
        if needed := reading.wider(keys):
            raise ContradictionError({self._key_name: needed})
        return reading.take(keys)

    def columns(self) -> Columns:
        """An empty list for each column."""
        return [[] for _ in self._columns]

    def extend(self, columns: Columns, rows: list[Any]) -> None:
        """Add the values of rows to the lists of their columns.

        Raises:
            ContradictionError: a nested value, or one of a column that has been widened, isn't as it should be.
        """
        values = zip(*map(astuple, rows), strict=True)
        wider: dict[str, str] = {}
        # The key may come after the columns.
        for column, more, (name, reading) in zip(
            columns, values, self._readings.items(), strict=False
        ):
            if not reading.is_raw:
                column.extend(more)
            elif needed := reading.wider(more):
                wider[name] = needed
            else:
                column.extend(reading.take(more))
        if wider:
            raise ContradictionError(self._overflowing(columns) | wider)

    def batch(self, columns: Columns, where: str) -> arrow.RecordBatch:
        """Lists of values as Arrow; `where` names what was asked in an error.

        Raises:
            ContradictionError: a whole number has more than 64 bits.
            PatqlError: BAD_RESPONSE where text isn't Unicode.
        """
        arrays: list[arrow.Array] = []
        for column, values in zip(self._columns, columns, strict=True):
            try:
                kind = self._readings[column.name].arrow
                arrays.append(arrow.Array(values, type=kind))
            except OverflowError:
                raise ContradictionError(self._overflowing(columns)) from None
            except UnicodeEncodeError:
                message = f"{where} answered with a {column.name} that isn't Unicode"
                raise PatqlError(Code.BAD_RESPONSE, message) from None
        return arrow.RecordBatch.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
            arrays, schema=self.schema
        )

    def _overflowing(self, columns: Columns) -> dict[str, str]:
        """The wider types of the columns with whole numbers of more than 64 bits, which the JSON decoder lets pass."""
        found: dict[str, str] = {}
        for column, values in zip(self._columns, columns, strict=True):
            reading = self._readings[column.name]
            if column.type == "integer" and not reading.is_raw:
                numbers = (msgspec.Raw(msgspec.json.encode(v)) for v in values)
                if wider := reading.wider(numbers):
                    found[column.name] = wider
        return found

    def read(self, body: bytes, where: str) -> arrow.RecordBatch:
        """The rows of one response as Arrow.

        Raises:
            PatqlError: BAD_RESPONSE, as `decode` and `batch`.
        """
        columns = self.columns()
        self.extend(columns, self.decode(body, where).rows)
        return self.batch(columns, where)
