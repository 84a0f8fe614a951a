"""Every case of resources.yaml: the requests that a query makes of the shop, and its answer."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.shop import FILE, Shop, provider

from patql.catalog.names import Catalog
from patql.engine.result import Result
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import PatqlError

CASES: list[dict[str, Any]] = FILE["cases"]
OURS = "SELECT id FROM acme.shop.things WHERE note IS NULL"
"""After it, the session knows that the server of acme is one of ours."""

THINGS = [f"GET /things?page={n}&page_size=4" for n in (1, 2, 3)]
"""What reading the whole list of things takes."""


def requests(case: dict[str, Any]) -> list[str]:
    """The requests of a case; THINGS stands for reading that list, and a filter alone for its first page."""
    found: list[str] = []
    for each in case["requests"]:
        if each == "THINGS":
            found += THINGS
        else:
            found.append(f"{THINGS[0]} {each}" if each.startswith("{") else each)
    return sorted(found)


def in_order(rows: Iterable[Sequence[object]], sql: str) -> list[list[object]]:
    """Rows as they are where a query orders them, else sorted."""
    found = [list(row) for row in rows]
    return found if "ORDER BY" in sql else sorted(found, key=repr)


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{n}-{c['sql'][:80]}" for n, c in enumerate(CASES)]
)
def test_case(case: dict[str, Any]) -> None:
    """The query asks for just these requests, in any order, and gives just these rows."""
    sent: list[str] = []
    serving = {key: case[key] for key in ("changes", "fails") if key in case}
    session = Session(
        Catalog((provider("acme"), provider("rival"))),
        Shop(sent, **serving),
        ManualClock(NOON),
        script := Script(),
        transports={"rival": Shop(sent, ours=False, **serving)},
        options=Options(concurrency=case.get("concurrency", 16)),
    )
    result, error = Result(), None
    with session:
        if case.get("warm"):
            list(session.run(OURS))
            sent.clear()
        try:
            for each in session.run(case["sql"]):
                result = each
        except PatqlError as raised:
            error = raised
        assert sorted(sent) == requests(case)
        assert (error.code if error else None) == case.get("error"), error
        if "columns" in case:
            assert [column.name for column in result.columns] == case["columns"]
        if "rows" in case:
            expected = in_order(case["rows"], case["sql"])
            assert in_order(result.rows(), case["sql"]) == expected
    assert case.get("says", "") in "\n".join([str(error or ""), *script.notes])
    assert script.notes == [] or error or "says" in case
