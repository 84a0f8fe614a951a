"""The query that gives a parameter its values: what it reads first, and which conditions it keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp
from tests.engine.conftest import NOON, Script
from tests.engine.shop import Shop, provider

from patql.catalog.names import Catalog
from patql.engine.bind import bind
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.feed import Feed, dependencies
from patql.engine.session import Session
from patql.kernel.clock import ManualClock

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("feeds.yaml").read_text("utf-8")
)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One of the shop, which nothing is asked of."""
    catalog = Catalog((provider("acme"),))
    with Session(catalog, Shop([]), ManualClock(NOON), Script()) as session:
        yield session


@pytest.mark.parametrize("case", CASES, ids=[case["sql"] for case in CASES])
def test_feed(session: Session, case: dict[str, Any]) -> None:
    """Of the table that is fed: the links that can be followed, and the query for their values together."""
    tree = sqlglot.parse_one(case["sql"], dialect=DIALECT)
    assert isinstance(tree, exp.Expr)
    state = session.state
    bound = bind(tree, state, Constants(state.relational))
    (fed,) = (o for o in bound.occurrences if o.links)
    links = [link for each in fed.links.values() for link in each]
    known = [link for link in links if dependencies(link, bound) is not None]
    read = set[str]()
    for link in known:
        for at in dependencies(link, bound) or ():
            read.add(bound.occurrences[at].table.alias_or_name)
    assert (sorted(read) if known else None) == case["reads"]
    assert (Feed(known, bound).sql() if known else None) == case.get("query")
