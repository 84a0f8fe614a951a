"""One server for the clients of a module, and a user of its own for each test."""

import time
from collections.abc import Callable, Generator
from itertools import count

import pytest
from tests.conftest import Served, Serving

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock, SystemClock
from patql.store.sqlite import SqliteStore

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Served]:
    """A running server."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture(scope="module")
def authority(server: Served) -> Generator[Authority]:
    """That server's authority, in this process."""
    with Authority(SqliteStore(server.database), SystemClock()) as opened:
        yield opened


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"user-{next(_NUMBERS)}"


@pytest.fixture
def secret(authority: Authority, user: str) -> str:
    """A token of that user with every scope."""
    return authority.issue(user, label="root").secret.reveal()


@pytest.fixture
def expired(server: Served) -> Callable[[str], str]:
    """Makes a token of a user that expired a minute ago."""

    def make(user: str) -> str:
        clock = ManualClock(time.time() - 3600)
        with Authority(SqliteStore(server.database), clock) as past:
            return past.issue(user, expiry=int(clock.now()) + 3540).secret.reveal()

    return make
