"""Verifications on an event loop: each reads what was there after it began, and those that wait share a query."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from tests.postgres import Cluster
from tests.prove.proxy import Fault
from tests.store.postgres.conftest import Wire

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Denied, Granted, Reason
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.store.postgres import PostgresStore, lane
from patql.store.postgres.lane import Lane

NOW = 1_800_000_000


class Counting(Lane):
    """A lane that tells how many tokens each of its queries asked for."""

    sizes: list[int]

    def _send(self, connection: psycopg.AsyncConnection) -> None:
        self.sizes.append(len(self._asked))
        super()._send(connection)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each query has asked for."""
    asked = list[int]()
    monkeypatch.setattr(Counting, "sizes", asked, raising=False)
    monkeypatch.setattr("patql.store.postgres.store.Lane", Counting)
    return asked


async def _until(so: Callable[[], bool]) -> None:
    while not so():  # noqa: ASYNC110  (a lane has no event for it)
        await asyncio.sleep(0)


def test_those_that_wait_share_a_query(authority: Authority, sizes: list[int]) -> None:
    """All that arrive before a query is sent are in it; all that arrive while it is under way are in the next."""
    issued = authority.issue_many("alice", [Wanted()] * 50)
    authority.revoke("alice", 7)

    async def ask() -> list[Granted | Denied]:
        await authority.verify_async(issued[0].secret)
        first = [
            asyncio.create_task(authority.verify_async(one.secret)) for one in issued
        ]
        await _until(lambda: len(sizes) == 2)
        second = [
            asyncio.create_task(authority.verify_async(one.secret)) for one in issued
        ]
        return await asyncio.gather(*first, *second)

    verdicts = asyncio.run(ask())
    assert sizes == [1, 50, 50]
    for number, verdict in enumerate(verdicts):
        refused = number % 50 == 6
        assert bool(verdict) is not refused
        assert verdict == authority.verify(issued[number % 50].secret)


def test_no_query_that_is_under_way_is_joined(
    authority: Authority, sizes: list[int]
) -> None:
    """A verification that begins after a revocation returned, while an older query waits for its answer, asks anew."""
    token = authority.issue("alice")

    async def ask() -> tuple[bool, bool]:
        await authority.verify_async(token.secret)
        older = asyncio.create_task(authority.verify_async(token.secret))
        await _until(lambda: len(sizes) == 2)
        authority.revoke("alice", 1)  # the older one's answer isn't read meanwhile
        newer = await authority.verify_async(token.secret)
        return bool(await older), bool(newer)

    assert asyncio.run(ask())[1] is False
    assert sizes == [1, 1, 1]


def test_a_query_has_a_largest_size(
    authority: Authority, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than that are asked for by several queries, one after the other."""
    monkeypatch.setattr(lane, "_LARGEST", 8)
    token = authority.issue("alice")

    async def ask() -> list[Granted | Denied]:
        return await asyncio.gather(
            *(authority.verify_async(token.secret) for _ in range(20))
        )

    assert all(asyncio.run(ask()))
    assert sizes == [8, 8, 4]


def test_what_is_no_token(store: PostgresStore) -> None:
    """Any text may be asked for."""

    async def ask() -> list[object]:
        texts = ("pql_unknown00000", "", "a,b", '"', "{}", "\0", "\ud800", "é")
        return await asyncio.gather(*map(store.find_async, texts))

    assert asyncio.run(ask()) == [None] * 8


def test_whoever_is_cancelled_harms_nobody(
    authority: Authority, sizes: list[int]
) -> None:
    """Others of the same query get their answers, whether it was sent or not."""
    token = authority.issue("alice")

    async def ask() -> list[Granted | Denied | BaseException]:
        tasks = [
            asyncio.create_task(authority.verify_async(token.secret)) for _ in range(6)
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await _until(lambda: bool(sizes))
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(ask())
    assert [type(one) for one in outcomes[:2]] == [asyncio.CancelledError] * 2
    assert all(isinstance(one, Granted) for one in outcomes[2:])
    assert sizes == [5]


def test_each_loop_has_its_own(authority: Authority) -> None:
    """Loops one after the other, and at the same time in other threads, don't share a connection."""
    token = authority.issue("alice")
    verdicts = list[Granted | Denied]()

    def work() -> None:
        for _ in range(3):
            verdicts.append(asyncio.run(authority.verify_async(token.secret)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(verdicts) == 12
    assert all(verdicts)


@pytest.mark.slow
def test_a_restart_goes_unnoticed(authority: Authority, cluster: Cluster) -> None:
    """After the server has come back, sync and async verifications and changes connect again by themselves."""
    token = authority.issue("alice")

    async def ask() -> None:
        assert await authority.verify_async(token.secret)
        cluster.restart()
        assert await authority.verify_async(token.secret)
        assert authority.verify(token.secret)
        authority.revoke("alice", 1)
        assert not await authority.verify_async(token.secret)

    asyncio.run(ask())


@pytest.mark.slow
def test_without_a_server(authority: Authority, cluster: Cluster) -> None:
    """All who wait are told, at once; when it is back, the next are answered."""
    token = authority.issue("alice")

    async def ask() -> None:
        assert await authority.verify_async(token.secret)
        cluster.stop()
        try:
            outcomes = await asyncio.gather(
                *(authority.verify_async(token.secret) for _ in range(9)),
                return_exceptions=True,
            )
        finally:
            cluster.start()
        for outcome in outcomes:
            assert isinstance(outcome, PatqlError)
            assert outcome.code is Code.UNAVAILABLE
            assert "Connection refused" in outcome.message
        assert await authority.verify_async(token.secret)

    asyncio.run(ask())


@pytest.mark.slow
def test_a_server_that_stalls(
    wire: Wire, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, sync or async, for an answer or for a connection; afterwards all is well."""
    for module in ("lane", "connection", "store"):
        monkeypatch.setattr(f"patql.store.postgres.{module}.PATIENCE", 1)
    monkeypatch.setattr("patql.store.postgres.session.PATIENCE", 1)
    store = PostgresStore(wire.url)
    authority = Authority(store, clock)
    token = authority.issue("alice")

    async def ask() -> None:
        assert await authority.verify_async(token.secret)
        begun = time.monotonic()
        with wire.broken(Fault.STALL):
            for _ in range(2):
                with pytest.raises(PatqlError) as stalled:
                    await authority.verify_async(token.secret)
                assert stalled.value.code is Code.UNAVAILABLE
                with pytest.raises(PatqlError, match=r"answer|timeout"):
                    await asyncio.to_thread(authority.verify, token.secret)
            with pytest.raises(PatqlError, match=r"answer|timeout"):
                await asyncio.to_thread(authority.issue, "alice")
        assert time.monotonic() - begun < 20
        assert await authority.verify_async(token.secret)
        assert authority.verify(token.secret)
        assert len(authority.list("alice")) in {1, 2}

    try:
        asyncio.run(ask())
    finally:
        store.close()


@pytest.mark.slow
def test_a_wire_that_is_cut(wire: Wire, clock: ManualClock) -> None:
    """What is under way over it is told so, or asked again over a new one."""
    store = PostgresStore(wire.url)
    authority = Authority(store, clock)
    token = authority.issue("alice")

    async def ask() -> None:
        assert await authority.verify_async(token.secret)
        with wire.broken(Fault.CUT):
            with pytest.raises(PatqlError) as cut:
                await authority.verify_async(token.secret)
            assert cut.value.code is Code.UNAVAILABLE
            with pytest.raises(PatqlError):
                authority.issue("alice")
        assert await authority.verify_async(token.secret)
        assert authority.issue("alice").token.label

    try:
        asyncio.run(ask())
    finally:
        store.close()


def test_only_the_primary_is_read(cluster: Cluster, tokens_url: str) -> None:
    """A server that takes no changes, as a standby, is no server for verifications either."""
    name = tokens_url.rpartition("/")[2]
    cluster.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        with pytest.raises(PatqlError, match="read-only") as refused:
            PostgresStore(tokens_url)
        assert refused.value.code is Code.UNAVAILABLE
    finally:
        cluster.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def test_closing_ends_whoever_waits(opened: Callable[[], PostgresStore]) -> None:
    """With a clean error."""
    store = opened()

    async def ask() -> list[object]:
        tasks = [
            asyncio.create_task(store.find_async("pql_unknown00000")) for _ in range(3)
        ]
        await asyncio.sleep(0)
        with contextlib.suppress(AttributeError):
            store.close()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(ask())
    assert all(isinstance(one, PatqlError) for one in outcomes)
    opened()


def test_unknown(authority: Authority) -> None:
    """What was never issued is unknown to async callers too."""
    issued = authority.issue("alice")
    other = issued.secret.reveal().replace("pql_", "xql_")
    assert asyncio.run(authority.verify_async(other)) == Denied(Reason.UNKNOWN)
