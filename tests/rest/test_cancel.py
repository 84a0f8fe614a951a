"""Giving up: from any thread, at once, and so that the server sees it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.rest.conftest import Server

import patql
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.http import HttpTransport

TOKEN = Secret("pql_" + "x" * 66)
SOON = 10
"""Seconds after which something wasn't "at once", on a busy machine; what hangs does so for a minute."""


@pytest.fixture
def transport(server: Server) -> Iterator[HttpTransport]:
    """A transport to the server."""
    made = HttpTransport(server.base, TOKEN)
    yield made
    made.close()


def hang(count: int, method: str = "GET") -> list[Request]:
    """Requests that are never answered."""
    return [Request(method, "/hang")] * count


def wait_for(server: Server, count: int) -> None:
    """Until so many requests have come."""
    deadline = time.monotonic() + SOON
    while len(server.seen) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def in_thread(act: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start it in a thread, and keep what it gives or raises."""
    kept = list[object]()

    def run() -> None:
        try:
            kept.append(act())
        except BaseException as error:  # noqa: BLE001
            kept.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, kept


def bodies_of(answers: Iterator[Response]) -> list[bytes]:
    """Those of all answers."""
    return [answer.body for answer in answers]


def check_cancelled(kept: list[object]) -> None:
    """That was told, and nothing else."""
    (error,) = kept
    assert isinstance(error, PatqlError), error
    assert error.code is Code.CANCELLED


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("how", ["send", "attempt"])
def test_requests_under_way_are_given_up(
    transport: HttpTransport, server: Server, count: int, how: str
) -> None:
    """Whoever waits is told, the server sees its connections closed, and the next statement is answered."""
    took = list[Response | PatqlError]()

    def act() -> object:
        if how == "send":
            return list(transport.send(hang(count), 8))
        transport.attempt(hang(count), 8, lambda _, answer: took.append(answer))
        return took

    thread, kept = in_thread(act)
    wait_for(server, count)
    transport.cancel()
    thread.join(SOON)
    check_cancelled(kept)
    for _ in range(count):
        assert server.closed.acquire(timeout=SOON)
    assert took == []
    for again in (1, 3):
        answers = transport.send([Request("GET", "/n")] * again, 2)
        assert [a.status for a in answers] == [200] * again


@pytest.mark.parametrize("count", [1, 5])
def test_a_pause_is_given_up(
    transport: HttpTransport, server: Server, count: int
) -> None:
    """However long the server asked for."""
    server.plans["n"] = [(429, "retry-after: 50\r\n")] * count
    requests = [Request("GET", "/n")] * count
    thread, kept = in_thread(lambda: list(transport.send(requests, 8)))
    wait_for(server, 1)
    time.sleep(0.05)
    transport.cancel()
    thread.join(SOON)
    check_cancelled(kept)


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_was_begun_before_is_over(
    transport: HttpTransport, server: Server, count: int, concurrency: int
) -> None:
    """Also where nobody was waiting, and where nothing was asked for yet."""
    requests = [Request("GET", "/n")] * count
    begun = transport.send(requests, concurrency)
    next(begun)
    unused = transport.send(requests, concurrency)
    transport.cancel()
    for answers in (begun, unused):
        with pytest.raises(PatqlError) as caught:
            next(answers)
        assert caught.value.code is Code.CANCELLED


def test_closing_gives_up_too(server: Server) -> None:
    """Whoever waits is told."""
    for count in (1, 4):
        transport = HttpTransport(server.base, TOKEN)
        before = len(server.seen)
        thread, kept = in_thread(partial(bodies_of, transport.send(hang(count), 8)))
        wait_for(server, before + count)
        transport.close()
        thread.join(SOON)
        check_cancelled(kept)
        for _ in range(count):
            assert server.closed.acquire(timeout=SOON)


def test_connections_of_others_stay(server: Server) -> None:
    """Those of another transport in this process."""
    mine, other = (HttpTransport(server.base, TOKEN) for _ in range(2))
    thread, kept = in_thread(
        lambda: [a.status for a in other.send([Request("GET", "/n", "after=0.5")], 1)]
    )
    wait_for(server, 1)
    second, _ = in_thread(lambda: list(mine.send(hang(1), 1)))
    wait_for(server, 2)
    mine.cancel()
    second.join(SOON)
    thread.join(SOON)
    assert kept == [[200]]
    mine.close()
    other.close()


@pytest.mark.parametrize("count", [1, 4])
def test_ctrl_c_closes_connections(
    transport: HttpTransport, server: Server, count: int
) -> None:
    """At once; it is pressed when the server has every request, since before that it has nothing that could close."""

    def press() -> None:
        wait_for(server, count)
        os.kill(os.getpid(), signal.SIGINT)

    interruption, _ = in_thread(press)
    with pytest.raises(KeyboardInterrupt):
        transport.attempt(hang(count, "POST"), 4, lambda _position, _answer: None)
    interruption.join()
    for _ in range(count):
        assert server.closed.acquire(timeout=SOON)


def test_two_iterators_are_alive_at_once(transport: HttpTransport) -> None:
    """Taken in turns, in different ways and by different threads."""
    requests = [Request("GET", "/n", f"n={n}") for n in range(20)]
    many = transport.send(requests, 4)
    more = transport.send(requests, 4)
    single = transport.send(requests, 1)
    bodies = [b'{"n": "%d"}' % n for n in range(20)]
    halves = [[next(i).body for _ in range(10)] for i in (many, more, single)]
    assert halves == [bodies[:10]] * 3
    taken = [in_thread(partial(bodies_of, answers)) for answers in (many, more, single)]
    for thread, kept in taken:
        thread.join(SOON)
        assert kept == [bodies[10:]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT label FROM linode.profile.tokens",
        "SELECT count(DISTINCT label) FROM linode.profile.tokens",
        "DELETE FROM linode.profile.tokens WHERE id = 5",
    ],
)
@pytest.mark.parametrize("end", ["close", "cancel"])
def test_whoever_closes_a_session_ends_its_requests(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, end: str
) -> None:
    """From another thread: the statement says so, and the server sees the connection closed."""
    monkeypatch.setenv("PATQL_DATA_DIR", str(tmp_path))
    server.plans = {"tokens": ["hang"], "5": ["hang"]}
    with patql.connect(server.base, token=TOKEN.reveal()) as session:
        thread, kept = in_thread(lambda: list(session.run(sql)))
        wait_for(server, 1)
        getattr(session, end)()
        thread.join(SOON)
        check_cancelled(kept)
        assert server.closed.acquire(timeout=SOON)
