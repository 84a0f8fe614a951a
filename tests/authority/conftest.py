"""An authority on a clock that stands still."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000


@pytest.fixture
def clock() -> ManualClock:
    """2027-01-15T08:00:00 UTC until it is moved."""
    return ManualClock(NOW)


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Iterator[Authority]:
    """An empty authority in a temporary folder."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as made:
        yield made
