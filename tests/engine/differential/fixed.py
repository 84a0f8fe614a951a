"""A world that is always the same, for statements that were once answered wrongly: pitfalls.yaml."""

from pathlib import Path
from random import Random
from typing import Any

import yaml
from tests.engine.differential.filters import Row
from tests.engine.differential.world import (
    PROVIDER,
    SERVICE,
    TIMES,
    VERSION,
    WIRE,
    Serving,
    Table,
    World,
)

from patql.catalog.document import (
    Access,
    Column,
    Method,
    Paging,
    Parameter,
    Provider,
    Resource,
    Service,
)

PITFALLS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parent / "pitfalls.yaml").read_text()
)
"""Statements: those that are `answered` as by DuckDB, those that are `refused`, and those that have `failed` with both."""

_COLUMNS = (
    Column("id", "integer", filterable_extension=True),
    Column("rank", "integer", nullable=True, filterable=True),
    Column("label", "string", nullable=True, filterable=True),
    Column("zone", "string", nullable=True),
    Column("price", "number", nullable=True, filterable=True),
    Column("created", "string", format=WIRE, filterable=True),
    Column(
        *("expiry", "string"),
        format=WIRE,
        never=True,
        nullable=True,
        filterable_extension=True,
    ),
    Column("author", "object", shape='STRUCT("login" VARCHAR, "id" BIGINT)'),
)
_LABELS = ("ci", "CI", "deploy", "2026-03-01", "7", None)
_ZONES = ("eu", "7", "us east")

_THING = Parameter("thingId", "path", "integer", required=True)
_ZONE = Parameter("zone", "query", "string", required=True)
_SIDE = Parameter("side", "path", "string", required=True)


def fixed_world() -> World:
    """Lists that overlap in their keys, and some that need a parameter; their server is one of ours."""
    tables = (
        _table("things", "/things", _rows(8, 1)),
        _table("users", "/users", _rows(7, 2, first=5)),
        _table("events", "/events", _rows(9, 3, first=2)),
        _table(
            *("parts", "/things/{thingId}/parts"),
            [r | {"thingId": n} for n in range(14) for r in _rows(2, 10 + n)],
            _THING,
        ),
        _table(
            *("logs", "/logs"),
            [r | {"zone": z} for z in _ZONES for r in _rows(3, len(z))],
            _ZONE,
        ),
        _table(
            *("cells", "/sides/{side}/cells"),
            [r | {"side": z} for z in _ZONES for r in _rows(3, len(z))],
            _SIDE,
        ),
    )
    resources = tuple(table.resource for table in tables)
    service = Service(SERVICE, SERVICE, "", "", "v1", True, (), resources)
    provider = Provider(PROVIDER, PROVIDER, "v1", "", "", (service,))
    return World(seed=-1, provider=provider, tables=tables)


def _table(name: str, path: str, rows: list[Row], *required: Parameter) -> Table:
    extra = ("page", "query", "integer"), ("page_size", "query", "integer")
    given = [Parameter(*each) for each in (*extra, ("X-Filter", "header", "string"))]
    listed = Method(
        *("list", Access.SELECT, "list", "GET", path, ""),
        parameters=(*required, *given),
        columns=_COLUMNS,
        object_key="data",
        paging=Paging("page", "pages", "page_size", 3, "results", VERSION),
    )
    key = Parameter("key", "path", "integer", required=True, key_column="id")
    item = Method(
        *("get", Access.SELECT, "get", "GET", f"{path}/{{key}}", ""),
        parameters=(*required, key),
        columns=_COLUMNS,
    )
    serving = Serving(
        style="pages", size=3, resized=True, ours=True, drops=False, restless=False
    )
    methods = (listed,) if required else (item, listed)
    resource = Resource(f"{PROVIDER}.{SERVICE}.{name}", name, name, "", methods)
    return Table(
        resource=resource, rows=rows, required=required, optional=None, serving=serving
    )


def _rows(count: int, seed: int, first: int = 1) -> list[Row]:
    random = Random(seed)

    def row(number: int) -> dict[str, Any]:
        return {
            "id": number,
            "rank": random.choice([None, 0, 1, 2, 3, 4]),
            "label": random.choice(_LABELS),
            "zone": random.choice([*_ZONES, None]),
            "price": random.choice([None, 1.0, 2.0, 2.5]),
            "created": random.choice(TIMES),
            "expiry": random.choice([None, *TIMES]),
            "author": {"login": "ada", "id": random.randrange(6)},
        }

    return [row(number) for number in range(first, first + count)]
