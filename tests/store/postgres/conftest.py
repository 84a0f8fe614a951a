"""A store over a real PostgreSQL, and a wire to it that can stall and break."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.postgres import Cluster
from tests.prove.proxy import Fault, Proxy

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock
from patql.store.postgres import PostgresStore

NOW = 1_800_000_000


@pytest.fixture
def opened(tokens_url: str) -> Iterator[Callable[[], PostgresStore]]:
    """Opens the same database again and again, as several processes would."""
    with ExitStack() as stack:

        def again() -> PostgresStore:
            store = PostgresStore(tokens_url)
            stack.callback(store.close)
            return store

        yield again


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at NOW."""
    return ManualClock(NOW)


@pytest.fixture
def store(opened: Callable[[], PostgresStore]) -> PostgresStore:
    """An empty store."""
    return opened()


@pytest.fixture
def authority(store: PostgresStore, clock: ManualClock) -> Authority:
    """An authority over the store."""
    return Authority(store, clock)


class Wire:
    """A wire to PostgreSQL; `url` is the database as it is reached over it."""

    def __init__(self, url: str, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._proxy = proxy
        self._loop = loop

    @contextmanager
    def broken(self, fault: Fault) -> Generator[None]:
        """Something is wrong with it inside."""
        self._set(fault)
        try:
            yield
        finally:
            self._set(None)

    def _set(self, fault: Fault | None) -> None:
        done = threading.Event()

        def change() -> None:
            self._proxy.set(fault)
            done.set()

        self._loop.call_soon_threadsafe(change)
        assert done.wait(10)


@pytest.fixture
def wire(cluster: Cluster, tokens_url: str) -> Generator[Wire]:
    """A wire to the store's database."""
    proxy = Proxy(cluster.port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
    name = tokens_url.rpartition("/")[2]
    yield Wire(cluster.url(name, proxy.port), proxy, loop)
    asyncio.run_coroutine_threadsafe(_end(proxy), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end(proxy: Proxy) -> None:
    proxy.close()
    for _ in range(5):  # until all that it had open is closed
        await asyncio.sleep(0)
