"""An authority, and a client that calls an ASGI application as a server would."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from patql import Authority
from patql.kernel.asgi import Application, Message
from patql.kernel.clock import ManualClock
from patql.kernel.http import Headers

START = 1_798_761_600
"""2027-01-01T00:00:00 UTC."""
JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    """What came back: status, headers by name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Why it is a refusal."""
        (error,) = self.json["errors"]
        reason: str = error["reason"]
        return reason


class Client:
    """Sends requests to an application; headers are sent with each of them."""

    def __init__(self, app: Application, **headers: str) -> None:
        self.app = app
        self.headers = headers

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        root_path: str = "",
    ) -> Answer:
        """The answer to a request; a body is sent as JSON."""
        path, _, query = path.partition("?")
        scope = {
            **connection("http", path, {**self.headers, **(headers or {})}),
            "method": method,
            "query_string": query.encode(),
            "root_path": root_path,
        }
        raw = b"" if body is None else json.dumps(body).encode()
        start, *rest = talk(self.app, scope, {"type": "http.request", "body": raw})
        assert start["type"] == "http.response.start"
        sent = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], sent, b"".join(m["body"] for m in rest))

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to a GET."""
        return self.send("GET", path, headers=headers)


def connection(kind: str, path: str, headers: dict[str, str]) -> Message:
    """A connection's scope, as a server gives it to an application."""
    sent: Headers = [(b"host", b"acme.example")]
    sent += [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in headers.items()
    ]
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": sent,
        "client": ("192.0.2.7", 1234),
        "server": ("acme.example", 80),
    }


def talk(app: Application, scope: Message, *received: Message) -> list[Message]:
    """What an application sends on a connection on which it receives those messages."""
    waiting = list(received)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    return sent


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at START."""
    return ManualClock(START)


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Iterator[Authority]:
    """An authority with one user, an admin."""
    with Authority(tmp_path / "tokens.db", clock=clock) as opened:
        opened.found("root")
        yield opened


@pytest.fixture
def token(authority: Authority) -> Callable[..., str]:
    """Makes a token of ada's with the given scopes."""

    def make(scopes: str = "*") -> str:
        return authority.issue("ada", scopes=scopes).secret.reveal()

    return make
