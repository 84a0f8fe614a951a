"""The API as an ASGI application.

Reads run on the loop, since they wait for nothing. Writes wait for the disk, so they run in threads: those that are
under way together share one commit.
"""

import asyncio
import os
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from patql.api.api import WRITES, Api
from patql.api.bodies import LIMIT
from patql.faces.http.access_log import AccessLog
from patql.kernel.clock import SystemClock
from patql.kernel.errors import PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import redact

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WRITERS = 32
"""How many writes may be under way at once."""
LOG_DELAY = 0.2
"""How long a line of the access log may wait to be written, in seconds."""

_BODIED = frozenset({"POST", "PUT"})
# Only over TLS: it means nothing elsewhere, and must not be sent there (RFC 6797, section 7.2).
_HSTS = (b"strict-transport-security", b"max-age=31536000")


def application() -> "App":
    """The application that the environment's settings describe; uvicorn's workers call this."""
    from patql.compose import api_from_environment

    return App(api_from_environment())


def to_stderr(text: bytes) -> None:
    """Write all of it; a log that can't be written doesn't stop the service."""
    with suppress(OSError):
        while text:
            text = text[os.write(2, text) :]


class App:
    """An ASGI 3 application.

    Args:
        api: what answers; it is closed with the application.
        write: takes log lines.
    """

    def __init__(
        self,
        api: Api,
        write: Callable[[bytes], object] = to_stderr,
    ) -> None:
        self._api = api
        self._write = write
        self._log = AccessLog(write, SystemClock())
        self._writers = ThreadPoolExecutor(WRITERS, "patql-write")

    def close(self) -> None:
        """Finish what is being written, and let go of everything; the application can't be used afterwards."""
        self._writers.shutdown()
        self._log.flush()
        self._api.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        body = await _body(receive) if method in _BODIED else b""
        if body is None:
            return
        query = scope["query_string"].decode("latin-1")
        request = Request(method, scope["path"], query, scope["headers"], body)
        if method in WRITES:
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(
                self._writers, self._api.handle, request, self._report
            )
        else:
            response = self._api.handle(request, self._report)
        headers = response.headers
        if response.status != 204 and method != "HEAD":
            headers = [*headers, (b"content-length", b"%d" % len(response.body))]
        if scope["scheme"] == "https":
            headers = [*headers, _HSTS]
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": headers,
            }
        )
        await send({"type": "http.response.body", "body": response.body})
        self._note(scope, response)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _note(self, scope: Message, response: Response) -> None:
        client = scope["client"]
        first = self._log.add(
            client[0] if client else "-",
            scope["headers"],
            scope["method"],
            scope["path"],
            response.status,
            len(response.body),
        )
        if first:
            asyncio.get_running_loop().call_later(LOG_DELAY, self._log.flush)

    def _report(self, error: Exception) -> None:
        """Tell what a client isn't told; of a failure that has a name, its name is enough."""
        if isinstance(error, PatqlError):
            told = f"{error.code}: {error}\n"
        else:
            told = "".join(traceback.format_exception(error))
        self._write(redact(told).encode(errors="backslashreplace"))


async def _body(receive: Receive) -> bytes | None:
    """A request's body, or as much of one that is too long as shows that it is; None where the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LIMIT or not message.get("more_body", False):
            return bytes(body)
