"""How many requests a query of 1,000,000 tokens makes that needs one."""

from typing import Any

from bench.pageserver import ROWS
from bench.serving import TOKEN, requests_made, serving

from patql import connect
from patql.engine.session import Session

PAGES = 2_000
TABLE = "linode.profile.tokens"
QUERIES: dict[str, object] = {
    f"SELECT count(*) FROM {TABLE}": PAGES * ROWS,
    f"SELECT id FROM {TABLE} LIMIT 10": 1,
    f"SELECT id, label FROM {TABLE} WHERE id = 700000": 700_000,
}
"""Each with the first value of its answer."""


def run(rounds: int) -> list[dict[str, Any]]:
    """Counted by the server, a PatQL one as its answers go: for the first statement of a session, and for a later one."""
    results: list[dict[str, Any]] = []
    with serving(PAGES, own=True) as base:
        for query, first in QUERIES.items():
            with connect(base, token=TOKEN) as session:
                results += [
                    _counted(session, base, query, first, when)
                    for when in ("first", "later")
                ]
    return results


def _counted(
    session: Session, base: str, query: str, first: object, when: str
) -> dict[str, Any]:
    requests_made(base)
    (result,) = session.run(query)
    assert result.rows()[0][0] == first
    made = requests_made(base)
    return {
        "what": f"`{query}`, {PAGES * ROWS:,} tokens, a session's {when} statement",
        "against": "one",
        "ratio": float(made),
        "bar": 1.0,
        "unit": "requests",
        "value": made,
        "baseline": 1,
    }
