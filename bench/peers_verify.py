"""What a verification costs in process: `Authority.verify`, against the public calls of two Django packages."""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers_installed import SOURCES, python
from bench.serving import compared

from patql import Authority

TOKENS = 1_000
"""In each database; each is verified once in a turn."""
BAR = 1 / 10
PEERS = {
    "knox": "django-rest-knox, TokenAuthentication().authenticate_credentials",
    "api-key": "djangorestframework-api-key, HasAPIKey().has_permission",
}

_TIMES = (
    20  # that each of our tokens is verified in a turn, which else would be too short
)


def run(rounds: int) -> list[dict[str, Any]]:
    """CPU of one call each, in turns; all over SQLite files in WAL mode, with as many tokens."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Authority(Path(folder, "tokens.db")) as authority,
        _django(Path(folder, "peers.db")) as theirs,
    ):
        secrets = [
            authority.issue(f"user-{n}", scopes="linodes:read_only").secret.reveal()
            for n in range(TOKENS)
        ]
        turns = [
            (_microseconds(authority, secrets), *map(theirs, PEERS))
            for _ in range(rounds + 1)  # the first one fills caches
        ][1:]
    ours, *peers = (list(column) for column in zip(*turns, strict=True))
    return [
        compared(
            f"Authority.verify in process, a scope needed, {TOKENS:,} tokens",
            f"{peer}, no scope",
            BAR,
            ours,
            times,
            "µs CPU a verification",
        )
        for peer, times in zip(PEERS.values(), peers, strict=True)
    ]


def _microseconds(authority: Authority, secrets: list[str]) -> float:
    sample = random.Random(1).sample(secrets * _TIMES, TOKENS * _TIMES)
    verify = authority.verify
    begun = time.thread_time()
    for secret in sample:
        if not verify(secret, "linodes:read_only"):
            raise AssertionError
    return (time.thread_time() - begun) / len(sample) * 1e6


@contextmanager
def _django(path: Path) -> Generator[Callable[[str], float]]:
    """What a call of a peer takes, in microseconds; they run in a process of their own."""
    with subprocess.Popen(
        [python(), "django_calls.py", str(TOKENS)],
        cwd=SOURCES,
        env={**os.environ, "PEERS_DB": str(path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        made = json.loads(process.stdout.readline())
        assert {len(tokens) for tokens in made.values()} == {TOKENS}

        def turn(peer: str) -> float:
            print(peer, file=process.stdin, flush=True)
            assert process.stdout is not None
            return float(process.stdout.readline())

        yield turn
        process.stdin.close()
