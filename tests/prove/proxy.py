"""A wire between a server and its PostgreSQL that can be stalled, deafened and cut."""

import asyncio
from enum import StrEnum
from typing import cast


class Fault(StrEnum):
    """What can happen to a wire."""

    STALL = "stalled"
    """Nothing passes in either direction; what is under way passes later."""
    DEAF = "deafened"
    """What PostgreSQL answers is lost: it does what it was asked, and nobody learns of it."""
    CUT = "cut"
    """All connections break, and there are no new ones."""


class Proxy:
    """Passes connections on to a port until told to do otherwise."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._fault: Fault | None = None
        self._links = set[_Link]()
        self._listener: asyncio.Server | None = None

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it at present."""
        return self._fault

    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Link(self), "127.0.0.1", 0, backlog=512
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Break everything for good."""
        if self._listener is not None:
            self._listener.close()
        self._break()

    def set(self, fault: Fault | None) -> None:
        """Have something go wrong, or nothing; what was deafened stays so until its connection breaks."""
        was, self._fault = self._fault, fault
        if fault is Fault.CUT or was is Fault.DEAF:
            self._break()
        for link in self._links:
            link.stall(stalled=fault is Fault.STALL)

    def _break(self) -> None:
        for link in tuple(self._links):
            link.abort()


class _Link(asyncio.Protocol):
    """A server's connection, and its counterpart at PostgreSQL's."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._near: asyncio.Transport | None = None
        self._far = _Far(self)
        self._opening: asyncio.Task[None] | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = cast(
            "asyncio.Transport", transport
        )  # uvloop's isn't one by descent
        if self._proxy.fault is Fault.CUT:
            self._near.abort()
            return
        self._proxy._links.add(self)
        self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: self._far, "127.0.0.1", self._proxy._target
            )
        except OSError:
            self.abort()
            return
        self._far.write(self._early)
        self.stall(stalled=self._proxy.fault is Fault.STALL)

    def data_received(self, data: bytes) -> None:
        if self._far.is_open:
            self._far.write(data)
        else:
            self._early += data

    def answered(self, data: bytes) -> None:
        near = self._near
        if near and not near.is_closing() and self._proxy.fault is not Fault.DEAF:
            near.write(data)

    def stall(self, *, stalled: bool) -> None:
        for transport in (self._near, self._far.transport):
            if transport is not None and not transport.is_closing():
                (transport.pause_reading if stalled else transport.resume_reading)()

    def abort(self) -> None:
        for transport in (self._near, self._far.transport):
            if transport is not None:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy._links.discard(self)
        self.abort()


class _Far(asyncio.Protocol):
    """The counterpart's end."""

    def __init__(self, link: _Link) -> None:
        self.transport: asyncio.Transport | None = None
        self._link = link

    @property
    def is_open(self) -> bool:
        return self.transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(
            "asyncio.Transport", transport
        )  # uvloop's isn't one by descent

    def write(self, data: bytes) -> None:
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._link.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.abort()
