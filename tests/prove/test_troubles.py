"""Servers go on over a disk that fails, and over one that is well again: a clean 503, and nothing acknowledged is lost."""

import os
import pwd
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop
from tests.postgres import Cluster
from tests.prove.fleet import PATQL_SERVE
from tests.prove.history import Act, Outcome
from tests.prove.report import Report
from tests.prove.run import Options, prove
from tests.prove.troubles import Faulty, FullDisk, GrowthLimit, LostDatabase, Trouble

pytestmark = pytest.mark.slow

_OPERATIONS = 10_000 if os.environ.get("PATQL_LONG") == "1" else 3000


@contextmanager
def _small_disk(
    folder: Path, *, megabytes: int, user: str | None = None
) -> Generator[Path]:
    """A disk of its own at a folder, which belongs to a user, where the tests may mount one."""
    folder.mkdir()
    owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    options = f"size={megabytes}m,mode=700,uid={owner}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("mounting a disk takes rights that the tests haven't")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk(tmp_path: Path) -> None:
    """While the disk is full, what finds no room is a 503, tokens are verified, and when there is room again, all goes on.

    A change may find room in what the database has already: in the pages of its log that are written again.
    """
    with _small_disk(tmp_path / "disk", megabytes=24) as disk:
        _check(_run(_file(disk), tmp_path, FullDisk(disk)), unchanged=False)


def test_files_that_cannot_grow(tmp_path: Path) -> None:
    """The same where a process may write no further."""
    _check(_run(_file(tmp_path), tmp_path, GrowthLimit()), unchanged=False)


@pytest.mark.parametrize(("fault", "reads"), [("read-only", True), ("error", False)])
def test_a_disk_that_fails(tmp_path: Path, fault: str, reads: bool) -> None:
    """The same where the disk has become read-only; and where it reports errors, reading doesn't mislead anybody."""
    flag = tmp_path / "flag"
    serve = ("-m", "tests.prove.faulty", str(flag), "serve")
    trouble = Faulty(flag, fault)
    _check(_run(_file(tmp_path), tmp_path, trouble, serve), reads=reads)


def test_a_postgres_that_is_away(
    cluster: Cluster, postgres_url: str, tmp_path: Path
) -> None:
    """While PostgreSQL is down nobody is let in; when it is back, so is everything that was acknowledged."""
    trouble = LostDatabase(cluster)
    report = _run(postgres_url, tmp_path, trouble, operations=_OPERATIONS // 5)
    _check(report, reads=False)


def test_a_postgres_whose_disk_is_full(cluster: Cluster, tmp_path: Path) -> None:
    """While the tokens' disk is full nothing is lost, tokens are verified, and when there is room, all goes on."""
    with _small_disk(cluster.folder / "small", megabytes=32, user=cluster.user) as disk:
        cluster.run(f"CREATE TABLESPACE small LOCATION '{disk}'")
        url = cluster.database("TABLESPACE small")
        try:
            # What fits into a page that there is already is still written.
            _check(_run(url, tmp_path, FullDisk(disk)), unchanged=False)
        finally:
            cluster.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")
            cluster.run("DROP TABLESPACE small")


def _file(folder: Path) -> str:
    return f"sqlite:///{folder}/tokens.db"


def _run(
    database: str,
    folder: Path,
    trouble: Trouble,
    serve: Sequence[str] = PATQL_SERVE,
    operations: int = _OPERATIONS,
) -> Report:
    options = Options(
        database=database,
        folder=folder,
        servers=2,
        products=0,
        operations=operations,
        trouble=trouble,
        serve=serve,
    )
    return uvloop.run(prove(options))


def _check(report: Report, *, reads: bool = True, unchanged: bool = True) -> None:
    """Nothing is wrong; during the trouble there were 503s, and what else was to be; and after it all went on."""
    told = report.text()
    assert not report.violations, told
    during = [
        each
        for each in report.history
        if any(a < each.invoked and each.returned < b for a, b in report.troubled)
    ]
    changes = {each.outcome for each in during if each.act is not Act.VERIFY}
    assert Outcome.UNKNOWN in changes, told  # a 503
    if unchanged:
        assert Outcome.DONE not in changes, told
    if reads:
        seen = {each.outcome for each in during if each.act is Act.VERIFY}
        assert Outcome.DONE in seen, told
        assert seen <= {Outcome.DONE, Outcome.REFUSED}, told
    first = min(end for _, end in report.troubled)
    done = (each for each in report.history if each.outcome is Outcome.DONE)
    afterwards = {each.act for each in done if each.invoked > first}
    assert afterwards >= {Act.VERIFY, Act.ISSUE, Act.REVOKE}, told
