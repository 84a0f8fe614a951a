"""What those ask who watch over the service, on a port of its own: is it alive, is it ready, what has it done.

    GET /healthz     200 while the process answers
    GET /readyz      200 while it can do its work: the store can be read; else 503
    GET /metrics     of all workers of this host, in Prometheus' text format

Any worker answers for all. Nothing here tells of a token or a user, and nothing is changed; there is no TLS and no
password, so it listens on this machine alone unless one says otherwise.
"""

import asyncio
import socket
from typing import Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from patql.faces.http.metrics import Metrics
from patql.kernel import asgi
from patql.kernel.asgi import Message, Receive, Send
from patql.kernel.http import Headers, Request, Response

_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
_METRICS: Headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]


class Watched(Protocol):
    """What is asked after."""

    @property
    def metrics(self) -> Metrics:
        """What it has done."""
        ...

    async def is_ready(self) -> bool:
        """Whether it can do its work."""
        ...


async def listen(watched: Watched, listener: socket.socket) -> "Listener":
    """Answer on a socket until the listener is closed."""
    made = Listener(watched)
    await made.begin(listener)
    return made


class Listener:
    """A server beside the service's."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._state = ServerState()
        self._config = uvicorn.Config(
            self._answer,
            http=HttpToolsProtocol,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self._config.load()

    async def begin(self, listener: socket.socket) -> None:
        """Take requests from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener)

    def close(self) -> None:
        """Take none any more."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    def _connection(self) -> HttpToolsProtocol:
        return HttpToolsProtocol(self._config, self._state, {})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        request = await asgi.read(scope, receive, scope["path"], 0)
        if request is not None:
            response = await self._response(request)
            await asgi.respond(send, request.method, response)

    async def _response(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(405, [*_TEXT, (b"allow", b"GET, HEAD")], b"GET only\n")
        match request.path:
            case "/healthz":
                return Response(200, _TEXT, b"alive\n")
            case "/readyz":
                if await self._watched.is_ready():
                    return Response(200, _TEXT, b"ready\n")
                return Response(503, _TEXT, b"the store can't be read\n")
            case "/metrics":
                return Response(200, _METRICS, self._watched.metrics.text().encode())
            case _:
                return Response(404, _TEXT, b"/healthz, /readyz or /metrics\n")
