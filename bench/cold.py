"""A cold start: one query of the embedded authority, from the first byte of the interpreter to its end."""

import compileall
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import patql
from patql.compose import Authority, keep_embedded
from patql.config import read

TOKENS = 500
BAR = 1.25
REPEATS = 7
"""Starts of each in a round, of which the median counts."""

START = "import sys; from patql.__main__ import main; sys.exit(main())"
"""What the installed script `patql` does."""
QUERY = "SELECT id, label FROM linode.profile.tokens"
IMPORTS = "import sqlglot, duckdb, apsw, msgspec, arro3.core; duckdb.connect()"


def run(rounds: int) -> list[dict[str, Any]]:
    """`patql` with one SELECT of 500 tokens, against importing the libraries that it stands on; both in turns."""
    compileall.compile_dir(Path(patql.__file__).parent, quiet=1)  # as pip does
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PATQL_DATA_DIR": folder}
        for name in ("PATQL_URL", "PATQL_TOKEN", "LINODE_TOKEN"):
            environment.pop(name, None)
        _fill(environment)
        query = [sys.executable, "-c", START, QUERY]
        commands = (
            query,
            [sys.executable, "-c", IMPORTS],
            [sys.executable, "-c", "pass"],
        )
        printed = subprocess.run(
            query, env=environment, check=True, capture_output=True, text=True
        )
        assert len(printed.stdout.splitlines()) == TOKENS + 2
        times = [_round(commands, environment) for _ in range(rounds)]
    ours, libraries, nothing = (list(column) for column in zip(*times, strict=True))
    common = {
        "what": f'cold `patql "{QUERY}"`, embedded, {TOKENS} tokens, whole process',
        "unit": "ms",
        "value": median(ours),
    }
    return [
        common
        | {
            "against": f'python -c "{IMPORTS}"',
            "ratio": median(a / b for a, b in zip(ours, libraries, strict=True)),
            "bar": BAR,
            "baseline": median(libraries),
        },
        common
        | {
            "against": "python -c pass",
            "ratio": median(a / b for a, b in zip(ours, nothing, strict=True)),
            "bar": None,
            "baseline": median(nothing),
        },
    ]


def _fill(environment: dict[str, str]) -> None:
    settings = read(environment)
    with Authority(settings.data_dir / "tokens.db") as authority:
        root = authority.issue("bench", label="root", scopes="*")
        for number in range(1, TOKENS):
            authority.issue(
                "bench", label=f"token {number}", scopes="linodes:read_only"
            )
    keep_embedded(settings, root.secret)


def _round(commands: tuple[list[str], ...], environment: dict[str, str]) -> list[float]:
    """The median of some starts of each, in milliseconds."""
    times: list[list[float]] = []
    for _ in range(REPEATS):
        times.append([])
        for command in commands:
            begun = time.perf_counter()
            subprocess.run(
                command, env=environment, check=True, stdout=subprocess.DEVNULL
            )
            times[-1].append((time.perf_counter() - begun) * 1000)
    return [median(column) for column in zip(*times, strict=True)]
