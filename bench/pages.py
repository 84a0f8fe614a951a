"""200,000 tokens over HTTP: SQL in, result out, against a loop written by hand."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from bench.byhand import client, pages
from bench.pageserver import PAGES, ROWS
from bench.serving import TOKEN, compared, milliseconds, serving

from patql import connect
from patql.engine.session import Session
from patql.engine.state import CONCURRENCY

TOKENS = PAGES * ROWS
TABLE = "linode.profile.tokens"
UNPUSHED = "id % 2 < 2"
"""A condition that every token meets and no server knows."""


def _arrow(session: Session, sql: str = f"SELECT * FROM {TABLE}") -> int:
    (result,) = session.run(sql)
    return int(result.arrow().num_rows)


def _rows(session: Session, sql: str = f"SELECT * FROM {TABLE}") -> int:
    (result,) = session.run(sql)
    return len(result.rows())


def _aggregate(session: Session) -> int:
    (result,) = session.run(
        f"SELECT expiry IS NULL AS never, count(*) AS tokens FROM {TABLE} GROUP BY ALL"
    )
    return sum(tokens for _, tokens in result.rows())


_FILTERED = f"SELECT * FROM {TABLE} WHERE {UNPUSHED}"

CASES: tuple[tuple[str, float | None, Callable[[Session], int]], ...] = (
    ("Arrow", 1.1, _arrow),
    ("Python rows", 1.5, _rows),
    (
        "Arrow, two columns",
        0.75,
        partial(_arrow, sql=f"SELECT id, label FROM {TABLE}"),
    ),
    ("one aggregate", 0.75, _aggregate),
    ("Arrow, through DuckDB", None, partial(_arrow, sql=_FILTERED)),
    ("Python rows, through DuckDB", None, partial(_rows, sql=_FILTERED)),
)


def run(rounds: int) -> list[dict[str, Any]]:
    """Each case against an aiohttp loop that decodes every page to dicts with msgspec; in turns, after one of each."""
    with serving() as base, connect(base, token=TOKEN) as session:
        times = [_round(session, base) for _ in range(rounds + 1)][1:]
    loop, *cases = (list(column) for column in zip(*times, strict=True))
    return [
        compared(
            f"{TOKENS:,} tokens over HTTP → {name}",
            f"aiohttp loop, {CONCURRENCY} at once, msgspec decode",
            bar,
            measured,
            loop,
        )
        for (name, bar, _), measured in zip(CASES, cases, strict=True)
    ]


def _round(session: Session, base: str) -> list[float]:
    def by_hand() -> None:
        assert asyncio.run(_by_hand(base)) == TOKENS

    def by_sql(case: Callable[[Session], int]) -> None:
        assert case(session) == TOKENS

    return [
        milliseconds(by_hand),
        *(milliseconds(partial(by_sql, case)) for _, _, case in CASES),
    ]


async def _by_hand(base: str) -> int:
    """Read all pages, and keep their rows."""
    rows: list[object] = []
    decode = msgspec.json.Decoder().decode

    def take(body: bytes) -> int:
        content = decode(body)
        rows.extend(content["data"])
        return int(content["pages"])

    async with client() as session:
        await pages(session, f"{base}/profile/tokens", take)
    return len(rows)
