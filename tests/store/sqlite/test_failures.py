"""What the outside world does to a database is one clean sentence, never a traceback."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from patql.authority import tokens
from patql.authority.authority import Authority
from patql.authority.listing import Listing
from patql.kernel.clock import SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.store.sqlite import SqliteStore
from patql.store.sqlite.failures import fail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a token of alice's."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority:
        authority.issue("alice")
    return tmp_path / "tokens.db"


def test_locked_by_another(path: Path) -> None:
    """Who can't get the write lock in time is told so; reading goes on meanwhile."""
    other = apsw.Connection(str(path))
    with Authority(SqliteStore(path, timeout=0.05), SystemClock()) as authority:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(PatqlError, match="locked by another process") as refused:
            authority.issue("alice")
        assert refused.value.code is Code.UNAVAILABLE
        assert len(authority.list("alice")) == 1
        other.execute("ROLLBACK")
        assert authority.issue("alice").token.id == 2
    other.close()


def test_a_full_disk(path: Path) -> None:
    """Where the disk is full, nothing is acknowledged, and all that was is still there."""
    store = SqliteStore(path)
    with Authority(store, SystemClock()) as authority:
        limit = store._writer.session.transaction.connection.execute(
            "PRAGMA page_count"
        ).get
        store._writer.session.transaction.connection.execute(
            f"PRAGMA max_page_count = {limit}"
        )
        issued = list[int]()
        with pytest.raises(PatqlError, match="the disk is full") as refused:
            issued.extend(
                authority.issue("alice", label="x" * 100).token.id for _ in range(1000)
            )
        assert refused.value.code is Code.UNAVAILABLE
        assert [t.id for t in authority.list("alice")] == [1, *issued]
        store._writer.session.transaction.connection.execute(
            "PRAGMA max_page_count = 10000"
        )
        assert authority.issue("alice").token.id == len(issued) + 2


@pytest.mark.parametrize("damage", [b"not a database at all", b"\xff" * 40_000])
def test_a_damaged_file(path: Path, damage: bytes) -> None:
    """A file that isn't a database any more is told as such."""
    path.write_bytes(damage)
    with pytest.raises(PatqlError, match=r"is damaged|isn't a SQLite") as refused:
        SqliteStore(path)
    assert refused.value.code is Code.UNAVAILABLE


def test_damage_while_in_use(path: Path) -> None:
    """Damage that shows only when rows are read is told by whatever was asked."""
    pages = path.read_bytes()
    path.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))
    presented = tokens.mint("pql_")[1]
    asked: list[Callable[[Authority], object]] = [
        lambda a: a.verify(presented),
        lambda a: a.list("alice"),
        lambda a: a.page("alice", Listing()),
        lambda a: a.issue("alice"),
        lambda a: a.events(),
        lambda a: a.is_empty(),
    ]
    for ask in asked:
        with (
            pytest.raises(PatqlError, match="is damaged") as refused,
            Authority(SqliteStore(path), SystemClock()) as authority,
        ):
            ask(authority)
        assert refused.value.code is Code.UNAVAILABLE


def test_a_file_that_went_away(path: Path) -> None:
    """A thread whose connection can't be opened any more says so, and others go on."""
    with Authority(SqliteStore(path), SystemClock()) as authority:
        assert authority.user("alice")
        path.rename(path.with_name("moved.db"))
        told = list[str]()

        def ask() -> None:
            try:
                authority.user("alice")
            except PatqlError as error:
                told.append(f"{error.code}: {error}")

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        path.with_name("moved.db").rename(path)
    assert told == [
        f"unavailable: the token database {path} can't be opened: its folder's permissions don't allow it, or its disk is read-only"
    ]


@pytest.mark.parametrize(
    "kind", [apsw.ReadOnlyError, apsw.IOError, apsw.ProtocolError, apsw.NoMemError]
)
def test_what_a_test_cannot_bring_about(kind: type[apsw.Error]) -> None:
    """Failures of disks and machines are UNAVAILABLE too, with a sentence naming the file."""
    with pytest.raises(
        PatqlError, match=r"the token database /a/b\.db can't be"
    ) as told:
        fail(kind("x"), "/a/b.db")
    assert told.value.code is Code.UNAVAILABLE


def test_our_own_mistakes_stay_as_they_are() -> None:
    """A wrong statement is no failure of the store, and isn't dressed up as one."""
    error = apsw.SQLError("near x")
    with pytest.raises(apsw.SQLError) as told:
        fail(error, "/a/b.db")
    assert told.value is error


def test_threads_leave_no_connections(path: Path) -> None:
    """A thread's connection goes with the thread."""
    store = SqliteStore(path)
    with Authority(store, SystemClock()) as authority:
        for _ in range(5):
            thread = threading.Thread(target=authority.user, args=("alice",))
            thread.start()
            thread.join()
        assert len(store._readers) == 0
        authority.is_empty()
        assert len(store._readers) == 1
