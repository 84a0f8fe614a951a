"""Group commit: one flush for many, and nobody pays for another's mistake."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from patql.authority import users
from patql.authority.model import Role
from patql.authority.ports import Transaction
from patql.store.sqlite import schema
from patql.store.sqlite.connection import connect, use_wal
from patql.store.sqlite.file import ensure
from patql.store.sqlite.session import SqliteSession
from patql.store.sqlite.transaction import SqliteTransaction
from patql.store.writer import Writer


class _Commits:
    """Counts commits, and refuses them when told to."""

    def __init__(self) -> None:
        self.count = 0
        self.refused = False

    def __call__(self) -> bool:
        self.count += 1
        return self.refused


@pytest.fixture
def commits() -> _Commits:
    """What the database asks before each commit."""
    return _Commits()


@pytest.fixture
def connection(tmp_path: Path, commits: _Commits) -> apsw.Connection:
    """A new database, whose commits are counted."""
    path = tmp_path / "tokens.db"
    ensure(path)
    made = connect(str(path), 1)
    use_wal(made, str(path))
    schema.migrate(made, str(path))
    made.set_commit_hook(commits)
    return made


@pytest.fixture
def writer(connection: apsw.Connection) -> Iterator[Writer[SqliteTransaction]]:
    """The writer of the new database."""
    made = Writer(SqliteSession(connection))
    yield made
    made.close()


def _add(name: str) -> Callable[[Transaction], str]:
    def change(at: Transaction) -> str:
        return users.add(at, name, role=Role.USER, now=0).username

    return change


def _fail(at: Transaction) -> str:
    _add("never")(at)
    raise ZeroDivisionError


def _refuse(at: Transaction) -> str:
    assert at.user("nobody") is None
    raise ZeroDivisionError


def _together(
    writer: Writer[SqliteTransaction], changes: list[Callable[[Transaction], str]]
) -> list[str | Exception]:
    """Run changes from threads of their own, all waiting while a first change holds the lock."""
    outcomes: list[str | Exception] = ["not run"] * len(changes)
    begun, go_on = threading.Event(), threading.Event()

    def wait(_at: Transaction) -> None:
        begun.set()
        assert go_on.wait(10)

    def hold() -> None:
        with suppress(apsw.ConstraintError):
            writer.run(wait)

    def run(place: int) -> None:
        try:
            outcomes[place] = writer.run(changes[place])
        except Exception as error:  # noqa: BLE001  (an outcome like another)
            outcomes[place] = error

    holder = threading.Thread(target=hold)
    holder.start()
    assert begun.wait(10)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(changes))]
    for thread in threads:
        thread.start()
    while len(writer._queue) < len(changes):
        time.sleep(0.001)
    go_on.set()
    for thread in [holder, *threads]:
        thread.join()
    return outcomes


def test_waiting_changes_share_a_commit(
    writer: Writer[SqliteTransaction], commits: _Commits
) -> None:
    """Sixteen changes that wait for one are committed together."""
    outcomes = _together(writer, [_add(f"u{n}") for n in range(16)])
    assert outcomes == [f"u{n}" for n in range(16)]
    assert commits.count == 2  # the one that they waited for, and theirs


def test_a_failing_change_fails_alone(
    writer: Writer[SqliteTransaction], connection: apsw.Connection
) -> None:
    """What one change raises is its own; the others of its batch are kept, and nothing of it."""
    outcomes = _together(writer, [_add("a"), _fail, _add("b"), _fail])
    assert [outcomes[0], outcomes[2]] == ["a", "b"]
    assert isinstance(outcomes[1], ZeroDivisionError)
    assert isinstance(outcomes[3], ZeroDivisionError)
    assert _users(connection) == {"a", "b"}


def test_a_failing_commit_fails_all(
    writer: Writer[SqliteTransaction], connection: apsw.Connection, commits: _Commits
) -> None:
    """Where the commit fails, nothing that the batch told is so, refusals included; the writer goes on afterwards."""
    commits.refused = True
    outcomes = _together(writer, [_add("a"), _refuse, _add("b")])
    assert [type(outcome) for outcome in outcomes] == [apsw.ConstraintError] * 3
    assert _users(connection) == set()
    commits.refused = False
    assert writer.run(_add("c")) == "c"


def test_a_lost_transaction_fails_all(
    writer: Writer[SqliteTransaction], connection: apsw.Connection
) -> None:
    """Where SQLite itself rolls the transaction back, nobody is told that their change was kept."""

    def lose(_at: Transaction) -> str:
        connection.execute("ROLLBACK")
        raise ZeroDivisionError

    outcomes = _together(writer, [_add("a"), lose, _add("b")])
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
    assert _users(connection) == set()
    assert writer.run(_add("c")) == "c"


def test_an_interrupt_fails_all(
    writer: Writer[SqliteTransaction], connection: apsw.Connection
) -> None:
    """Ctrl-C inside a change undoes the batch, and goes on to whoever pressed it."""

    def interrupt(_at: Transaction) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer.run(interrupt)
    assert not connection.in_transaction
    assert writer.run(_add("a")) == "a"


def test_a_caller_alone_needs_no_thread(writer: Writer[SqliteTransaction]) -> None:
    """A change runs in the thread of its only caller, and no other thread is ever made."""
    before = threading.active_count()
    ran_in = writer.run(lambda _at: threading.current_thread())
    assert ran_in is threading.current_thread()
    assert threading.active_count() == before


def test_many_threads(
    writer: Writer[SqliteTransaction], commits: _Commits, connection: apsw.Connection
) -> None:
    """Under 16 threads every change is acknowledged once, with far fewer commits."""
    names = {f"u{n}-{k}" for n in range(16) for k in range(25)}

    def work(mine: list[str]) -> None:
        for name in mine:
            assert writer.run(_add(name)) == name

    threads = [
        threading.Thread(target=work, args=([f"u{n}-{k}" for k in range(25)],))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _users(connection) == names
    assert commits.count < len(names)


def _users(connection: apsw.Connection) -> set[object]:
    return {name for (name,) in connection.execute("SELECT username FROM user")}
