"""Bytes to columns: the rows of a response, typed by the document, as Arrow."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import arro3.core as arrow
import msgspec
from msgspec.structs import astuple

from patql.catalog.document import Column, Method
from patql.kernel.errors import Code, PatqlError

_PYTHON: dict[str, Any] = {
    "integer": int,
    "number": float,
    "string": str,
    "boolean": bool,
}
_ARROW = {
    "integer": arrow.DataType.int64(),
    "number": arrow.DataType.float64(),
    "boolean": arrow.DataType.bool(),
}
_NOTHING = msgspec.Raw(b"null")
_TEXT = arrow.DataType.string()


Columns = list[list[Any]]
"""The values of each column, row by row."""


class Page(msgspec.Struct, frozen=True, gc=False):
    """One response: its rows, and how many pages and rows there are in all, where the server says so."""

    rows: list[Any]
    pages: int | None
    results: int | None


class Decoder:
    """Reads the responses of one method: the columns asked for, and nothing else.

    Args:
        method: which operation sends the responses.
        columns: those to read, in the order of the batch.
        key: the column that `keys` gives.
    """

    def __init__(
        self, method: Method, columns: Sequence[Column], key: str | None = None
    ) -> None:
        self._columns = tuple(columns)
        self._object_key = method.object_key
        names = [column.name for column in columns]
        if key and key not in names:
            names.append(key)
        kinds = {column.name: column.type for column in method.columns}
        fields = [
            (f"f{at}", *_field(kinds[name], name)) for at, name in enumerate(names)
        ]
        row: Any = msgspec.defstruct("Row", fields, gc=False)
        self._key = attrgetter(f"f{names.index(key)}") if key else None
        self._paging = method.paging
        self._json = msgspec.json.Decoder(self._envelope(row))
        self.schema = arrow.Schema(
            [arrow.Field(c.name, _arrow_type(c)) for c in columns]
        )

    def _envelope(self, row: Any) -> Any:  # noqa: ANN401  (types made at run time)
        if self._object_key is None:
            return list[row] | row
        fields: list[Any] = [("rows", list[row], msgspec.field(name=self._object_key))]
        if self._paging:
            pages, results = self._paging.pages_key, self._paging.results_key
            fields.append(
                ("pages", int | None, msgspec.field(default=None, name=pages))
            )
            if results:
                fields.append(
                    ("results", int | None, msgspec.field(default=None, name=results))
                )
        return msgspec.defstruct("Envelope", fields, gc=False)

    def decode(self, body: bytes, where: str) -> Page:
        """The rows of one response; `where` names the request in an error.

        Raises:
            PatqlError: BAD_RESPONSE where the body isn't what the document says.
        """
        try:
            value: Any = self._json.decode(body)
        except msgspec.DecodeError as error:
            message = f"{where} answered with something that its document doesn't describe: {error}"
            raise PatqlError(Code.BAD_RESPONSE, message) from None
        if self._object_key is not None:
            rows, envelope = value.rows, value
        else:
            rows, envelope = _as_list(value), None
        pages = getattr(envelope, "pages", None)
        return Page(rows, pages, getattr(envelope, "results", None))

    def keys(self, rows: list[Any]) -> list[Any]:
        """The key of each row; none where there is no key."""
        return list(map(self._key, rows)) if self._key else []

    def columns(self) -> Columns:
        """An empty list for each column."""
        return [[] for _ in self._columns]

    def extend(self, columns: Columns, rows: list[Any]) -> None:
        """Add the values of rows to the lists of their columns."""
        values = zip(*map(astuple, rows), strict=True)
        for column, more in zip(
            columns, values, strict=False
        ):  # the key may come after
            column.extend(more)

    def batch(self, columns: Columns, where: str) -> arrow.RecordBatch:
        """Lists of values as Arrow; `where` names what was asked in an error.

        Raises:
            PatqlError: BAD_RESPONSE where a value doesn't fit its column.
        """
        arrays = [
            _array(values, column, where)
            for values, column in zip(columns, self._columns, strict=True)
        ]
        return arrow.RecordBatch.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
            arrays, schema=self.schema
        )

    def read(self, body: bytes, where: str) -> arrow.RecordBatch:
        """The rows of one response as Arrow.

        Raises:
            PatqlError: BAD_RESPONSE, as `decode` and `batch`.
        """
        columns = self.columns()
        self.extend(columns, self.decode(body, where).rows)
        return self.batch(columns, where)


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  (rows of a type made at run time)
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def _field(kind: str, name: str) -> tuple[Any, Any]:
    if kind in _PYTHON:
        return _PYTHON[kind] | None, msgspec.field(default=None, name=name)
    return msgspec.Raw, msgspec.field(default=_NOTHING, name=name)


def _array(values: Sequence[Any], column: Column, where: str) -> arrow.Array:
    if column.type not in _PYTHON:
        values = [
            None if value == b"null" else str(value, "utf-8")
            for value in map(bytes, values)
        ]
    try:
        return arrow.Array(values, type=_arrow_type(column))
    except (OverflowError, UnicodeEncodeError):
        message = (
            f"{where} answered with a {column.name} that isn't a 64-bit {column.type}"
        )
        raise PatqlError(Code.BAD_RESPONSE, message) from None


def _arrow_type(column: Column) -> arrow.DataType:
    return _ARROW.get(column.type, _TEXT)
