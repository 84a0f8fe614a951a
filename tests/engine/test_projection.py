"""Queries that only choose columns give what the relational engine would give, without it."""

from typing import Any

import msgspec
import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import Served

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.relate import Relational
from patql.engine.session import Session
from patql.kernel.clock import ManualClock

ROWS: list[dict[str, object]] = [
    {
        "id": 1,
        "created": "2026-01-01T00:00:00",
        "expiry": None,
        "label": "a",
        "scopes": "*",
    },
    {"id": 2, "label": None, "expiry": "2999-12-12T05:00:00", "scopes": ""},
    {"id": 3, "label": "é\u202e", "expiry": "2027-01-01T00:00:00", "token": "pql_x"},
]

NOT_FOUND = b'{"errors": [{"reason": "Not found"}]}'

PLAIN = [
    "SELECT * FROM {t}",
    "FROM {t}",
    "SELECT id FROM {t}",
    "SELECT label, id FROM {t}",
    "SELECT expiry FROM {t}",
    "SELECT t.id, t.label FROM {t} t",
    'SELECT "id" AS "a b", LABEL FROM {t}',
    "SELECT tokens.id, expiry AS e, token FROM {t}",
    "SELECT tokenId FROM {t}",
]
OTHER = [
    "SELECT id, id AS again FROM {t}",
    "SELECT id AS x, label AS X FROM {t}",
    "SELECT id + 1 FROM {t}",
    "SELECT * EXCLUDE (id) FROM {t}",
    "SELECT *, id AS again FROM {t}",
    "SELECT DISTINCT label FROM {t} ORDER BY 1",
    "SELECT id FROM {t} LIMIT 2",
    "SELECT id FROM {t} ORDER BY id DESC",
    "SELECT id FROM {t} WHERE id > 1",
    "SELECT t.a FROM {t} t(a, b, c, d, e, f)",
    "SELECT id FROM {t} TABLESAMPLE 100%",
    "SELECT id FROM (SELECT * FROM {t})",
    "SELECT count(*) FROM {t}",
]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the relational engine was told to run."""
    statements: list[str] = []
    run = Relational.run

    def recorded(self: Relational, sql: str, **more: bool) -> object:
        statements.append(sql)
        return run(self, sql, **more)

    monkeypatch.setattr(Relational, "run", recorded)
    return statements


def _values(table: Any, name: str) -> list[object]:  # noqa: ANN401  (its stubs leave the values unknown)
    return list(table[name].to_pylist())


def answers(
    rows: list[dict[str, object]], *statements: str
) -> list[tuple[object, ...]]:
    """Headings, types, rows and Arrow rows of each statement."""
    body = msgspec.json.encode({"data": rows, "pages": 1, "results": len(rows)})
    served = {"GET /profile/tokens": (200, body)}
    for row in rows:
        served[f"GET /profile/tokens/{row['id']}"] = 200, msgspec.json.encode(row)
    served["GET /profile/tokens/7"] = 200, msgspec.json.encode(ROWS[0])
    served["GET /profile/tokens/9"] = 404, NOT_FOUND
    transport = Served(served)
    catalog = Catalog((builtin("linode"),))
    told: list[tuple[object, ...]] = []
    with Session(catalog, transport, ManualClock(NOON), Script()) as session:
        for statement in statements:
            (result,) = session.run(statement)
            table = result.arrow()
            columns = [_values(table, name) for name in table.column_names]
            kinds = [str(table.schema.field(name).type) for name in table.column_names]
            told.append(
                (result.columns, result.rows(), table.column_names, columns, kinds)
            )
    return told


@pytest.mark.parametrize("rows", [ROWS, []], ids=["some", "none"])
@pytest.mark.parametrize("sql", PLAIN)
def test_same_without_the_relational_engine(
    ran: list[str], sql: str, rows: list[dict[str, object]]
) -> None:
    """Headings, types, rows and Arrow are the same as with a condition that is always true."""
    statement = sql.format(t="linode.profile.tokens")
    plain, related = answers(rows, statement, f"{statement} WHERE true")
    assert plain == related
    assert len(ran) == 1


@pytest.mark.parametrize("sql", OTHER)
def test_everything_else_is_left_to_it(ran: list[str], sql: str) -> None:
    """Whatever does more than choose columns."""
    answers(ROWS, sql.format(t="linode.profile.tokens"))
    assert len(ran) == 1


def test_nested_columns_are_left_to_it(ran: list[str]) -> None:
    """Their values are read as their types by it."""
    transport = Served(
        {"GET /profile": (200, b'{"username": "ada", "authorized_keys": ["a", "b"]}')}
    )
    catalog = Catalog((builtin("linode"),))
    with Session(catalog, transport, ManualClock(NOON), Script()) as session:
        (result,) = session.run(
            "SELECT username, authorized_keys FROM linode.profile.profile"
        )
        assert result.rows() == [("ada", ["a", "b"])]
    assert len(ran) == 1


LOOKUPS = [
    "SELECT * FROM {t} WHERE id = 2",
    "SELECT label FROM {t} WHERE (id = 2)",
    "SELECT expiry, id FROM {t} t WHERE t.id = 2",
    "SELECT tokenId FROM {t} WHERE tokenId = 2",
]
NOT_LOOKUPS = [
    "SELECT id FROM {t} WHERE id = 2 AND label = 'a'",
    "SELECT id FROM {t} WHERE id = '2'",
    "SELECT id FROM {t} WHERE id = 2.0",
    "SELECT id FROM {t} WHERE id = 1 + 1",
    "SELECT id FROM {t} WHERE id IN (2)",
    "SELECT id FROM {t} WHERE id = 2 LIMIT 0",
    "SELECT count(*) FROM {t} WHERE id = 2",
]


@pytest.mark.parametrize("sql", LOOKUPS)
def test_a_row_is_looked_up_without_the_relational_engine(
    ran: list[str], sql: str
) -> None:
    """By its key alone; the answer is what it is with a condition more that is always true."""
    statement = sql.format(t="linode.profile.tokens")
    plain, related = answers(ROWS, statement, f"{statement} AND true")
    assert plain == related
    assert len(plain[1]) == 1  # type: ignore[arg-type]
    assert len(ran) == 1


@pytest.mark.parametrize("sql", NOT_LOOKUPS)
def test_other_conditions_are_left_to_it(ran: list[str], sql: str) -> None:
    """Whatever asks for more than a row by its key, or for the key as another type."""
    answers(ROWS, sql.format(t="linode.profile.tokens"))
    assert len(ran) == 1


def test_a_row_that_is_not_there_is_none(ran: list[str]) -> None:
    """An answer of 404 is no row, with the columns that the query chooses."""
    ((columns, rows, names, values, _),) = answers(
        ROWS, "SELECT label FROM linode.profile.tokens WHERE id = 9"
    )
    assert (rows, names, values) == ([], ["label"], [[]])
    assert [column.name for column in columns] == ["label"]  # type: ignore[attr-defined]
    assert ran == []


def test_another_row_than_was_asked_for_is_left_to_it(ran: list[str]) -> None:
    """Where a server answers with another row, the condition holds all the same."""
    ((_, rows, *_),) = answers(
        ROWS, "SELECT label FROM linode.profile.tokens WHERE id = 7"
    )
    assert rows == []
    assert len(ran) == 1
