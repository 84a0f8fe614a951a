"""A server on loopback that misbehaves as it is asked to, and remembers what came.

By the last part of a request's path: what `plans` has next for it, a status with headers or a misbehaviour; else the
misbehaviour of that name, such as `hang`; else a 200 with the query.
"""

import asyncio
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

T = TypeVar("T")
Start = Callable[..., "Server"]


class Server:
    """Answers each request by its path, from a thread of its own, until it is stopped."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.plans: dict[str, list[tuple[int, str] | str]] = {}
        self.closed = threading.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._call(
            asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        )
        port = self._server.sockets[0].getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.base = f"{self.origin}/v4"

    def stop(self) -> None:
        """Stop it, and drop its connections; a second time it does nothing."""
        if self._loop.is_closed():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        # A connection that has just been accepted has no task yet: it takes the loop a few rounds to begin one.
        for _ in range(10):
            await asyncio.sleep(0)
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append((method, target, headers, body))
        url = urlsplit(target)
        name = url.path.rpartition("/")[2]
        if self.plans.get(name):
            planned = self.plans[name].pop(0)
            if isinstance(planned, str):
                name = planned
            else:
                status, sent = planned
                writer.write(_head(status, sent, b"{}") + b"{}")
                return True
        if name == "hang":
            try:
                await reader.read()
            finally:  # a reset closes a connection too
                self.closed.release()
            return False
        if name == "close":
            return False
        if name == "half":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            await writer.drain()
            return False
        status, sent, answer = self._answer(name, parse_qs(url.query))
        await asyncio.sleep(float(parse_qs(url.query).get("after", ["0"])[0]))
        writer.write(_head(status, sent, answer) + answer)
        await writer.drain()
        return True

    def _answer(self, name: str, query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        match name:
            case "redirect":
                return 302, f"location: {query['to'][0]}\r\n", b""
            case "gzip":
                return 200, "content-encoding: gzip\r\n", gzip.compress(b'{"a": 1}')
            case "broken-gzip":
                return 200, "content-encoding: gzip\r\n", b"not gzip at all"
            case "latin":
                return 200, "x-name: caf\xe9\r\nx-plain: yes\r\n", b"{}"
            case "not-json":
                return 200, "content-type: text/html\r\n", b"<h1>hello</h1>"
            case "failing":
                return 500, "", b'{"errors": [{"reason": "no"}]}'
            case _:
                return (
                    200,
                    "content-type: application/json\r\n",
                    json.dumps(
                        {key: value[0] for key, value in query.items()}
                    ).encode(),
                )


def _head(status: int, headers: str, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(body)}\r\n\r\n".encode(
            "latin-1"
        )
    )


class Skipping:
    """Time that passes when it is waited for, and takes none.

    Attributes:
        waited: the pauses, in seconds.
        odds: what chance gives.
    """

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.odds = 0.5
        self._passed = 0.0

    def passed(self) -> float:
        """The sum of the pauses."""
        return self._passed

    def now(self) -> float:
        """2023-11-14T22:13:20 UTC, and the pauses since then."""
        return 1_700_000_000 + self._passed

    def timeout(self, seconds: float) -> float:
        """No time at all."""
        self.waited.append(round(seconds, 6))
        self._passed += seconds
        return 0

    def chance(self) -> float:
        """The same each time."""
        return self.odds


class Told:
    """A watch that remembers.

    Attributes:
        retries: how often a request was sent again.
        seconds: that nothing was sent.
    """

    def __init__(self) -> None:
        self.retries = 0
        self.seconds = 0.0

    def retried(self) -> None:
        """Count."""
        self.retries += 1

    def waiting(self, seconds: float) -> None:
        """Add up."""
        self.seconds += seconds


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, each on a port of its own, which are stopped at the end."""
    servers = list[Server]()

    def begin(tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(tls))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def server(start: Start) -> Server:
    """One of them."""
    return start()
