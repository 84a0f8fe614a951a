"""What a change tells when its transaction ends badly: never that it was made, unless it was."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psycopg
import pytest
from tests.postgres import Cluster
from tests.prove.proxy import Fault
from tests.store.postgres.conftest import Wire

from patql.authority import issue, users
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Role
from patql.authority.ports import Transaction
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.store.postgres import PostgresStore
from patql.store.postgres.session import PostgresSession

NOW = 1_800_000_000


@pytest.mark.slow
def test_an_answer_that_is_lost(
    wire: Wire,
    authority: Authority,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the server commits and nobody learns of it, the sentence says that it is unknown; the chain is begun anew."""
    monkeypatch.setattr("patql.store.postgres.session.PATIENCE", 1)
    store = PostgresStore(wire.url)
    through = Authority(store, clock)
    through.issue("alice")
    with deaf_at_commit(wire, monkeypatch), pytest.raises(PatqlError) as lost:
        through.revoke("alice", 1)
    assert lost.value.code is Code.UNAVAILABLE
    assert "whether it was made is unknown" in lost.value.message
    assert authority.list("alice") == ()
    assert through.issue("alice").token.label
    report = authority.admin.examine()
    assert (report.faults, len(report.heads), report.lines) == ((), 2, 4)
    store.close()


@contextmanager
def deaf_at_commit(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """What the server answers to the next COMMIT is lost."""
    before = PostgresSession._end

    def end(session: PostgresSession) -> None:
        with wire.broken(Fault.DEAF):
            before(session)

    with monkeypatch.context() as patch:
        patch.setattr(PostgresSession, "_end", end)
        yield


@pytest.mark.slow
def test_a_standby_that_is_lost(authority: Authority, cluster: Cluster) -> None:
    """Who demands one doesn't take for made what only the primary has: a fail-over would undo it."""
    authority.issue("alice")
    cluster.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    cluster.run("SELECT pg_reload_conf()")
    canceller = threading.Thread(target=_cancel_waiting, args=(cluster,))
    canceller.start()
    try:
        with pytest.raises(PatqlError, match="whether it was made is unknown") as told:
            authority.revoke("alice", 1)
        assert told.value.code is Code.UNAVAILABLE
    finally:
        canceller.join()
        cluster.run("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.run("SELECT pg_reload_conf()")
    assert authority.issue("alice").token.label


def _cancel_waiting(cluster: Cluster) -> None:
    """End the wait for a standby, as an operator does who sees that it is gone."""
    waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    while cluster.run(f"SELECT count(pg_cancel_backend(pid)) {waiting}") == "0":
        pass


def test_a_failing_transaction_fails_all(
    store: PostgresStore, authority: Authority, tokens_url: str
) -> None:
    """Also who was refused something in it: that may have been for a change that came to nothing."""

    def wait(at: Transaction) -> None:
        users.add(at, "a", now=0, role=Role.ADMIN)
        begun.set()
        assert go_on.wait(10)

    def kill(at: Transaction) -> None:
        users.add(at, "b", now=0, role=Role.USER)
        with psycopg.connect(tokens_url, autocommit=True) as other:
            other.execute(_KILL)

    def refuse(_at: Transaction) -> None:
        raise ZeroDivisionError

    begun, go_on = threading.Event(), threading.Event()
    outcomes = dict[str, BaseException | None]()

    def run(name: str, change: Callable[[Transaction], None]) -> None:
        outcomes[name] = None
        try:
            store.write(change)
        except Exception as error:  # noqa: BLE001  (an outcome like another)
            outcomes[name] = error

    threads = [threading.Thread(target=run, args=("wait", wait))]
    threads[0].start()
    assert begun.wait(10)
    for name, change in (("refuse", refuse), ("kill", kill)):
        threads.append(threading.Thread(target=run, args=(name, change)))
        threads[-1].start()
        while len(store._writer._queue) < len(threads) - 1:
            pass
    go_on.set()
    for thread in threads:
        thread.join()
    assert outcomes["wait"] is None
    for name in ("refuse", "kill"):
        error = outcomes[name]
        assert isinstance(error, PatqlError)
        assert error.code is Code.UNAVAILABLE
    assert authority.user("b") is None
    assert authority.admin.add("c").username == "c"
    assert authority.admin.examine().faults == ()


@pytest.mark.slow
def test_an_id_that_is_drawn_again(
    authority: Authority,
    opened: Callable[[], PostgresStore],
    clock: ManualClock,
    cluster: Cluster,
) -> None:
    """What a transaction saw that a crash undid isn't remembered: a sequence goes back then, to other tokens' good."""
    authority.issue("alice")

    def crash(at: Transaction) -> None:
        draft = issue.draft(Wanted(), None, authority.policy, NOW)
        issue.create(at, "alice", [draft], None, authority.policy, NOW)
        cluster.restart()
        at.is_empty()

    with pytest.raises(PatqlError):
        authority._store.write(crash)
    other = Authority(opened(), clock)
    issued = other.issue("alice")
    assert authority.revoke("alice", issued.token.id)
    assert not other.verify(issued.secret)


def test_a_row_that_another_holds(
    store: PostgresStore, authority: Authority, tokens_url: str
) -> None:
    """Of several changes, only those that need the row wait for it; all are made."""
    issued = authority.issue_many("alice", [Wanted()] * 3)
    begun, go_on = threading.Event(), threading.Event()

    def wait(at: Transaction) -> None:
        begun.set()
        assert go_on.wait(10)

    works: list[Callable[[], object]] = [
        lambda: store.write(wait),
        lambda: authority.rename("alice", 2, "second"),
        lambda: authority.rename("alice", 1, "first"),
    ]
    threads = [threading.Thread(target=work) for work in works]
    with psycopg.connect(tokens_url) as other:
        lock = "SELECT 1 FROM token WHERE handle = %s FOR UPDATE"
        other.execute(lock, (issued[0].token.shown,))
        threads[0].start()
        assert begun.wait(10)
        for number, thread in enumerate(threads[1:], 1):
            thread.start()
            while len(store._writer._queue) < number:
                pass
        go_on.set()
        while authority.list("alice")[1].label != "second":
            pass
        assert threads[2].is_alive()
    for thread in threads:
        thread.join(20)
    assert [t.label for t in authority.list("alice")] == ["first", "second", "token-3"]


@pytest.mark.parametrize(
    ("usual", "ours"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
def test_what_is_acknowledged_is_durable(
    cluster: Cluster, tokens_url: str, usual: str, ours: str
) -> None:
    """A server that usually doesn't wait for its disk does for us; one that promises more keeps doing so."""
    name = tokens_url.rpartition("/")[2]
    cluster.run(f"ALTER DATABASE {name} SET synchronous_commit = {usual}")
    try:
        store = PostgresStore(tokens_url)
        shown = "SELECT current_setting('synchronous_commit')"
        assert store.write(lambda _at: _row(store, shown)) == ours
        store.close()
    finally:
        cluster.run(f"ALTER DATABASE {name} RESET synchronous_commit")


def _row(store: PostgresStore, query: str) -> object:
    row = store._writer.session.transaction.row(query)
    return row[0] if row else None


_KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


def test_a_deadlock_is_no_trouble(
    opened: Callable[[], PostgresStore], authority: Authority, clock: ManualClock
) -> None:
    """Changes of two processes that stand in each other's way are run again, and both are made."""
    others = Authority(opened(), clock)
    for name in ("alice", "bob"):
        authority.issue(name)
    meet, met = threading.Barrier(2), threading.Event()

    def change(first: int, second: int) -> Callable[[Transaction], None]:
        def make(at: Transaction) -> None:
            at.entries([first])
            if not met.is_set():
                meet.wait(5)
                met.set()
            at.entries([second])
            at.rename({first: f"by {second}"})

        return make

    threads = [
        threading.Thread(target=one._store.write, args=(change(a, b),))
        for one, a, b in ((authority, 1, 2), (others, 2, 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [t.label for t in authority.list("alice")] == ["by 2"]
    assert [t.label for t in authority.list("bob")] == ["by 1"]
