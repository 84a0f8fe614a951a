"""Each store that there is, and an authority over it."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.postgres import empty

from patql.authority.authority import Authority
from patql.authority.ports import TokenStore
from patql.kernel.clock import ManualClock
from patql.store.postgres import PostgresStore
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TokenStore]:
    """Opens an empty store of each kind, and then the same again, as another process would; who asks closes it."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "tokens.db")
    url: str = request.getfixturevalue("tokens_url")
    return lambda: PostgresStore(url)


@pytest.fixture
def store(opening: Callable[[], TokenStore]) -> Iterator[TokenStore]:
    """An empty store of each kind."""
    made = opening()
    yield made
    made.close()


@pytest.fixture
def reopened(
    store: TokenStore, opening: Callable[[], TokenStore]
) -> Callable[[], TokenStore]:
    """Opens the same database again, as another process would; whoever asks closes it."""
    del store  # made before it
    return opening


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at NOW."""
    return ManualClock(NOW)


@pytest.fixture
def authority(store: TokenStore, clock: ManualClock) -> Authority:
    """An authority over the store."""
    return Authority(store, clock)


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Callable[[], Authority]:
    """Opens an authority over an empty store of each kind, a new one each time; who asks closes it."""
    if request.param == "sqlite":
        numbers = itertools.count()
        return lambda: Authority(SqliteStore(tmp_path / f"{next(numbers)}.db"), clock)
    url: str = request.getfixturevalue("tokens_url")

    def open_emptied() -> Authority:
        empty(url)
        return Authority(PostgresStore(url), clock)

    return open_emptied
