"""A session: scripts, the statement's instant, zones, and results that outlive their statement."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
from tests.engine.conftest import DAY, NOON, World

from patql.kernel.errors import Code, PatqlError, SqlError


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
def test_computation_stops_at_once(world: World, sql: str) -> None:
    """Ctrl-C ends it within a second, in a sentence, and the session goes on."""
    Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(PatqlError, match="stopped") as stopped:
        list(world.session.run(sql))
    assert stopped.value.code is Code.CANCELLED
    assert time.monotonic() - begun < 5
    (after,) = world.session.run("SELECT count(*) FROM linode.profile.tokens")
    assert after.rows() == [(5,)]
