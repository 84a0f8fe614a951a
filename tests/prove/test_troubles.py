"""Servers go on over a disk that fails, and over one that is well again: a clean 503, and nothing acknowledged is lost."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import uvloop
from tests.prove.fleet import PATQL_SERVE
from tests.prove.history import Act, Outcome
from tests.prove.report import Report
from tests.prove.run import Options, prove
from tests.prove.troubles import Faulty, FullDisk, GrowthLimit, Trouble

pytestmark = pytest.mark.slow

_OPERATIONS = 10_000 if os.environ.get("PATQL_LONG") == "1" else 3000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, where the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk takes rights that the tests haven't")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """While the disk is full nothing is changed, tokens are verified, and when there is room again, all goes on."""
    report = _run(small_disk, tmp_path, FullDisk(small_disk))
    _check(report, reads=True)


def test_files_that_cannot_grow(tmp_path: Path) -> None:
    """The same where a process may write no further."""
    _check(_run(tmp_path, tmp_path, GrowthLimit()), reads=True)


@pytest.mark.parametrize(("fault", "reads"), [("read-only", True), ("error", False)])
def test_a_disk_that_fails(tmp_path: Path, fault: str, reads: bool) -> None:
    """The same where the disk has become read-only; and where it reports errors, reading doesn't mislead anybody."""
    flag = tmp_path / "flag"
    serve = ("-m", "tests.prove.faulty", str(flag), "serve")
    _check(_run(tmp_path, tmp_path, Faulty(flag, fault), serve), reads=reads)


def _run(
    disk: Path, folder: Path, trouble: Trouble, serve: Sequence[str] = PATQL_SERVE
) -> Report:
    options = Options(
        database=f"sqlite:///{disk}/tokens.db",
        folder=folder,
        servers=2,
        products=0,
        operations=_OPERATIONS,
        trouble=trouble,
        serve=serve,
    )
    return uvloop.run(prove(options))


def _check(report: Report, *, reads: bool) -> None:
    told = report.text()
    assert not report.violations, told
    during = [
        each
        for each in report.history
        if any(a < each.invoked and each.returned < b for a, b in report.troubled)
    ]
    changes = {each.outcome for each in during if each.act is not Act.VERIFY}
    assert Outcome.UNKNOWN in changes, told  # a 503
    assert Outcome.DONE not in changes, told
    if reads:
        seen = {each.outcome for each in during if each.act is Act.VERIFY}
        assert seen == {Outcome.DONE, Outcome.REFUSED}, told
    first = min(end for _, end in report.troubled)
    done = (each for each in report.history if each.outcome is Outcome.DONE)
    afterwards = {each.act for each in done if each.invoked > first}
    assert afterwards >= {Act.VERIFY, Act.ISSUE, Act.REVOKE}, told
