"""The nemesis: it kills, pauses and cuts off at random, and lets everything recover at last."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence

from tests.postgres import Cluster
from tests.prove.fleet import Server, until_listening
from tests.prove.proxy import Fault, Proxy

_REST = (0.1, 0.9)  # seconds
_PAUSE = (0.02, 1.2)
_DOWN = (0.0, 0.5)
_RESTARTS = 0.03  # the chance of one, each time


class Nemesis:
    """Has things go wrong until it is stopped.

    Args:
        chance: where its choices come from.
        servers: whom it kills and pauses.
        proxies: the wire to PostgreSQL of each of them, by its name.
        cluster: the PostgreSQL that it crashes.

    Attributes:
        done: how often it did what.
        times: when something lasted that all servers suffered from: never.
    """

    def __init__(
        self,
        chance: random.Random,
        servers: Sequence[Server],
        proxies: Mapping[str, Proxy],
        cluster: Cluster | None = None,
    ) -> None:
        self.done = Counter[str]()
        self.times = list[tuple[float, float]]()
        self._chance = chance
        self._servers = servers
        self._proxies = proxies
        self._cluster = cluster
        self._busy = set[str]()

    async def run(self, enough: Callable[[], bool]) -> None:
        """Have things go wrong, at times several at once, until it is enough; return once all have recovered."""
        deeds = [self._kill, self._pause, self._pause]
        if self._proxies:
            deeds += [self._cut_off, self._cut_off]
        async with asyncio.TaskGroup() as group:
            while not enough():
                idle = [each for each in self._servers if each.name not in self._busy]
                if len(idle) > 1:  # there is always one that nothing happens to
                    server, deed = self._chance.choice(idle), self._chance.choice(deeds)
                    self._busy.add(server.name)
                    group.create_task(self._until_over(server, deed))
                if self._cluster and self._chance.random() < _RESTARTS:
                    await self._crash(self._cluster)
                await asyncio.sleep(self._chance.uniform(*_REST))

    async def _until_over(self, server: Server, deed: "_Deed") -> None:
        await deed(server)
        self._busy.discard(server.name)

    async def _kill(self, server: Server) -> None:
        self.done["killed"] += 1
        server.kill()
        server.pool.close()
        await asyncio.sleep(self._chance.uniform(*_DOWN))
        server.start()
        await until_listening(server)

    async def _pause(self, server: Server) -> None:
        self.done["paused"] += 1
        server.pause()
        await asyncio.sleep(self._chance.uniform(*_PAUSE))
        server.resume()

    async def _cut_off(self, server: Server) -> None:
        fault = self._chance.choice(list(Fault))
        self.done[fault] += 1
        proxy = self._proxies[server.name]
        proxy.set(fault)
        await asyncio.sleep(self._chance.uniform(*_PAUSE))
        proxy.set(None)

    async def _crash(self, cluster: Cluster) -> None:
        self.done["PostgreSQL crashed"] += 1
        await asyncio.to_thread(cluster.restart)


_Deed = Callable[[Server], Coroutine[object, object, None]]
