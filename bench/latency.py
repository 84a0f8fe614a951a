"""A list whose server takes its time: what counts is that as many requests as may be are always under way."""

import asyncio
from typing import Any

from bench.byhand import tokens_as_arrow
from bench.pageserver import PAGES, ROWS
from bench.serving import TOKEN, compared, raced, serving

from patql import connect
from patql.engine.session import Session
from patql.engine.state import CONCURRENCY

LATENCY = 30
BAR = 1.05


def run(rounds: int) -> list[dict[str, Any]]:
    """400 pages to Arrow, against an aiohttp loop that decodes each page and makes it columns as soon as it comes."""
    with serving(latency=LATENCY) as base, connect(base, token=TOKEN) as session:
        times = raced(lambda: _by_sql(session), lambda: _by_hand(base), rounds)
    return [
        compared(
            f"{PAGES} pages of {ROWS} tokens, {LATENCY} ms latency each → Arrow",
            f"aiohttp loop, {CONCURRENCY} at once, msgspec structs, arro3 batches",
            BAR,
            *times,
        )
    ]


def _by_hand(base: str) -> None:
    assert asyncio.run(tokens_as_arrow(base)) == PAGES * ROWS


def _by_sql(session: Session) -> None:
    (result,) = session.run("SELECT * FROM linode.profile.tokens")
    assert result.arrow().num_rows == PAGES * ROWS
