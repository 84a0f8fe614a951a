"""The ASGI application by itself: what it does when something fails, and what it writes down."""

import asyncio
import os
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from patql.api.api import Api, Verify
from patql.api.authorize import credential
from patql.authority.authority import Authority
from patql.catalog.load import builtin
from patql.config import Settings
from patql.faces.http.access_log import FULL, MANY, AccessLog, shown
from patql.faces.http.app import App, to_stderr
from patql.kernel.clock import ManualClock, SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers, Request, Response
from patql.store.sqlite import SqliteStore

SECRET = "pql_" + "a1B2" * 15
Message = MutableMapping[str, Any]
Making = Callable[[Exception], tuple[App, list[bytes]]]


class Failing(Api):
    """An API that meets an error in every request."""

    def __init__(self, folder: Path, error: Exception) -> None:
        authority = Authority(SqliteStore(folder / "tokens.db"), SystemClock())
        super().__init__(authority, builtin("linode"), b"{}")
        self.error = error
        self.closed = False

    def _answer(self, request: Request, verify: Verify) -> Response:
        raise self.error

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Making]:
    """Makes an application whose API meets an error, and says what it writes."""
    made: list[App] = []

    def make(error: Exception) -> tuple[App, list[bytes]]:
        written: list[bytes] = []
        settings = Settings(data_dir=tmp_path)
        made.append(App(Failing(tmp_path, error), settings, write=written.append))
        return made[0], written

    yield make
    made[0].close()


def scope(method: str = "GET") -> Message:
    """A request as a server gives it to the application."""
    return {
        "type": "http",
        "method": method,
        "path": "/v4/profile",
        "raw_path": b"/v4/profile",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "client": None,
    }


def run(app: App, scope: Message, *received: Message) -> list[Message]:
    """What the application sends for a request."""
    waiting = list(received)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unexpected_error(failing: Making, method: str) -> None:
    """An unexpected error is written down with where it happened, without the secrets in it."""
    app, written = failing(ValueError(f"bad {SECRET}"))
    sent = run(app, scope(method), {"type": "http.request"})
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert sent[0]["status"] == 500
    text = b"".join(written).decode()
    assert text.startswith("Traceback")
    assert "ValueError: bad pql_a1B2a1B2a1B2…" in text
    assert SECRET not in text


def test_known_error(failing: Making) -> None:
    """An error that has a name is one line."""
    app, written = failing(PatqlError(Code.UNAVAILABLE, "disk full"))
    run(app, scope())
    assert written == [b"unavailable: disk full\n"]


def test_client_gone(failing: Making) -> None:
    """Nothing is done, nor said, where the client went before its body had come."""
    app, _ = failing(ValueError())
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert run(app, scope("POST"), part, {"type": "http.disconnect"}) == []


def test_life(tmp_path: Path) -> None:
    """The application starts and stops with the server; at the end its log is written and its API closed."""
    written: list[bytes] = []
    api = Failing(tmp_path, PatqlError(Code.UNAVAILABLE, "disk full"))
    app = App(api, Settings(data_dir=tmp_path), write=written.append)
    run(app, scope())
    sent = run(
        app,
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert api.closed
    assert b" - - GET /v4/profile 503 " in written[-1]


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {SECRET}", SECRET[:16]),
        (f"bearer  {SECRET} ", SECRET[:16]),
        (f"Bearer {'0f' * 32}", "0f" * 8),
        ("Bearer hunter2", "-"),
        (f"Bearer {'x' * 47}", "-"),
        (f"Bearer {'x' * 30} {'x' * 30}", "-"),
        (f"Basic {SECRET}", "-"),
        (SECRET, "-"),
        ("", "-"),
    ],
)
def test_shown_of_a_token(authorization: str, expected: str) -> None:
    """Of what has a token's shape 16 characters are shown, of anything else nothing."""
    headers: Headers = [(b"host", b"x"), (b"authorization", authorization.encode())]
    assert shown(credential(headers)) == expected


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a b", "/a\\x20b"),
        ("/a\r\n1970 forged", "/a\\r\\n1970\\x20forged"),
        ("/\u202e\x1b[31m", "/\\u202e\\x1b[31m"),
        ("/\udcff", "/\\udcff"),
        (f"/{SECRET}/x", f"/{SECRET[:16]}…/x"),
        ("/" + "-x" * 1000, ("/" + "-x" * 1000)[:500]),
    ],
)
def test_path_on_one_line(path: str, shown: str) -> None:
    """Whatever a path holds, its line is one line with six spaces in it."""
    written: list[bytes] = []
    log = AccessLog(written.append, ManualClock(0))
    log.add(0, "::1", "-", "GET", path, 404, 0)
    log.flush()
    (line,) = b"".join(written).decode().splitlines()
    assert line.split(" ") == [
        "1970-01-01T00:00:00",
        "::1",
        "-",
        "GET",
        shown,
        "404",
        "0",
    ]


def test_log_that_nobody_reads() -> None:
    """Where nobody reads standard error any more, log lines are lost and nothing else."""
    reader, writer = os.pipe()
    kept = os.dup(2)
    os.dup2(writer, 2)
    try:
        to_stderr(b"one\n" * 1000)
        assert os.read(reader, 8) == b"one\none\n"
        os.close(reader)
        to_stderr(b"two\n")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writer)


def test_lines_are_gathered() -> None:
    """Lines are written many at once: when told to, and when there are many."""
    written: list[bytes] = []
    log = AccessLog(written.append, ManualClock(0))
    firsts = [log.add(0, "::1", "-", "GET", "/", 200, 0) for _ in range(3)]
    assert firsts == [True, False, False]
    assert not written
    log.flush()
    assert len(written) == 1
    log.flush()
    assert len(written) == 1
    path = "/" + "-a" * 200
    firsts = [log.add(0, "::1", "-", "GET", path, 200, 0) for _ in range(MANY)]
    assert firsts == [True] + [False] * (MANY - 1)
    assert len(written) > 2
    assert all(len(piece) < 4096 for piece in written)
    assert all(len(piece) > FULL for piece in written[1:-1])
    assert b"".join(written[1:]).count(b"\n") == MANY
