"""Random resources: what their documents say, what rows they have, and how a server gives them out."""

from random import Random
from typing import Any

import msgspec
from tests.engine.differential.filters import Row

from patql.catalog.document import (
    Access,
    Column,
    Cursor,
    Method,
    Paging,
    Parameter,
    Provider,
    Resource,
    Service,
)

PROVIDER, SERVICE = "acme", "shop"
WIRE = "date-time-local"
VERSION = "x-list-version"
NEVER = "2999-12-31T00:00:00"

TEXTS = (
    *("ci", "CI", "deploy", "audit", "it's", "Ünï", "50%_off", 'a "b"', "a/b c"),
    *(
        "",
        " ",
        "2026-03-01",
        "straße",
        "STRASSE",
        "\u212a",
        "\u017f",
        "İ",
        "日本",
        "😀",
    ),
    *("a", "b", "c", "back\\slash", "x;--", "tab\tline\n", "null", "7"),
)
PLACES = ("eu", "us east", "ap/south", "50%", "ü", "a+b&c=d?#", "7")
"""Text that stands in paths and queries."""

NUMBERS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.75, 3.0, 7.0, -1.0, -0.25, 1e6)
"""Numbers whose sums don't depend on the order in which they are added."""

BIG = (0, 5, 2**53, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), -1)
TIMES = (
    *("2026-01-01T00:00:00", "2026-02-01T08:30:00", "2026-03-01T00:00:00"),
    *("2026-03-15T12:00:00", "2026-06-14T00:00:00", "2026-06-15T12:00:00"),
    *("2026-06-15T12:00:01", "2026-07-01T12:00:00", "2027-01-01T00:00:00"),
)
FEW = 12
"""Whole numbers are below it, so that they meet."""


Named = Column | Parameter


class Serving(msgspec.Struct, kw_only=True):
    """How a server gives a list out.

    Attributes:
        style: `whole`, `pages`, or a cursor: `token` in the body, `header` with a token in it, `link`, `url`.
        size: rows a page.
        resized: whether a request may say how many, up to `size`.
        ours: whether the server is one of ours: it sends a list's version, and filters by more.
        drops: whether it leaves out what is NULL.
        restless: whether the list changes now and then while it is read.
    """

    style: str
    size: int
    resized: bool
    ours: bool
    drops: bool
    restless: bool


class Table(msgspec.Struct, kw_only=True):
    """A resource and its rows, which also have the values of the parameters that select them.

    Attributes:
        resource: its document.
        rows: in the order of the server.
        required: parameters without which there is no list.
        optional: a parameter that may be given, None where there is none.
        serving: how it is served.
    """

    resource: Resource
    rows: list[Row]
    required: tuple[Parameter, ...]
    optional: Parameter | None
    serving: Serving

    @property
    def name(self) -> str:
        """Its last name."""
        return self.resource.name

    @property
    def key(self) -> str | None:
        """The column that differs from row to row."""
        return self.resource.key

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a row."""
        return self.resource.columns


class World(msgspec.Struct):
    """A provider and all that it serves."""

    seed: int
    provider: Provider
    tables: tuple[Table, ...]


def kind(column: Named) -> str:
    """What values are, as far as queries go: int, big, num, text, bool, time, or nested: json, struct, list."""
    if isinstance(column, Column):
        if column.format == WIRE:
            return "time"
        if column.format == "int64":
            return "big"
        if column.shape is not None:
            return "list" if column.type == "array" else "struct"
    names = {"integer": "int", "number": "num", "string": "text", "boolean": "bool"}
    return names.get(column.type, "json")


def make_world(seed: int) -> World:
    """The world of a seed."""
    tables = _Maker(Random(f"world {seed}")).tables()
    resources = tuple(table.resource for table in tables)
    service = Service(
        f"{SERVICE}:v1", SERVICE, "Shop", "", "v1", True, ("/",), resources
    )
    provider = Provider(PROVIDER, PROVIDER, "v1", "Acme", "", (service,))
    return World(seed, provider, tables)


_COLUMNS = (
    Column("size", "integer"),
    Column("rank", "integer"),
    Column("thingId", "integer"),
    Column("total", "integer", format="int64"),
    Column("price", "number"),
    Column("label", "string"),
    Column("note", "string"),
    Column("zone", "string"),
    Column("active", "boolean"),
    Column("created", "string", format=WIRE),
    Column("expiry", "string", format=WIRE, never=True),
    Column("owner", "object"),
    Column("author", "object", shape='STRUCT("login" VARCHAR, "id" BIGINT)'),
    Column("tags", "array"),
    Column("marks", "array", shape="VARCHAR[]"),
)


_UNFILTERED = ("json", "struct", "list", "big")


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._restless = random.randrange(3) == 0
        self._ours = random.randrange(2) == 0

    def tables(self) -> tuple[Table, ...]:
        things = self._table("things", "/things", key="id")
        ids = [row["id"] for row in things.rows] + [98]
        thing = _path("thingId", "integer"), ids
        zone = _query("zone", "string"), list(PLACES)
        side = _path("side", "string"), list(PLACES[:4])
        level = _query("level", "integer"), [0, 1, 2, 3]
        return (
            things,
            self._table("users", "/users", key=self._one("id", "name", None)),
            self._table("events", "/a/events", key=self._one("id", "name")),
            self._single("me", "/me"),
            self._table("parts", "/things/{thingId}/parts", key="id", given=[thing]),
            self._table("logs", "/logs", key=self._one("id", None), given=[zone]),
            self._table(
                "cells", "/sides/{side}/cells", key="name", given=[side, level]
            ),
            self._table("notes", "/notes", key="id", optional=level),
            self._table("members", "/members", key="id", optional=thing),
        )

    def _one(self, *among: Any) -> Any:  # noqa: ANN401  (one of them)
        return self._random.choice(among)

    def _table(
        self,
        name: str,
        path: str,
        *,
        key: str | None,
        given: list[tuple[Parameter, list[Any]]] | None = None,
        optional: tuple[Parameter, list[Any]] | None = None,
    ) -> Table:
        given = given or []
        serving = self._serving(key)
        columns = self._columns(key, serving)
        every = [*given, *([optional] if optional else [])]
        count = self._one(0, 1, 3, 8, 8, 20, 45) + 5 * len(every)
        rows = [self._row(columns, count) for _ in range(count)]
        for row in rows:
            row |= {p.name: self._one(*values) for p, values in every}
        rows = _keyed(rows, key, [p.name for p, _ in given])
        required = tuple(parameter for parameter, _ in given)
        resource = Resource(
            f"{PROVIDER}.{SERVICE}.{name}",
            name,
            name.title(),
            "",
            tuple(self._methods(name, path, key, required, optional, columns, serving)),
        )
        return Table(
            resource=resource,
            rows=rows,
            required=required,
            optional=optional[0] if optional else None,
            serving=serving,
        )

    def _single(self, name: str, path: str) -> Table:
        serving = msgspec.structs.replace(self._serving(None), style="whole")
        columns = self._columns(None, serving)
        method = Method("get", Access.SELECT, "get", "GET", path, "", columns=columns)
        resource = Resource(
            f"{PROVIDER}.{SERVICE}.{name}", name, name.title(), "", (method,)
        )
        return Table(
            resource=resource,
            rows=[self._row(columns, 1)],
            required=(),
            optional=None,
            serving=serving,
        )

    def _serving(self, key: str | None) -> Serving:
        style = self._one(
            "whole", "pages", "pages", "pages", "token", "header", "link", "url"
        )
        restless = self._restless and style == "pages" and key is not None
        self._restless = self._restless and not restless
        return Serving(
            style=style,
            size=self._one(2, 3, 5, 10, 25),
            resized=self._one(True, True, False),
            ours=self._ours,
            drops=self._one(True, False),
            restless=restless,
        )

    def _columns(self, key: str | None, serving: Serving) -> tuple[Column, ...]:
        found = self._random.sample(_COLUMNS, self._random.randint(2, 7))
        columns = [self._described(column, serving) for column in found]
        if key is not None:
            described = Column(key, "integer" if key == "id" else "string")
            described = msgspec.structs.replace(
                self._described(described, serving), nullable=False
            )
            columns.insert(self._one(0, 0, len(columns)), described)
        return tuple(columns)

    def _described(self, column: Column, serving: Serving) -> Column:
        filters = serving.style == "pages" and kind(column) not in _UNFILTERED
        way = self._one("no", "filterable", "filterable", "filterable_extension")
        return msgspec.structs.replace(
            column,
            nullable=self._one(True, False) or column.never,
            filterable=filters and way == "filterable",
            filterable_extension=filters and way == "filterable_extension",
        )

    def _row(self, columns: tuple[Column, ...], count: int) -> Row:
        return {column.name: self._value(column, count) for column in columns}

    def _value(self, column: Column, count: int) -> Any:  # noqa: ANN401  (JSON)
        random = self._random
        if column.nullable and random.randrange(4) == 0:
            return None
        match kind(column):
            case "int":
                return random.randrange(FEW)
            case "big":
                return random.choice(BIG)
            case "num":
                return random.choice(NUMBERS)
            case "bool":
                return random.random() < 0.5
            case "time":
                return random.choice(TIMES)
            case "text":
                texts = PLACES if column.name == "zone" else TEXTS
                return random.choice(texts)
            case _:
                pass
        if column.type == "array":
            return [random.choice(TEXTS) for _ in range(random.randrange(3))]
        return {"login": random.choice(TEXTS), "id": random.randrange(count + 1)}

    def _methods(
        self,
        name: str,
        path: str,
        key: str | None,
        required: tuple[Parameter, ...],
        optional: tuple[Parameter, list[Any]] | None,
        columns: tuple[Column, ...],
        serving: Serving,
    ) -> list[Method]:
        described = self._list(path, columns, serving)
        if optional is None:
            lists = [_with(described, *required)]
        elif optional[0].location == "path":  # there are two lists
            parent = f"/{name}/of/{{{optional[0].name}}}/{name}"
            other = msgspec.structs.replace(described, name="listOf", path=parent)
            lists = [described, _with(other, optional[0])]
        else:
            lists = [
                _with(described, msgspec.structs.replace(optional[0], required=False))
            ]
        if key is not None:
            item = Parameter(
                f"{name[:-1]}Key",
                "path",
                "integer" if key == "id" else "string",
                required=True,
                key_column=key,
            )
            get = Method(
                "get",
                Access.SELECT,
                "get",
                "GET",
                f"{path}/{{{item.name}}}",
                "",
                parameters=(*required, item),
                columns=columns,
            )
            lists.insert(self._one(0, len(lists)), get)
        return lists

    def _list(self, path: str, columns: tuple[Column, ...], serving: Serving) -> Method:
        size = Parameter("page_size", "query", "integer") if serving.resized else None
        bounds = ("page_size", serving.size) if size else (None, None)
        page = Parameter("page", "query", "integer")
        paged = serving.style == "pages"
        filtered = Parameter("X-Filter", "header", "string")
        extra: list[Parameter | None] = [page, size, filtered] if paged else [size]
        token = self._one("query", "header")
        paging = Paging(
            page="page",
            pages_key="pages",
            size=bounds[0],
            size_maximum=bounds[1],
            results_key=self._one("results", "results", None),
            version_header=VERSION,
        )
        cursors = {
            "token": ("token", "body", self._one("next", "meta.next"), "cursor", token),
            "header": ("token", "header", "x-next", "cursor", token),
            "link": ("link", "header", "link", "", "query"),
            "url": ("url", "body", self._one("next", "links.next"), "", "query"),
        }
        cursor = cursors.get(serving.style)
        return Method(
            "list",
            Access.SELECT,
            "list",
            "GET",
            path,
            "",
            parameters=tuple(p for p in extra if p),
            columns=columns,
            object_key=self._object_key(serving.style),
            paging=paging if paged else None,
            cursor=Cursor(*cursor, *bounds) if cursor else None,
        )

    def _object_key(self, style: str) -> str | None:
        bare = style in ("whole", "header", "link")
        key: str | None = self._one("data", None if bare else "items")
        return key


def _path(name: str, type_: str) -> Parameter:
    return Parameter(name, "path", type_, required=True)


def _query(name: str, type_: str) -> Parameter:
    return Parameter(name, "query", type_, required=True)


def _with(method: Method, *parameters: Parameter) -> Method:
    return msgspec.structs.replace(method, parameters=(*method.parameters, *parameters))


def _keyed(rows: list[Row], key: str | None, given: list[str]) -> list[Row]:
    """The rows in the order of their keys, which count anew for each value of the parameters."""
    if key is None:
        return rows
    counts: dict[tuple[Any, ...], int] = {}
    for row in rows:
        group = tuple(row[name] for name in given)
        number = counts[group] = counts.get(group, 0) + 1
        text = f"{PLACES[number % len(PLACES)]}{number:02}"
        row[key] = number if key == "id" else text
    rows.sort(key=lambda row: row[key])
    return rows
