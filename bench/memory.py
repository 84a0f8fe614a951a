"""The most memory that an aggregate takes: rows come and go, however many there are.

`python -m bench.memory URL` computes it and prints what its process has taken at most, in KiB.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.pageserver import ROWS
from bench.serving import ROOT, TOKEN, compared, serving

from patql import connect

FEW, MANY = 400, 2_000
BAR = 1.3
ROUNDS = 3
"""Enough, since memory hardly varies."""
QUERY = (
    "SELECT scopes, count(*), max(created) FROM linode.profile.tokens GROUP BY scopes"
)
SERVERS = {
    "a PatQL server, whose lists have versions": True,
    "another, whose rows' keys are compared": False,
}


def run(rounds: int) -> list[dict[str, Any]]:
    """1,000,000 rows against 200,000, a process for each; from servers of both kinds."""
    return [_compared(name, rounds, own=own) for name, own in SERVERS.items()]


def _compared(server: str, rounds: int, *, own: bool) -> dict[str, Any]:
    taken = {pages: _repeated(pages, rounds, own=own) for pages in (FEW, MANY)}
    return compared(
        f"peak memory of {MANY * ROWS:,} rows → aggregate, from {server}",
        f"the same of {FEW * ROWS:,} rows",
        BAR,
        taken[MANY],
        taken[FEW],
        "MiB",
    )


def _repeated(pages: int, rounds: int, *, own: bool) -> list[float]:
    with serving(pages, own=own) as base:
        return [_taken(base) / 1024 for _ in range(min(rounds, ROUNDS))]


def _taken(base: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", base],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout)


def _aggregate(base: str) -> int:
    """Read and aggregate all rows; the most memory that this process has had, in KiB.

    The resource module would tell that of the process that started this one, where it is more.
    """
    with connect(base, token=TOKEN) as session:
        (result,) = session.run(QUERY)
        assert result.rows()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    assert peak is not None
    return int(peak[1])


if __name__ == "__main__":
    print(_aggregate(sys.argv[1]))
