"""A result as text: an aligned table, JSON, JSON lines or CSV, made piece by piece as rows come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from patql.engine.result import ResultColumn, Row
from patql.faces.console.text import encoded, json_text, plain, shown, width
from patql.kernel.text import printable

SAMPLE = 1_000
"""How many rows decide the widths of a table's columns."""
_NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
    "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip

_AS_IN_JSON = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "JSON",
)  # fmt: skip
"""Types that msgspec encodes as we do."""

Batches = Iterator[list[Row]]
Render = Callable[[Sequence[ResultColumn], Batches], Iterator[str]]


def table(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """Columns aligned by the display width of the first rows; numbers to the right."""
    sample = list[list[Row]]()
    for batch in batches:
        sample.append(batch)
        if sum(map(len, sample)) >= SAMPLE:
            break
    names = [printable(column.name) for column in columns]
    seen = [[*map(shown, row)] for row in chain.from_iterable(sample)]
    widths = [
        max(width(name), *(width(row[at]) for row in seen[:SAMPLE]), 1)
        for at, name in enumerate(names)
    ]
    right = [column.type.startswith(_NUMBERS) for column in columns]
    yield _line(names, widths, right)
    yield _line(["-" * wide for wide in widths], widths, right)
    yield "".join(_line(row, widths, right) for row in seen)
    for batch in batches:
        yield "".join(_line(map(shown, row), widths, right) for row in batch)


def json(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """An array of objects, one a line."""
    before = "["
    for lines in _objects(columns, batches):
        yield f"{before}\n" + ",\n".join(lines)
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def json_lines(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """An object a line."""
    for lines in _objects(columns, batches):
        yield "\n".join(lines) + "\n"


def csv(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """Comma-separated with a header (RFC 4180, lines end in LF); NULL is an empty field, the empty text is `""`."""
    yield _record([column.name for column in columns])
    for batch in batches:
        yield "".join(map(_record, batch))


FORMATS: dict[str, Render] = {
    "table": table,
    "json": json,
    "jsonl": json_lines,
    "csv": csv,
}
"""Each name of `--output`."""


def _line(cells: Iterable[str], widths: list[int], right: list[bool]) -> str:
    padded = (
        " " * (wide - width(cell)) + cell
        if to_right
        else cell + " " * (wide - width(cell))
        for cell, wide, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip(" ") + "\n"


def _objects(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[list[str]]:
    names = _distinct([column.name for column in columns])
    documents = [at for at, column in enumerate(columns) if column.type == "JSON"]
    usual = all(column.type in _AS_IN_JSON for column in columns)
    encode = encoded if usual else json_text
    for batch in filter(None, batches):
        rows = (
            [_with_documents(row, documents) for row in batch] if documents else batch
        )
        yield [encode(dict(zip(names, row, strict=True))) for row in rows]


def _with_documents(row: Row, documents: list[int]) -> Row:
    """The row with its JSON texts as parts of the JSON that it is written in, on one line."""
    cells = list(row)
    for at in documents:
        if cells[at] is not None:
            document = msgspec.json.format(str(cells[at]), indent=-1)
            cells[at] = msgspec.Raw(document.encode())
    return tuple(cells)


def _distinct(names: list[str]) -> list[str]:
    """Names without repetition, since an object's keys must differ: `a`, `a_1`."""
    given = list[str]()
    for name in names:
        free = name
        number = 0
        while free in given:
            number += 1
            free = f"{name}_{number}"
        given.append(free)
    return given


def _record(values: Iterable[object]) -> str:
    return ",".join(map(_field, values)) + "\n"


def _field(value: object) -> str:
    if value is None:
        return ""
    text = plain(value)
    if not text or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
