"""200,000 tokens over HTTP: SQL in, result out, against a loop written by hand."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import msgspec
from bench.pageserver import PAGES, ROWS

from patql import connect
from patql.engine.session import Session
from patql.engine.state import CONCURRENCY

TOKENS = PAGES * ROWS
TOKEN = "x"
TABLE = "linode.profile.tokens"


def _arrow(session: Session) -> int:
    (result,) = session.run(f"SELECT * FROM {TABLE}")
    return int(result.arrow().num_rows)


def _rows(session: Session) -> int:
    (result,) = session.run(f"SELECT * FROM {TABLE}")
    return len(result.rows())


def _two_columns(session: Session) -> int:
    (result,) = session.run(f"SELECT id, label FROM {TABLE}")
    return int(result.arrow().num_rows)


def _aggregate(session: Session) -> int:
    (result,) = session.run(
        f"SELECT expiry IS NULL AS never, count(*) AS tokens FROM {TABLE} GROUP BY ALL"
    )
    return sum(tokens for _, tokens in result.rows())


CASES: tuple[tuple[str, float, Callable[[Session], int]], ...] = (
    ("Arrow", 1.1, _arrow),
    ("Python rows", 1.5, _rows),
    ("Arrow, two columns", 0.75, _two_columns),
    ("one aggregate", 0.75, _aggregate),
)


def run(rounds: int) -> list[dict[str, Any]]:
    """Each case against an aiohttp loop that decodes every page to dicts with msgspec; in turns, after one of each.

    The server has a core of its own, and all of the client, its threads included, shares the other.
    """
    client, server = sorted(os.sched_getaffinity(0))[:2]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {client})
    try:
        with _serving(server) as base, connect(base, token=TOKEN) as session:
            times = [_round(session, base) for _ in range(rounds + 1)][1:]
    finally:
        os.sched_setaffinity(0, before)
    loop, *cases = (list(column) for column in zip(*times, strict=True))
    return [
        {
            "what": f"{TOKENS:,} tokens over HTTP → {name}",
            "against": f"aiohttp loop, {CONCURRENCY} at once, msgspec decode",
            "ratio": median(a / b for a, b in zip(measured, loop, strict=True)),
            "bar": bar,
            "unit": "ms",
            "value": median(measured),
            "baseline": median(loop),
        }
        for (name, bar, _), measured in zip(CASES, cases, strict=True)
    ]


@contextmanager
def _serving(core: int) -> Generator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.pageserver", str(core)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v4"
        finally:
            server.terminate()


def _round(session: Session, base: str) -> list[float]:
    return [
        _milliseconds(lambda: asyncio.run(_by_hand(base))),
        *(_milliseconds(partial(case, session)) for _, _, case in CASES),
    ]


def _milliseconds(read: Callable[[], int]) -> float:
    begun = time.perf_counter()
    count = read()
    spent = time.perf_counter() - begun
    assert count == TOKENS
    return spent * 1000


async def _by_hand(base: str) -> int:
    """Read the first page, and the others as many at once as a session does."""
    rows: list[object] = []
    decode = msgspec.json.Decoder().decode
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:

        async def read(page: int) -> int:
            url = f"{base}/profile/tokens?page={page}&page_size={ROWS}"
            async with client.get(url) as response:
                content = decode(await response.read())
            rows.extend(content["data"])
            return int(content["pages"])

        others = iter(range(2, await read(1) + 1))

        async def work() -> None:
            for page in others:
                await read(page)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return len(rows)
