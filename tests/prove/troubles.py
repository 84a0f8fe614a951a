"""Disks that fail: what can go wrong with a disk for a while, under servers that go on running."""

import asyncio
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from tests.postgres import Cluster
from tests.prove.fleet import Server

_LASTS = (0.3, 0.8)  # seconds
_REST = (0.4, 1.2)


class Trouble(Protocol):
    """Something that goes wrong, and goes by."""

    def begin(self, servers: Sequence[Server]) -> None:
        """From now on it is wrong."""
        ...

    def end(self, servers: Sequence[Server]) -> None:
        """All is well again."""
        ...


class GrowthLimit:
    """No file of the servers' may be written beyond its first page (setrlimit's RLIMIT_FSIZE)."""

    _LIMIT = 4096

    def begin(self, servers: Sequence[Server]) -> None:
        """Set the limit."""
        self._set(servers, self._LIMIT)

    def end(self, servers: Sequence[Server]) -> None:
        """Lift it."""
        self._set(servers, resource.RLIM_INFINITY)

    def _set(self, servers: Sequence[Server], limit: int) -> None:
        for server in servers:
            limits = limit, resource.RLIM_INFINITY
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)


class FullDisk(msgspec.Struct):
    """A file takes all room that is left on a disk."""

    folder: Path

    def begin(self, servers: Sequence[Server]) -> None:
        """Fill the disk."""
        ballast = os.open(self.folder / "ballast", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):
            while True:
                os.write(ballast, bytes(4096))
        os.close(ballast)

    def end(self, servers: Sequence[Server]) -> None:
        """Make room."""
        (self.folder / "ballast").unlink()


class Faulty(msgspec.Struct):
    """The disk does what `tests.prove.faulty` says, whose servers look for the flag."""

    flag: Path
    fault: str

    def begin(self, servers: Sequence[Server]) -> None:
        """Raise the flag."""
        made = self.flag.with_suffix(".new")
        made.write_text(self.fault)
        made.rename(self.flag)

    def end(self, servers: Sequence[Server]) -> None:
        """Lower it."""
        self.flag.unlink()


class LostDatabase:
    """PostgreSQL is down."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def begin(self, servers: Sequence[Server]) -> None:
        """Crash it."""
        self._cluster.stop(signal.SIGQUIT)

    def end(self, servers: Sequence[Server]) -> None:
        """Start it."""
        self._cluster.start()


class Troublemaker:
    """Has one trouble come and go until it is stopped.

    Attributes:
        done: how often it came.
        times: when it began and ended, each time, on the history's clock.
    """

    def __init__(
        self, chance: random.Random, servers: Sequence[Server], trouble: Trouble
    ) -> None:
        self.done = Counter[str]()
        self.times = list[tuple[float, float]]()
        self._chance = chance
        self._servers = servers
        self._trouble = trouble

    async def run(self, enough: Callable[[], bool]) -> None:
        """Have it come and go until it is enough; return once it is gone."""
        loop = asyncio.get_running_loop()
        while not enough():
            self.done[type(self._trouble).__name__] += 1
            self._trouble.begin(self._servers)
            begun = loop.time()
            await asyncio.sleep(self._chance.uniform(*_LASTS))
            self.times.append((begun, loop.time()))
            self._trouble.end(self._servers)
            await asyncio.sleep(self._chance.uniform(*_REST))
