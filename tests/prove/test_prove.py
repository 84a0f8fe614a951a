"""A short form of `make prove`: what clients of a fleet see can be, and the harness would notice if it couldn't."""

import os
import random
from pathlib import Path

import pytest
import uvloop
from tests.postgres import Cluster
from tests.prove.history import Act, Outcome
from tests.prove.report import Report
from tests.prove.run import Options, prove
from tests.prove.violation import Rule

pytestmark = pytest.mark.slow

_LONG = os.environ.get("PATQL_LONG") == "1"
_OPERATIONS = 40_000 if _LONG else 12_000
_ON_POSTGRES = 12_000 if _LONG else 3000


def test_sqlite(tmp_path: Path) -> None:
    """Four servers and two products on one SQLite file, killed and paused: nothing is wrong."""
    database = f"sqlite:///{tmp_path}/tokens.db"
    seed = random.randrange(2**32)
    options = Options(
        database=database, folder=tmp_path, operations=_OPERATIONS, seed=seed
    )
    _check(uvloop.run(prove(options)), seed, _OPERATIONS)


def test_postgres(cluster: Cluster, postgres_url: str, tmp_path: Path) -> None:
    """The same on PostgreSQL, which is also cut off, deafened and crashed."""
    seed = random.randrange(2**32)
    options = Options(
        database=postgres_url,
        folder=tmp_path,
        operations=_ON_POSTGRES,
        seed=seed,
        cluster=cluster,
    )
    _check(uvloop.run(prove(options)), seed, _ON_POSTGRES)


@pytest.mark.parametrize("seconds", [1.0, 0.01])
def test_a_cache_is_noticed(tmp_path: Path, seconds: float) -> None:
    """Were rows remembered, even for a hundredth of a second, tokens would be accepted after their end; that shows."""
    options = Options(
        database=f"sqlite:///{tmp_path}/tokens.db",
        folder=tmp_path,
        operations=1500,
        serve=("-m", "tests.prove.broken", "--seconds", str(seconds)),
    )
    report = uvloop.run(prove(options))
    found = {violation.rule for violation in report.violations}
    assert Rule.ACCEPTED_AFTER_END in found


def _check(report: Report, seed: int, operations: int) -> None:
    """Nothing is wrong, and enough happened for that to mean something."""
    told = f"seed {seed}\n{report.text()}"
    assert not report.violations, told
    assert report.count(Act.REVOKE, Outcome.DONE) >= operations / 20, told
    assert report.count(Act.VERIFY, Outcome.DONE) > operations / 10, told
    assert report.count(Act.VERIFY, Outcome.REFUSED) > operations / 10, told
    assert sum(report.faults.values()) >= 5, told
