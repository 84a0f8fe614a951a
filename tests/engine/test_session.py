"""A session: scripts, the statement's instant, zones, and results that outlive their statement."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread, Timer

import pytest
from tests.engine.conftest import DAY, NOON, World

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.ports import Watch
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Request, Response


def test_script_runs_statement_by_statement(world: World) -> None:
    """What ran before a statement that fails has run."""
    results = world.session.run("SELECT 1; SELECT 2; SELECT nosuch; SELECT 3")
    assert next(results).rows() == [(1,)]
    assert next(results).rows() == [(2,)]
    with pytest.raises(SqlError, match="nosuch"):
        next(results)


def test_now_is_the_clock_at_the_start_of_each_statement(world: World) -> None:
    """It stands still during a statement, and goes on for the next."""
    results = world.session.run("SELECT epoch(now()); SELECT epoch(now())")
    first = next(results).rows()
    world.clock.seconds = NOON + DAY
    assert (first, next(results).rows()) == ([(NOON,)], [(NOON + DAY,)])


def test_results_outlive_their_statement(world: World) -> None:
    """Rows are kept in memory: the next statement doesn't change them."""
    first, second = world.session.run(
        "SELECT id FROM linode.profile.tokens WHERE id = 2; SELECT id FROM linode.profile.tokens WHERE id = 3"
    )
    assert first.arrow().num_rows == 1
    assert first.rows() == [(2,)]
    assert second.rows() == [(3,)]
    assert list(second.batches(1)) == [[(3,)]]


def test_show_as_arrow(world: World) -> None:
    """SHOW and DESCRIBE give Arrow too, with no rows as well as with some."""
    some, none = world.session.run(
        "SHOW PROVIDERS; SHOW RESOURCES IN linode.profile LIKE 'x'"
    )
    assert (some.arrow().num_rows, none.arrow().num_rows) == (1, 0)
    assert none.arrow().column_names == ["name", "id"]


def test_statements_that_return_nothing_have_no_columns(world: World) -> None:
    """Only a message."""
    (result,) = world.session.run("DELETE FROM linode.profile.tokens WHERE id = 2")
    assert (result.columns, result.rows(), list(result.batches())) == ((), [], [])
    assert result.arrow().num_rows == 0


def test_long_chains_are_read(world: World) -> None:
    """Conditions of thousands of terms, longer than Python's stack is deep."""
    terms = " AND ".join(f"id <> {n}" for n in range(3, 1_500))
    sql = f"SELECT id FROM linode.profile.tokens WHERE {terms} ORDER BY id"
    (result,) = world.session.run(sql)
    assert result.rows() == [(1,), (2,)]


ZONE_SCRIPT = """
import sys
from pathlib import Path
from tests.engine.conftest import World

world = World(Path(sys.argv[1]))
sql = (
    "SELECT id, CAST(CAST(created AS TIMESTAMPTZ) AS VARCHAR), current_setting('TimeZone') "
    "FROM linode.profile.tokens WHERE created >= current_date"
)
for result in world.session.run(sql):
    print(result.rows())
world.session.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata"])
def test_zone_of_the_machine_does_not_matter(tmp_path: Path, zone: str) -> None:
    """The session's zone is UTC wherever it runs."""
    env = {
        **os.environ,
        "TZ": zone,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    ran = subprocess.run(
        [sys.executable, "-c", ZONE_SCRIPT, str(tmp_path)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout.strip() == "[(5, '2026-06-15 11:59:59+00', 'UTC')]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(a.range * b.range) FROM range(1000000) a, range(1000000) b",
        # DuckDB itself doesn't notice Ctrl-C in this one
        "SELECT id FROM linode.profile.tokens WHERE label > "
        "(SELECT max(a.range * b.range)::VARCHAR FROM range(1000000) a, range(1000000) b)",
    ],
)
def test_computation_stops_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """Ctrl-C ends it within a second, in a sentence, and the session goes on."""
    relational = world.session.state.relational
    compute = relational._compute

    def computing(work: Callable[[], object]) -> object:
        Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        return compute(work)

    monkeypatch.setattr(relational, "_compute", computing)
    begun = time.monotonic()
    with pytest.raises(PatqlError, match="stopped") as stopped:
        list(world.session.run(sql))
    assert stopped.value.code is Code.CANCELLED
    assert time.monotonic() - begun < 5
    monkeypatch.undo()
    (after,) = world.session.run("SELECT count(*) FROM linode.profile.tokens")
    assert after.rows() == [(5,)]


ENDLESS = "SELECT max(a.range * b.range) FROM range(10000000) a, range(10000000) b"


class Alarm:
    """A timer that rings when it is told to."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self.seconds = seconds
        self.ring = ring
        self.running = False

    def start(self) -> None:
        """It may ring from now on."""
        self.running = True

    def cancel(self) -> None:
        """It rings no more."""
        self.running = False


class Alarms:
    """The timers that a session has made."""

    def __init__(self) -> None:
        self.made: list[Alarm] = []

    def __call__(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Another one."""
        self.made.append(Alarm(seconds, ring))
        return self.made[-1]

    def ring_soon(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the last one ring once DuckDB is at work."""
        relational = session.state.relational
        compute = relational._compute

        def computing(work: Callable[[], object]) -> object:
            def begun() -> object:
                Thread(target=self.made[-1].ring).start()
                return work()

            return compute(begun)

        monkeypatch.setattr(relational, "_compute", computing)


class Waiting:
    """A transport whose answers come only when they are cancelled."""

    target = "https://api.example.com/v4"
    acting: str | None = None

    def __init__(self) -> None:
        self.asked = Event()
        self._cancelled = Event()

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Wait."""
        self.asked.set()
        for _ in requests:
            assert self._cancelled.wait(60)
            if self._cancelled.is_set():
                raise PatqlError(Code.CANCELLED, "cancelled")
            yield Response(500, [], b"")

    def cancel(self) -> None:
        """Give up."""
        self._cancelled.set()

    def close(self) -> None:
        """Nothing to let go of."""


def test_timeout_ends_a_computation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said how long the statement was given, and the session goes on."""
    alarms = Alarms()
    session = Session(
        Catalog((builtin("linode"),)),
        world.transport,
        world.clock,
        world.script,
        options=Options(timeout=2.5),
        alarm=alarms,
    )
    alarms.ring_soon(session, monkeypatch)
    with pytest.raises(PatqlError, match=r"took longer than 2\.5 s") as stopped:
        list(session.run(ENDLESS))
    assert stopped.value.code is Code.CANCELLED
    assert not alarms.made[-1].running
    monkeypatch.undo()
    (after,) = session.run("SELECT count(*) FROM linode.profile.tokens")
    assert after.rows() == [(5,)]
    assert [(alarm.seconds, alarm.running) for alarm in alarms.made] == [
        (2.5, False),
        (2.5, False),
    ]


def test_without_a_timeout_there_is_no_timer(world: World) -> None:
    """Nothing is counted that doesn't end anything."""
    alarms = Alarms()
    session = Session(
        Catalog((builtin("linode"),)),
        world.transport,
        world.clock,
        world.script,
        alarm=alarms,
    )
    list(session.run("SELECT 1"))
    assert alarms.made == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM linode.profile.tokens",
        "SELECT max(label) FROM linode.profile.tokens WHERE length(label) > 1",
        "SELECT * FROM linode.profile.tokens a JOIN linode.profile.tokens b USING (id)",
        "CREATE TABLE t AS SELECT * FROM linode.profile.tokens",
    ],
)
def test_cancel_ends_requests(world: World, sql: str) -> None:
    """What waits for an answer is stopped from another thread, and says no more than that."""
    transport = Waiting()
    session = Session(
        Catalog((builtin("linode"),)), transport, world.clock, world.script
    )

    def cancel() -> None:
        assert transport.asked.wait(60)
        session.cancel()

    canceller = Thread(target=cancel)
    canceller.start()
    with pytest.raises(PatqlError, match="stopped before") as stopped:
        list(session.run(sql))
    canceller.join()
    assert stopped.value.code is Code.CANCELLED
    (after,) = session.run("SELECT 1")
    assert after.rows() == [(1,)]


def test_cancel_between_statements_is_nothing(world: World) -> None:
    """There is nothing to stop, so the next statement runs."""
    world.session.cancel()
    list(world.session.run("SELECT 1"))
    world.session.cancel()
    (after,) = world.session.run("SELECT count(*) FROM linode.profile.tokens")
    assert after.rows() == [(5,)]
    world.session.state.relational.interrupt()


def test_a_part_of_the_work_is_told_when_it_is_stopped(world: World) -> None:
    """The reason comes first; what the statement says of its own end is kept."""
    failure = PatqlError(Code.CANCELLED, "2 done, 1 failed, 7 not tried")

    def fail() -> None:
        with world.session._stoppable():
            world.session.cancel()
            raise failure

    with pytest.raises(PatqlError) as stopped:
        fail()
    assert stopped.value.message == "stopped before the answer was there"
    assert stopped.value.hint == "2 done, 1 failed, 7 not tried"
