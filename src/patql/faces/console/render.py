"""A result as text: an aligned table, JSON, JSON lines or CSV, made piece by piece as rows come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from patql.engine.result import ResultColumn, Row
from patql.faces.console.readable import embedded
from patql.faces.console.text import encoded, json_text, plain, shown, width
from patql.kernel.text import printable

SAMPLE = 1_000
"""How many rows decide the widths of a table's columns."""
_NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
    "UINTEGER", "UBIGINT", "UHUGEINT", "BIGNUM", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip

_AS_IN_JSON = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "JSON",
)  # fmt: skip
"""Types that msgspec encodes as we do."""

_ENDS = ',"\r\n'
"""What would end a field of CSV."""
_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)
"""What spreadsheets take for the beginning of a formula, in some locales also at full width."""

Batches = Iterator[list[Row]]
Render = Callable[[Sequence[ResultColumn], Batches], Iterator[str]]


def table(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """Columns aligned by the display width of the first rows; numbers to the right."""
    cells = _shown_as_written if _is_plan(columns) else _shown
    batches = embedded(columns, batches, whole=False)
    sample = list[list[Row]]()
    for batch in batches:
        sample.append(batch)
        if sum(map(len, sample)) >= SAMPLE:
            break
    names = [printable(column.name) for column in columns]
    seen = [cells(row) for row in chain.from_iterable(sample)]
    widths = [
        max(width(name), *(width(row[at]) for row in seen[:SAMPLE]), 1)
        for at, name in enumerate(names)
    ]
    right = [column.type.startswith(_NUMBERS) for column in columns]
    yield _line(names, widths, right)
    yield _line(["-" * wide for wide in widths], widths, right)
    yield "".join(_line(row, widths, right) for row in seen)
    for batch in batches:
        yield "".join(_line(cells(row), widths, right) for row in batch)


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
    yield _record(map(_field, (column.name for column in columns)))
    for batch in embedded(columns, batches, whole=False):
        yield "".join(_record(map(_field, row)) for row in batch)


def safe_csv(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[str]:
    """CSV in which nothing but numbers is more than text to a spreadsheet.

    What could begin a formula is preceded by `'`; what other separators than a comma would end is quoted (OWASP, CSV
    injection).
    """
    numbers = [column.type.startswith(_NUMBERS) for column in columns]
    yield _record(_safe_field(column.name) for column in columns)
    for batch in embedded(columns, batches, whole=False):
        yield "".join(
            _record(
                _field(cell) if number else _safe_field(cell)
                for cell, number in zip(row, numbers, strict=True)
            )
            for row in batch
        )


FORMATS: dict[str, Render] = {
    "table": table,
    "json": json,
    "jsonl": json_lines,
    "csv": csv,
}
"""Each name of `--output`."""


def _is_plan(columns: Sequence[ResultColumn]) -> bool:
    return [*columns] == [ResultColumn("plan", "VARCHAR")]


def _shown(row: Row) -> list[str]:
    return [*map(shown, row)]


def _shown_as_written(row: Row) -> list[str]:
    """A plan's lines are indented, which isn't to be taken for anything doubtful."""
    return [printable(cell) if cell else shown(cell) for cell in row]


def _line(cells: Iterable[str], widths: list[int], right: list[bool]) -> str:
    padded = (
        " " * (wide - width(cell)) + cell
        if to_right
        else cell + " " * (wide - width(cell))
        for cell, wide, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip(" ") + "\n"


def _objects(columns: Sequence[ResultColumn], batches: Batches) -> Iterator[list[str]]:
    names = distinct([column.name for column in columns])
    usual = all(column.type in _AS_IN_JSON for column in columns)
    encode = encoded if usual else json_text
    for batch in filter(None, embedded(columns, batches, whole=True)):
        yield [encode(dict(zip(names, row, strict=True))) for row in batch]


def distinct(names: list[str]) -> list[str]:
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


def _record(fields: Iterable[str]) -> str:
    return ",".join(fields) + "\n"


def _field(value: object) -> str:
    return "" if value is None else _enclosed(plain(value), _ENDS)


def _safe_field(value: object) -> str:
    if value is None:
        return ""
    text = plain(value)
    return _enclosed(f"'{text}" if text.startswith(_FORMULA) else text, _ENDS + ";\t")


def _enclosed(text: str, special: str) -> str:
    """The text in quotes where it is empty or has one of the special characters."""
    if text and not any(char in text for char in special):
        return text
    return '"' + text.replace('"', '""') + '"'
