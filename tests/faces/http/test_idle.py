"""A connection on which nobody asks any more, and one on which somebody still does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.catalog.load import builtin
from patql.config import Settings
from patql.faces.http.app import App
from patql.faces.http.protocol import Protocol
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

IDLE = 1
"""How long a connection may be idle in these tests, in seconds."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An application whose log nobody reads."""
    authority = Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock())
    api = Api(authority, builtin("linode"), b"{}")
    made = App(api, Settings(data_dir=tmp_path), write=lambda _: None)
    yield made
    made.close()


async def lives(app: App, *requests: bytes) -> list[float]:
    """When each answer came, and the end of the connection, in seconds; half of what one may be idle lies between."""
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(
        app, http=Protocol, ws="none", log_config=None, proxy_headers=False,
        timeout_keep_alive=IDLE,
    )  # fmt: skip
    config.load()
    server = await loop.create_server(
        lambda: Protocol(config, ServerState(), {}, loop), "127.0.0.1", 0
    )
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    begun = loop.time()
    times: list[float] = []
    for request in requests:
        writer.write(request + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(loop.time() - begun)
        await asyncio.sleep(IDLE / 2)
    assert await reader.read() == b""
    times.append(loop.time() - begun)
    writer.close()
    server.close()
    return times


@pytest.mark.slow
@pytest.mark.parametrize(
    "requests",
    [
        (b"GET /authorize",) * 4,
        (b"GET /authorize", b"GET /healthz") * 2,
        (b"GET /healthz", b"GET /authorize") * 2,
    ],
)
def test_idle(app: App, requests: tuple[bytes, ...]) -> None:
    """A connection stays while there are requests, and is closed once there were none for a while."""
    *answers, end = asyncio.run(lives(app, *requests))
    assert len(answers) == len(requests)
    assert end - answers[-1] >= IDLE * 0.9
