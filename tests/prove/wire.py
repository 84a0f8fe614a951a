"""Connections to a door: one request under way on each, kept open, and given up when no answer comes."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

PATIENCE = 3.0
"""How long an answer is waited for, in seconds."""


class Answer(NamedTuple):
    """A status, as HTTP has them, and a body."""

    status: int
    body: bytes


Parse = Callable[[bytes], Answer | None]
"""Reads an answer from all that was received since the request; None where it isn't complete."""


class NotSentError(Exception):
    """Nobody took the connection: the request was never sent."""


class LostError(Exception):
    """The request was sent, and no answer came."""


class Connection(asyncio.Protocol):
    """A connection; `usable` until it breaks."""

    def __init__(self, parse: Parse) -> None:
        self.usable = False
        self._parse = parse
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request; its answer.

        Raises:
            LostError: where none comes.
        """
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._received = b""
        self._answer = loop.create_future()
        patience = loop.call_later(PATIENCE, self.close)
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            patience.cancel()

    def close(self) -> None:
        """Break it."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # uvloop's isn't one by descent
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """A piece of an answer has come."""
        self._received += data
        answer = self._parse(self._received)
        if answer is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is broken."""
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LostError())


class Pool:
    """Connections to one port, as many as there are requests under way."""

    def __init__(self, port: int, parse: Parse) -> None:
        self._port = port
        self._parse = parse
        self._idle = list[Connection]()

    async def ask(self, request: bytes) -> Answer:
        """Send a request over any connection; its answer.

        Raises:
            NotSentError: where nobody listens.
            LostError: where no answer comes.
        """
        connection = await self._take()
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Break all connections that are idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(
            lambda: Connection(self._parse), "127.0.0.1", self._port
        )
        try:
            async with asyncio.timeout(PATIENCE):
                return (await opening)[1]
        except OSError as error:  # TimeoutError is one
            raise NotSentError from error
