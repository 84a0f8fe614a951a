"""SHOW and DESCRIBE: what the documents say, with StackQL's headings. Nothing is asked of any server."""

import re
from collections.abc import Iterator, Sequence

from patql.catalog.document import Access, Method, Resource
from patql.catalog.names import Catalog
from patql.engine.result import Result, ResultColumn, Row
from patql.engine.statement import Describe, Name, Show
from patql.kernel.errors import Code, SqlError

_ORDER = [
    Access.SELECT,
    Access.INSERT,
    Access.DELETE,
    Access.UPDATE,
    Access.REPLACE,
    Access.EXEC,
]


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


def show(statement: Show, catalog: Catalog) -> Result:
    """SHOW PROVIDERS, SERVICES, RESOURCES or METHODS.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names.
    """
    headings, rows = _HANDLERS[statement.kind](catalog, statement.name)
    if statement.like is not None:
        pattern = _like(statement.like)
        rows = [
            row
            for row in rows
            if pattern.fullmatch(row[0]) or pattern.fullmatch(row[1])
        ]
    width = len(headings) if statement.extended else _PLAIN[statement.kind]
    return _table(headings[:width], [row[:width] for row in rows])


def describe(statement: Describe, catalog: Catalog) -> Result:
    """DESCRIBE a resource: its columns, with the types that the document gives them.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names.
    """
    rows = [
        (c.name, c.type, _line(c.description))
        for c in _resource(catalog, statement.name).columns
    ]
    width = 3 if statement.extended else 2
    return _table(
        ("name", "type", "description")[:width], [row[:width] for row in rows]
    )


_Table = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]


def _providers(catalog: Catalog, _: Name) -> _Table:
    rows = [(p.name, p.version, _line(p.description)) for p in catalog.providers]
    return ("name", "version", "description"), rows


def _services(catalog: Catalog, name: Name) -> _Table:
    rows = [
        (
            s.id,
            s.name,
            s.title,
            _line(s.description),
            s.version,
            str(s.preferred).lower(),
        )
        for s in catalog.provider(name[0]).services
    ]
    return ("id", "name", "title", "description", "version", "preferred"), rows


def _resources(catalog: Catalog, name: Name) -> _Table:
    rows = [
        (r.name, r.id, _line(r.description)) for r in catalog.service(*name).resources
    ]
    return ("name", "id", "description"), rows


def _methods(catalog: Catalog, name: Name) -> _Table:
    methods = sorted(
        _resource(catalog, name).methods, key=lambda m: (_ORDER.index(m.access), m.name)
    )
    rows = [
        (m.name, _required(m), m.access.value, _line(m.description)) for m in methods
    ]
    return ("MethodName", "RequiredParams", "SQLVerb", "description"), rows


_HANDLERS = {
    "PROVIDERS": _providers,
    "SERVICES": _services,
    "RESOURCES": _resources,
    "METHODS": _methods,
}
_PLAIN = {"PROVIDERS": 2, "SERVICES": 3, "RESOURCES": 2, "METHODS": 3}
"""How many columns are shown without EXTENDED."""


def _resource(catalog: Catalog, name: Name) -> Resource:
    if len(name) != 3:
        message = f"{'.'.join(name)} isn't of the form provider.service.resource"
        raise SqlError(Code.UNKNOWN_NAME, message)
    return catalog.resource(*name)


def _required(method: Method) -> str:
    naive = method.body is None or method.body.naive
    body = method.body.required if method.body else ()
    return ", ".join(
        [*method.required, *(name if naive else f"data__{name}" for name in body)]
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Result:
    columns = tuple(ResultColumn(heading, "VARCHAR") for heading in headings)
    return Result(columns, Lines(headings, list(rows)))
