"""A short form of `make prove`: what clients of a fleet see can be, and the harness would notice if it couldn't."""

import os
import random
from pathlib import Path

import pytest
import uvloop
from tests.prove.history import Act, Outcome
from tests.prove.report import Report
from tests.prove.run import Options, prove
from tests.prove.violation import Rule

pytestmark = pytest.mark.slow

_OPERATIONS = 40_000 if os.environ.get("PATQL_LONG") == "1" else 12_000


def test_sqlite(tmp_path: Path) -> None:
    """Four servers and two products on one SQLite file, killed and paused: nothing is wrong."""
    database = f"sqlite:///{tmp_path}/tokens.db"
    seed = random.randrange(2**32)
    options = Options(
        database=database, folder=tmp_path, operations=_OPERATIONS, seed=seed
    )
    _check(uvloop.run(prove(options)), seed)


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


def _check(report: Report, seed: int) -> None:
    """Nothing is wrong, and enough happened for that to mean something."""
    told = f"seed {seed}\n{report.text()}"
    assert not report.violations, told
    assert report.count(Act.REVOKE, Outcome.DONE) > _OPERATIONS / 20, told
    assert report.count(Act.VERIFY, Outcome.DONE) > _OPERATIONS / 10, told
    assert report.count(Act.VERIFY, Outcome.REFUSED) > _OPERATIONS / 10, told
    assert sum(report.faults.values()) >= 5, told
