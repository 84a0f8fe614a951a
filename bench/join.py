"""A join whose one side gives a parameter of the other: a request for each of 1,000 values."""

import asyncio
from typing import Any

from bench.byhand import members_of_groups
from bench.pageserver import GROUPS, MEMBERS
from bench.serving import ROOT, TOKEN, compared, raced, serving

from patql import connect
from patql.engine.session import Session
from patql.engine.state import CONCURRENCY

LATENCIES = (5, 0)
BAR = 1.1
PROVIDER = ROOT / "bench" / "groups" / "v1"
QUERY = (
    "SELECT g.name, m.id, m.name, m.admin "
    "FROM groups.groups.groups g JOIN groups.groups.members m ON m.groupId = g.id"
)


def run(rounds: int) -> list[dict[str, Any]]:
    """The members of 1,000 groups as Python rows, against an aiohttp loop that lists the groups and asks for each."""
    return [_compared(latency, rounds) for latency in LATENCIES]


def _compared(latency: int, rounds: int) -> dict[str, Any]:
    with (
        serving(latency=latency) as base,
        connect(
            base,
            token=TOKEN,
            providers={"groups": PROVIDER},
            provider_urls={"groups": base},
        ) as session,
    ):
        times = raced(lambda: _by_sql(session), lambda: _by_hand(base), rounds)
    return compared(
        f"a join that feeds {GROUPS:,} distinct parameters, {latency} ms latency → Python rows",
        f"aiohttp loop, {CONCURRENCY} at once, msgspec structs",
        BAR,
        *times,
    )


def _by_hand(base: str) -> None:
    assert asyncio.run(members_of_groups(base)) == GROUPS * MEMBERS


def _by_sql(session: Session) -> None:
    (result,) = session.run(QUERY)
    assert len(result.rows()) == GROUPS * MEMBERS
