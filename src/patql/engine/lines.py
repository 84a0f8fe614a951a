"""Rows that are there already, as a result's source."""

from collections.abc import Iterator, Sequence

from patql.engine.result import Result, ResultColumn, Row


class Lines:
    """Rows that are there already, each of the same number of texts."""

    def __init__(self, headings: tuple[str, ...], rows: list[Row]) -> None:
        self._headings = headings
        self._rows = rows

    def iter_rows(self, batch_size: int = 1, /) -> Iterator[Row]:
        """Each row."""
        return iter(self._rows)

    def fetchall(self) -> list[Row]:
        """All rows."""
        return self._rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows, as an Arrow stream."""
        import arro3.core as arrow

        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._headings)
        text = arrow.DataType.string()
        arrays = [arrow.Array(list(column), type=text) for column in columns]
        table = arrow.Table.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
            arrays, names=self._headings
        )
        return table.__arrow_c_stream__(requested_schema)


def one_line(text: str) -> str:
    """The text without line breaks, for a cell."""
    return " ".join(text.split())


def texts(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Result:
    """A result of texts; of each row as many as there are headings."""
    columns = tuple(ResultColumn(heading, "VARCHAR") for heading in headings)
    width = len(headings)
    return Result(columns, Lines(headings, [row[:width] for row in rows]))
