"""Every case of queries.yaml: the requests that a statement makes, and its answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.engine.conftest import World

from patql.engine.result import Result
from patql.kernel.errors import PatqlError

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("queries.yaml").read_text("utf-8")
)
LIST = "GET /profile/tokens?page=1&page_size=500"
SECRET = "a secret of 65 characters"


def run(world: World, sql: str) -> tuple[list[Result], PatqlError | None]:
    """The results of a statement, and the error that ended it."""
    results: list[Result] = []
    try:
        results.extend(world.session.run(sql))
    except PatqlError as error:
        return results, error
    return results, None


def rows_of(result: Result) -> list[list[object]]:
    """Rows with each full secret as one word."""
    return [
        [
            SECRET
            if isinstance(v, str) and v.startswith("pql_") and len(v) == 65
            else v
            for v in row
        ]
        for row in result.rows()
    ]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{n}-{c['sql'][:80]}" for n, c in enumerate(CASES)]
)
def test_case(world: World, case: dict[str, Any]) -> None:
    """The statement asks for just these requests, and gives just these rows."""
    world.script.consent = case.get("consent")
    results, error = run(world, case["sql"])
    assert world.transport.sent == [
        LIST if r == "LIST" else r for r in case["requests"]
    ]
    assert (error.code if error else None) == case.get("error")
    result = results[0] if results else Result()
    if "columns" in case:
        assert [column.name for column in result.columns] == case["columns"]
    if "rows" in case:
        expected = [
            [SECRET if v == "SECRET" else v for v in row] for row in case["rows"]
        ]
        assert rows_of(result) == expected
    if "message" in case:
        assert result.message == case["message"]
    if "says" in case:
        assert case["says"] in "\n".join([str(error or ""), *world.script.notes])
    if "then" in case:
        assert rows_of(next(world.session.run(case["then"]))) == case["leaves"]
    told = "\n".join([str(error or ""), *world.script.notes, *world.script.questions])
    assert not any(secret.reveal() in told for secret in world.secrets)
