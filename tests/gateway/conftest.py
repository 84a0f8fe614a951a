"""A gateway, a product and an authority: all real, on one machine."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.gateway.gateways import GATEWAYS, Gateway, free_port, running
from tests.gateway.recorder import Recorder, recorder

from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

_START = 20  # seconds
_SILENCE = 0.5
"""How long nothing may come before an answer counts as complete, in seconds."""


class Answer(NamedTuple):
    """What came back: status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Front:
    """A gateway's address, and what is behind it."""

    gateway: str
    port: int
    product: Recorder
    authority: Authority = field(repr=False)
    log: Path

    def token(self, scopes: str = "linodes:read_write") -> str:
        """A new token of the user ada."""
        return self.authority.issue("ada", label="t", scopes=scopes).secret.reveal()

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        token: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        return ask(self.port, method, path, token, headers, body)

    def arrived(self) -> list[str]:
        """Method and target of all that has reached the product since this was last called."""
        taken = list(self.product.arrived)
        self.product.arrived.clear()
        return [f"{request.method} {request.target}" for request in taken]


def ask(
    port: int,
    method: str = "GET",
    path: str = "/",
    token: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """One request to a port on a connection of its own."""
    connection = HTTPConnection(
        "127.0.0.1", port, timeout=20, source_address=(source, 0)
    )
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if token is not None:
            connection.putheader("Authorization", f"Bearer {token}")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def raw(port: int, sent: bytes) -> bytes:
    """What comes back for some bytes, until the connection is closed or silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        connection.settimeout(_SILENCE)
        received = b""
        try:
            while more := connection.recv(65536):
                received += more
        except (TimeoutError, ConnectionResetError):
            pass
        return received


@contextmanager
def serving_authority(folder: Path, at: int | Path, **settings: str) -> Generator[Path]:
    """Run `patql serve` over the database in a folder, on a port or a Unix socket; gives its log.

    Args:
        folder: where the database is, as `tokens.db`.
        at: the port or the socket.
        settings: further variables of its environment.
    """
    where = ["--unix", str(at)] if isinstance(at, Path) else ["--port", str(at)]
    database = ["--db", f"sqlite:///{folder / 'tokens.db'}"]
    log = folder / "serve.log"
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-m", "patql", "serve", *database, *where],
            stderr=output,
            env={
                **os.environ,
                "PATQL_DATA_DIR": str(folder),
                "PATQL_PROXIES": "unix" if isinstance(at, Path) else "127.0.0.1",
                **settings,
            },
        ) as process,
    ):
        try:
            _wait(at, process, log)
            yield log
        finally:
            process.terminate()
            process.wait(20)


def _wait(at: int | Path, process: subprocess.Popen[bytes], log: Path) -> None:
    family = socket.AF_UNIX if isinstance(at, Path) else socket.AF_INET
    address = str(at) if isinstance(at, Path) else ("127.0.0.1", at)
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(family) as attempt:
            if not attempt.connect_ex(address):
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())


SETUPS = tuple(
    (name, unix)
    for name, gateway in GATEWAYS.items()
    for unix in ((False, True) if gateway.sockets else (False,))
)
"""Each gateway, with the authority on a port, and, where it can, on a Unix socket."""


@pytest.fixture(
    scope="module",
    params=SETUPS,
    ids=[f"{name}-{'unix' if unix else 'tcp'}" for name, unix in SETUPS],
)
def front(request: pytest.FixtureRequest, need: Callable[..., str]) -> Generator[Front]:
    """Each gateway before a product, with `patql serve` beside it."""
    name, unix = request.param
    gateway = GATEWAYS[name]
    program = need(*gateway.programs)
    # Not pytest's folder: a socket's path has at most 107 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="patql-authority-") as made,
        Authority(SqliteStore(Path(made, "tokens.db")), SystemClock()) as authority,
        recorder() as product,
    ):
        authority.issue("ada", label="root")  # a server starts with a user
        at = Path(made, "patql.sock") if unix else free_port()
        with (
            serving_authority(Path(made), at) as log,
            running(gateway, program, at, product.port) as port,
        ):
            yield Front(name, port, product, authority, log)


@pytest.fixture
def clean(front: Front) -> Front:
    """That, with nothing noted yet."""
    front.product.arrived.clear()
    front.product.status, front.product.headers, front.product.body = 200, {}, b"{}"
    return front


class Posed(NamedTuple):
    """A gateway between a product and a stand-in for the authority."""

    gateway: str
    port: int
    product: Recorder
    authority: Recorder


IDENTITY = {
    "X-Auth-User": "ada",
    "X-Auth-Token-Id": "7",
    "X-Auth-Handle": "pql_0123456789ab",
    "X-Auth-Scopes": "linodes:read_write",
}


@pytest.fixture(scope="module", params=GATEWAYS)
def _posed(
    request: pytest.FixtureRequest, need: Callable[..., str]
) -> Generator[Posed]:
    gateway: Gateway = GATEWAYS[request.param]
    program = need(*gateway.programs)
    with (
        recorder() as product,
        recorder() as authority,
        running(gateway, program, authority.port, product.port) as port,
    ):
        yield Posed(request.param, port, product, authority)


@pytest.fixture
def posed(_posed: Posed) -> Posed:
    """Each gateway with a stand-in for the authority, which lets everything pass until it is told otherwise."""
    for recorded in (_posed.product, _posed.authority):
        recorded.arrived.clear()
        recorded.status, recorded.headers, recorded.body = 200, {}, b""
    _posed.authority.headers = IDENTITY
    return _posed
