"""Rows that are kept while nobody commits: the same as those that a plain read finds, whoever commits, and when."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock
from patql.kernel.errors import InvalidRequestError
from patql.store.sqlite import SqliteStore
from patql.store.sqlite.connection import connect
from patql.store.sqlite.counter import SIZE, Counter, is_whole
from patql.store.sqlite.queries import Queries

NOW = 1_800_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="plain reads there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database is."""
    return tmp_path / "tokens.db"


@pytest.fixture
def authority(path: Path) -> Iterator[Authority]:
    """One that changes the database."""
    made = Authority(SqliteStore(path), ManualClock(NOW))
    yield made
    made.close()


class Traced:
    """A connection that reads tokens, and what it asks SQLite."""

    def __init__(self, path: Path, counter: Callable[[], bytes]) -> None:
        self.asked = 0
        connection = connect(str(path), 1)
        connection.exec_trace = self._trace
        self.queries = Queries(connection, counter)

    def _trace(self, _cursor: object, _sql: str, _bound: object) -> bool:
        self.asked += 1
        return True


def test_a_row_is_read_once_while_nobody_commits(
    path: Path, authority: Authority
) -> None:
    """And anew after any commit; what isn't there is looked for each time."""
    handle = authority.issue("alice").token.shown
    counter = Counter(str(path))
    reader = Traced(path, counter.read)
    for asked in (1, 1, 1):
        assert reader.queries.find(handle)
        assert reader.asked == asked
    authority.issue("bob")
    for asked in (2, 2):
        assert reader.queries.find(handle)
        assert reader.asked == asked
    for asked in (3, 4):
        assert reader.queries.find("pql_nobodyhasone") is None
        assert reader.asked == asked
    reader.queries.connection.close()
    counter.close()


@pytest.mark.parametrize("what", ["half-written", "changed meanwhile", "unknown"])
def test_nothing_is_kept_of_what_may_have_changed(
    path: Path, authority: Authority, what: str
) -> None:
    """A header that somebody is writing, or wrote while the row was read, vouches for nothing."""
    handle = authority.issue("alice").token.shown
    half = bytes(SIZE // 2)
    headers = {
        "half-written": [half + bytes([1]) * (SIZE // 2)] * 9,
        "changed meanwhile": [bytes([n]) * SIZE for n in range(9)],
        "unknown": [b""] * 9,
    }[what]
    reader = Traced(path, iter(headers).__next__)
    for asked in (1, 2, 3):
        assert reader.queries.find(handle)
        assert reader.asked == asked
    reader.queries.connection.close()


def test_the_memory_goes_with_the_last_that_uses_it(path: Path) -> None:
    """Its descriptors are kept while any store has the database open, since closing one drops SQLite's locks."""

    def opened() -> int:
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]  # noqa: PTH208
        return sum(
            os.path.lexists(link) and os.readlink(link) == f"{path}-shm"  # noqa: PTH115
            for link in links
        )

    first, second = SqliteStore(path), SqliteStore(path)
    both = opened()
    first.close()
    assert opened() == both > 0
    assert is_whole(second._counter.read())
    second.close()
    assert opened() == 0


class Kept(RuleBasedStateMachine):
    """A reader that keeps rows beside one that doesn't, while others change the database in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "tokens.db")
        self.authority = Authority(SqliteStore(path), ManualClock(NOW))
        self.other = Authority(SqliteStore(path), ManualClock(NOW))
        self.by_hand = connect(str(path), 1)
        self.counter = Counter(str(path))
        self.keeping = Queries(connect(str(path), 1), self.counter.read)
        self.plain = Queries(connect(str(path), 1))
        self.handles = list[str]()

    @rule(here=strategies.booleans())
    def issue(self, *, here: bool) -> None:
        """A token more."""
        authority = self.authority if here else self.other
        with suppress(InvalidRequestError):  # while suspended
            self.handles.append(authority.issue("alice").token.shown)

    @rule(token_id=strategies.integers(1, 6))
    def revoke(self, token_id: int) -> None:
        """A token less."""
        self.other.revoke("alice", token_id)

    @rule(suspended=strategies.booleans())
    def suspend(self, *, suspended: bool) -> None:
        """All of a user's tokens disabled, or good again."""
        if self.handles:
            self.other.admin.change("alice", suspended=suspended)

    @rule(mode=strategies.sampled_from(["PASSIVE", "FULL", "RESTART", "TRUNCATE"]))
    def checkpoint(self, mode: str) -> None:
        """The log is carried over, and begun anew."""
        self.by_hand.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()

    @rule()
    def vacuum(self) -> None:
        """Each page goes elsewhere."""
        self.by_hand.execute("VACUUM")

    @rule()
    def roll_back(self) -> None:
        """A change that comes to nothing."""
        self.by_hand.execute("BEGIN IMMEDIATE")
        self.by_hand.execute("UPDATE token SET revoked_at = 1")
        self.compare()
        self.by_hand.execute("ROLLBACK")

    @invariant()
    def compare(self) -> None:
        """Both find the same."""
        for handle in self.handles:
            assert self.keeping.find(handle) == self.plain.find(handle)

    def teardown(self) -> None:
        """Close all."""
        for queries in (self.keeping, self.plain):
            queries.connection.close()
        self.by_hand.close()
        self.authority.close()
        self.other.close()
        self.counter.close()
        self.folder.cleanup()


TestKept = Kept.TestCase
TestKept.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)


def test_the_header_is_where_sqlite_says(path: Path, authority: Authority) -> None:
    """Twice the same, with the number of the log's last frame in it."""
    authority.issue("alice")
    counter = Counter(str(path))
    header = counter.read()
    assert is_whole(header)
    frames = (Path(f"{path}-wal").stat().st_size - 32) // (24 + 4096)
    assert int.from_bytes(header[16:20], sys.byteorder) == frames
    counter.close()
