"""DELETE by a predicate: a list is read, and each row that matches deleted by a request of its own."""

import asyncio
from typing import Any

from bench.byhand import delete_tokens
from bench.pageserver import ROWS
from bench.serving import TOKEN, compared, raced, serving

from patql import connect
from patql.engine.session import Session
from patql.engine.state import CONCURRENCY

PAGES = 4
MATCHING = PAGES * ROWS // 2
LATENCIES = (5, 0)
BAR = 1.2


def run(rounds: int) -> list[dict[str, Any]]:
    """1,000 of 2,000 tokens, against an aiohttp loop that sends the same requests."""
    return [_compared(latency, rounds) for latency in LATENCIES]


def _compared(latency: int, rounds: int) -> dict[str, Any]:
    with serving(PAGES, latency) as base, connect(base, token=TOKEN) as session:
        session.state.unbatched.add(base)  # as it is known after the first statement
        times = raced(lambda: _by_sql(session), lambda: _by_hand(base), rounds)
    return compared(
        f"DELETE of {MATCHING:,} of {PAGES * ROWS:,} tokens by predicate, a request each, {latency} ms latency",
        f"aiohttp loop, {CONCURRENCY} at once, msgspec structs",
        BAR,
        *times,
    )


def _by_hand(base: str) -> None:
    assert asyncio.run(delete_tokens(base, lambda number: number % 2 == 0)) == MATCHING


def _by_sql(session: Session) -> None:
    (result,) = session.run("DELETE FROM linode.profile.tokens WHERE id % 2 = 0")
    assert result.message == f"{MATCHING} rows deleted"
