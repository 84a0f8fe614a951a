"""Each store that there is, and an authority over it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from patql.authority.authority import Authority
from patql.authority.ports import TokenStore
from patql.kernel.clock import ManualClock
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TokenStore]:
    """An empty store of each kind."""
    made = {"sqlite": lambda: SqliteStore(tmp_path / "tokens.db")}[request.param]()
    yield made
    made.close()


@pytest.fixture
def reopened(store: TokenStore, tmp_path: Path) -> Callable[[], TokenStore]:
    """Opens the same database again, as another process would; whoever asks closes it."""
    del store  # made before it
    return lambda: SqliteStore(tmp_path / "tokens.db")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at NOW."""
    return ManualClock(NOW)


@pytest.fixture
def authority(store: TokenStore, clock: ManualClock) -> Authority:
    """An authority over the store."""
    return Authority(store, clock)
