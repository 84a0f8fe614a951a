"""As if every row of the resource had been in a table: random queries over random APIs, asked of PatQL and of DuckDB.

A failure names the query's number, its simplest form, and the resources behind it. `PATQL_SEED=number` asks it again;
`python -m tests.engine.differential --queries 200000` asks as many as one likes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.differential.check import (
    PER_WORLD,
    Both,
    check_each,
    check_world,
    opened_world,
)
from tests.engine.differential.fixed import PITFALLS, fixed_world
from tests.engine.differential.grammar import Case
from tests.engine.differential.oracle import open_oracle
from tests.engine.differential.server import Server, serving
from tests.engine.differential.tokens import make_tokens

LONG = os.environ.get("PATQL_LONG") == "1"
SEED = os.environ.get("PATQL_SEED")

BLOCKS = 8
WORLDS = 1 + (10_000 if LONG else 1_000) // BLOCKS // PER_WORLD
"""Random APIs in each block, which processes may share out."""

REFUSED = 0.05
"""The largest share of queries that may be refused among those over resources that need parameters."""

FAILED = 0.02
"""The largest share of queries that may fail with both: random text isn't always a query."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Answers for the random APIs, over HTTP."""
    with serving() as server:
        yield server


@pytest.mark.parametrize("block", range(BLOCKS))
def test_same_rows(server: Server, block: int) -> None:
    """Pushdown changes how many requests an answer takes, and nothing else."""
    if SEED is not None:
        query = int(SEED)
        if query // PER_WORLD % BLOCKS == block:
            check_world(server, query // PER_WORLD, query % PER_WORLD + 1)
        return
    told = check_world(server, block)
    for number in range(block + BLOCKS, BLOCKS * WORLDS, BLOCKS):
        told += check_world(server, number)
    assert told["refused"] <= REFUSED * told["fed"]
    assert told["failed"] <= FAILED * told["asked"]


@pytest.mark.parametrize(
    ("sql", "told"), [(sql, told) for told, each in PITFALLS.items() for sql in each]
)
def test_pitfall(server: Server, sql: str, told: str) -> None:
    """A statement that was once answered wrongly is answered as by DuckDB, or refused where that can't be had."""
    with opened_world(server, fixed_world()) as both:
        assert both.check(Case(ours=sql, theirs=sql, fed=told == "refused")) == told


@pytest.mark.parametrize("count", [40, 640])
def test_same_tokens(tmp_path: Path, count: int) -> None:
    """The same over the built-in resource, through the real API, on one page and on two."""
    embedded, table = make_tokens(tmp_path, count)
    oracle = open_oracle([table])
    queries = range((1_000 if LONG else 100) * 40 // count)
    told = check_each(Both([table], embedded.session, oracle), queries)
    assert told["failed"] <= FAILED * told["asked"]
    embedded.session.close()
    oracle.close()
