"""A server on loopback that misbehaves as it is asked to, and remembers what came."""

import asyncio
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

T = TypeVar("T")
Start = Callable[..., "Server"]


class Server:
    """Answers each request by its path, from a thread of its own, until it is stopped."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
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
        """Stop it, and drop its connections."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

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
            self._tasks.discard(task)
            writer.close()

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
        if name == "hang":
            await reader.read()
            return False
        if name == "close":
            return False
        if name == "half":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            await writer.drain()
            return False
        status, sent, answer = self._answer(name, parse_qs(url.query))
        await asyncio.sleep(float(parse_qs(url.query).get("after", ["0"])[0]))
        writer.write(
            f"HTTP/1.1 {status} X\r\n{sent}content-length: {len(answer)}\r\n\r\n".encode(
                "latin-1"
            )
            + answer
        )
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
