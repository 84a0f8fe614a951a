"""What `/authorize` costs over PostgreSQL, where verifications share round trips, against a round trip for each."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

from bench.authorize import PATH
from bench.serve import CONNECTIONS, cpu, serving, spent
from bench.serving import compared, cores, on_core
from psycopg_pool import AsyncConnectionPool
from tests.postgres import Cluster, program

from patql import Authority, config
from patql.authority.issue import Wanted
from patql.authority.ports import Record
from patql.compose import api_from_environment
from patql.faces.http.app import App
from patql.faces.http.host import Host
from patql.store.postgres import PostgresStore
from patql.store.postgres.queries import RECORD

TOKENS = 1_000
REQUESTS = 10_000
BAR = 1 / 2.5
FIND = f"SELECT {RECORD} FROM token WHERE handle = %s"


class Pooled(PostgresStore):
    """The same store without its way to ask for many tokens at once: each takes a connection, of as many as clients."""

    @cached_property
    def _connections(self) -> AsyncConnectionPool:
        return AsyncConnectionPool(
            os.environ["PATQL_DB"],
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            kwargs={"autocommit": True, "prepare_threshold": 0},
            open=False,
        )

    async def find_async(self, handle: str) -> Record | None:
        """The token with that handle."""
        if self._connections.closed:
            await self._connections.open()
        async with self._connections.connection() as connection:
            cursor = await connection.execute(FIND.encode(), (handle,), binary=True)
            row = await cursor.fetchone()
        return None if row is None else Record(*row)


def pooled(host: Host) -> App:
    """The application over such a store; all else is the same."""
    api = api_from_environment()
    store = api.authority._store  # pyright: ignore[reportPrivateUsage]
    assert isinstance(store, PostgresStore)
    store.__class__ = Pooled
    return App(api, config.read(os.environ), host)


def run(rounds: int) -> list[dict[str, Any]]:
    """CPU of both servers, in turns, on one core; the database is on the other, where the load comes from."""
    client, server = cores()
    with ExitStack() as stack:
        with on_core(client):
            cluster = stack.enter_context(_postgres())
        environment = {**os.environ, "PATQL_DB": cluster.database()}
        secrets = _fill(environment["PATQL_DB"])
        with on_core(server):
            application = "patql.faces.http.app:application"
            ours = stack.enter_context(serving(application, environment))
            pool = "bench.coalescing:pooled"
            each = stack.enter_context(serving(pool, environment))
        requests = [f"{PATH} {secrets[n % TOKENS]}" for n in range(REQUESTS)]
        with on_core(client):
            turns = [
                (*_spent(ours, cluster, requests), *_spent(each, cluster, requests))
                for _ in range(rounds + 1)  # the first one fills caches
            ][1:]
    own, all_of_own, theirs, all_of_theirs = map(list, zip(*turns, strict=True))
    what = f"/authorize over PostgreSQL, {CONNECTIONS} connections, server process tree"
    against = f"a query for each verification, pool of {CONNECTIONS}"
    unit = "CPU µs a request"
    return [
        compared(what, against, BAR, own, theirs, unit),
        compared(
            f"{what}, and PostgreSQL's", against, None, all_of_own, all_of_theirs, unit
        ),
    ]


@contextmanager
def _postgres() -> Generator[Cluster]:
    cluster = Cluster(program())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _fill(url: str) -> list[str]:
    wanted = [Wanted(None, "linodes:read_only")] * TOKENS
    with Authority(url) as authority:
        return [one.secret.reveal() for one in authority.issue_many("bench", wanted)]


def _spent(
    server: tuple[int, int], cluster: Cluster, requests: list[str]
) -> tuple[float, float]:
    """CPU that a server spends on a request, without and with PostgreSQL, in microseconds."""
    postmaster = int(
        (cluster.folder / "data" / "postmaster.pid").read_text().split()[0]
    )
    before = cpu(postmaster)
    alone = spent(*server, requests, CONNECTIONS)
    return alone, alone + (cpu(postmaster) - before) / 1000 / len(requests)
