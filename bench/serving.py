"""A server of made-up rows on one core, and a client on another."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.pageserver import PAGES

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "bench" / ".cache"
"""What is slow to make, and the same each time."""

TOKEN = "x"


def cores() -> tuple[int, int]:
    """The core that a load comes from, and the one whose work is measured."""
    client, server = sorted(os.sched_getaffinity(0))[:2]
    return client, server


@contextmanager
def on_core(core: int) -> Generator[None]:
    """Keep this thread, and the processes that it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port that nobody listens on, for a server that wants to be told one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def await_listener(address: str | tuple[str, int]) -> None:
    """Wait until a server listens on a unix socket or a port; one that can't start tells why, and is given up after a minute."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    until = time.monotonic() + 60
    while True:
        try:
            with socket.socket(family) as one:
                return one.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def serving(
    pages: int = PAGES, latency: int = 0, *, own: bool = False
) -> Generator[str]:
    """The base URL of `bench.pageserver` in a process of its own; meanwhile this one, threads included, has another core."""
    before = os.sched_getaffinity(0)
    client, server = cores()
    arguments = [str(server), str(pages), str(latency), *(["own"] if own else [])]
    with subprocess.Popen(
        [sys.executable, "-m", "bench.pageserver", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        os.sched_setaffinity(0, {client})
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v4"
        finally:
            os.sched_setaffinity(0, before)
            process.terminate()


def requests_made(base: str) -> int:
    """How many requests the server at a base URL has had since this was last asked."""
    with urllib.request.urlopen(f"{base.removesuffix('/v4')}/requests") as answer:
        return int(answer.read())


def milliseconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def raced(
    work: Callable[[], object], by_hand: Callable[[], object], rounds: int
) -> tuple[list[float], list[float]]:
    """How long both take in each of the rounds, in milliseconds, as `compared` takes it; a round before fills caches."""
    times = [(milliseconds(by_hand), milliseconds(work)) for _ in range(rounds + 1)]
    return [ours for _, ours in times[1:]], [theirs for theirs, _ in times[1:]]


def compared(
    what: str,
    against: str,
    bar: float | None,
    measured: list[float],
    baseline: list[float],
    unit: str = "ms",
) -> dict[str, Any]:
    """One line of the table: the median of the ratios of rounds, each of which measured both."""
    return {
        "what": what,
        "against": against,
        "ratio": median(a / b for a, b in zip(measured, baseline, strict=True)),
        "bar": bar,
        "unit": unit,
        "value": median(measured),
        "baseline": median(baseline),
    }
