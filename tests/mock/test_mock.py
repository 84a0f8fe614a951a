"""SELECT over servers made from the documents of others: every row that they have, and no other."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests.mock.server import PAGE, MockServer, Row

from patql.catalog.document import Access, Column, Method, Provider, Resource
from patql.catalog.load import from_folder
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.engine.shape import Shape, parse
from patql.kernel.clock import SystemClock
from patql.kernel.errors import PatqlError
from patql.rest.origin import parse_server
from patql.rest.provider import ProviderTransport

SETS = Path(__file__).parents[3] / "shared" / "provider-docs"
FOLDERS = {
    "new": SETS / "linode-2026",
    "old": SETS / "linode-2023",
    "ocean": SETS / "others" / "digitalocean",
    "github": SETS / "others" / "github",
}

pytestmark = [
    pytest.mark.skipif(
        not SETS.exists(), reason="no provider documents of others beside the checkout"
    ),
    pytest.mark.slow,
]


TOLD = {
    "ocean": [
        "ocean.droplets.droplets.size has parts that its document doesn't describe: these are read as JSON"
    ]
}
"""What a provider's answers contradict: two of its services describe one path, and it answers as one of them says."""


class Silent:
    """A Dialogue that keeps what it is told, and asks nobody."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        return otherwise


class World:
    """A provider, a server made from its documents, and a session that asks it."""

    def __init__(self, name: str, cache: Path) -> None:
        self.provider = from_folder(name, FOLDERS[name], cache)
        self.server = MockServer(self.provider, FOLDERS[name], seed=20)
        transport = ProviderTransport(name, parse_server(self.server.url), None)
        self.told = Silent()
        catalog = Catalog((self.provider,))
        self.session = Session(
            catalog, transport, SystemClock(), self.told, transports={name: transport}
        )

    def select(self, sql: str, method: Method) -> list[Row]:
        """The rows of a query, in the columns of the method that it calls, without NULLs."""
        (result,) = self.session.run(sql)
        names = [column.name for column in result.columns]
        shapes = {column.name: shape_of(column) for column in method.columns}
        rows = (zip(names, row, strict=True) for row in result.rows())
        return [
            without_null({n: plain(v, shapes[n]) for n, v in row if n in shapes})
            for row in rows
        ]


@pytest.fixture(scope="module", params=FOLDERS)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Each set of documents."""
    world = World(request.param, tmp_path_factory.mktemp("cache"))
    with world.server:
        yield world
        world.session.close()


def test_every_select(world: World) -> None:
    """Each SELECT method that needs no parameter, or that is given all it needs, gives the rows of the server."""
    wrong: list[str] = []
    rows = 0
    for resource, method in selects(world.provider):
        arguments = filled(world.server, method)
        conditions = [f'"{n}" = {literal(v)}' for n, v in arguments.items()]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT * FROM {resource.id}{where}"
        truth = world.server.rows(method, arguments)
        expected = [expectation(method, row) for row in truth]
        try:
            found = world.select(sql, method)
        except PatqlError as error:
            wrong.append(f"{sql}: {error}")
            continue
        rows += len(found)
        if sorted(map(text, found)) != sorted(map(text, expected)):
            wrong.append(
                f"{sql} ({method.name}): {found[:1]} instead of {expected[:1]}"
            )
    assert wrong == []
    assert rows > 200
    assert world.told.notes == TOLD.get(world.provider.name, [])


def test_lists_come_in_pages(world: World) -> None:
    """What makes the test above one of paging: lists of more than a page, read to their end."""
    ways = {
        m.cursor.kind if m.cursor else "number"
        for _, m in selects(world.provider)
        if (m.paging or m.cursor)
        and len(world.server.rows(m, filled(world.server, m))) > PAGE
    }
    expected = {"github": {"link"}, "ocean": {"url"}}
    assert ways - {"token"} == expected.get(world.provider.name, {"number"})


@pytest.mark.parametrize("name", ["old", "new"])
def test_tokens_by_id(name: str, tmp_path: Path) -> None:
    """A token is found by `tokenId`, in one request, in the documents of 2023 as well; an unknown one is no row."""
    world = World(name, tmp_path)
    table = {"old": "tokens", "new": "personal_access_tokens"}[name]
    tokens = Catalog((world.provider,)).resource(name, "profile", table)
    single = next(m for m in tokens.by_access(Access.SELECT) if m.required)
    listed = next(m for m in tokens.by_access(Access.SELECT) if not m.required)
    known = [row["id"] for row in world.server.rows(listed, {})]
    with world.server:
        for wanted, ids in ((known[0], known[:1]), (987_654, [])):
            world.server.requests.clear()
            sql = f"SELECT * FROM {tokens.id} WHERE tokenId = {wanted}"
            assert [row["id"] for row in world.select(sql, single)] == ids
            assert world.server.requests == [f"/v4/profile/tokens/{wanted}"]
        world.session.close()


def selects(provider: Provider) -> Iterator[tuple[Resource, Method]]:
    """The SELECT methods that can be called, each with its resource; of those that need the same, the first."""
    for resource in (r for s in provider.services for r in s.resources):
        seen: set[frozenset[str]] = set()
        for method in resource.by_access(Access.SELECT):
            needed = frozenset(method.required)
            if needed not in seen and not method.unsupported:
                seen.add(needed)
                yield resource, method


def filled(server: MockServer, method: Method) -> dict[str, Any]:
    """A value for each parameter that a method needs: for the key of a row, one that there is."""
    arguments: dict[str, Any] = {}
    for parameter in method.parameters:
        if parameter.required:
            whole = parameter.type in ("integer", "number")
            arguments[parameter.name] = 12 if whole else f"{parameter.name} a"
    for parameter in method.parameters:
        if parameter.key_column and (key := server.key(method, arguments)) is not None:
            arguments[parameter.name] = key
    return arguments


def expectation(method: Method, row: Row) -> Row:
    """A row as the server has it, without nulls and without what isn't a column."""
    names = {column.name for column in method.columns}
    kept: Row = without_null({k: v for k, v in row.items() if k in names})
    return kept


def literal(value: Any) -> str:  # noqa: ANN401  (JSON)
    """A value as SQL writes it."""
    return (
        str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
    )


def shape_of(column: Column) -> Shape:
    """How the values of a column are nested."""
    if column.type in ("object", "array"):
        return parse(column.shape) if column.shape else "JSON"
    return "VARCHAR"


def plain(value: Any, shape: Shape) -> Any:  # noqa: ANN401  (JSON)
    """A value of a result as JSON has it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if value is None:
        return None
    match shape:
        case "JSON":
            return json.loads(value)
        case [element]:
            return [plain(item, element) for item in value]
        case dict():
            return {n: plain(of, shape.get(n, "JSON")) for n, of in value.items()}
        case _:
            return value


def without_null(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """JSON without properties that are null, which a STRUCT has and JSON may lack."""
    if isinstance(value, dict):
        given = cast("Row", value).items()
        return {name: without_null(of) for name, of in given if of is not None}
    if isinstance(value, list):
        return list(map(without_null, value))  # pyright: ignore[reportUnknownArgumentType]
    return value


def text(value: Any) -> str:  # noqa: ANN401  (JSON)
    """A value as text that is the same for equal values."""
    return json.dumps(value, sort_keys=True)
