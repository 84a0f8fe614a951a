"""A running server, and requests to it as raw as a test needs them."""

import json
import socket
import time
from collections.abc import Generator
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest
from tests.conftest import Served, Serving

TOKENS = "/v4/profile/tokens"


class Answer(NamedTuple):
    """What came back: status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, read as JSON."""
        return json.loads(self.body)


@pytest.fixture(scope="module")
def server(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Served]:
    """One server for the tests that only send requests."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


def send(
    served: Served,
    method: str,
    path: str,
    body: object = None,
    secret: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    sent = {"Authorization": f"Bearer {secret or served.secret}", **(headers or {})}
    raw = None
    if body is not None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, raw, sent)
    response = connection.getresponse()
    answer = Answer(
        response.status,
        {name.lower(): value for name, value in response.getheaders()},
        response.read(),
    )
    connection.close()
    return answer


def raw(served: Served, *parts: bytes, pause: float = 0.0) -> bytes:
    """What a server sends back for some bytes, until it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        connection.settimeout(0.2)
        try:
            while more := connection.recv(65536):
                received += more
        except TimeoutError:
            pass
        return received


def logged(served: Served, wanted: str) -> str:
    """What a server has written, once that is in it."""
    deadline = time.monotonic() + 5
    while wanted not in (text := served.written()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert wanted in text
    return text
