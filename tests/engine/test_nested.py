"""Statements over nested values, and over values that contradict the document, from text to rows."""

from typing import Any

import msgspec
import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import Answer, Served

from patql.catalog.document import (
    Access,
    Column,
    Method,
    Paging,
    Parameter,
    Provider,
    Resource,
    Service,
)
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError

COLUMNS = (
    Column("id", "integer"),
    Column("login", "string"),
    Column("owner", "object", shape='STRUCT("login" VARCHAR, "id" BIGINT)'),
    Column("tags", "array", shape="VARCHAR[]"),
    Column("more", "object"),
)
LIST = Method(
    *("list", Access.SELECT, "list", "GET", "/things", ""),
    parameters=(Parameter("page", "query", "integer"),),
    columns=COLUMNS,
    object_key="data",
    paging=Paging("page", "pages", results_key="results"),
)
GET = Method(
    *("get", Access.SELECT, "get", "GET", "/things/{thingId}", ""),
    parameters=(Parameter("thingId", "path", "integer", True, key_column="id"),),
    columns=COLUMNS,
)
ROWS: list[dict[str, object]] = [
    {
        "id": 1,
        "login": "outer",
        "owner": {"login": "ada", "id": 10},
        "tags": ["x", "y"],
        "more": {"k": "v", "n": 9, "zip": "12345"},
    },
    {"id": 2, "owner": None, "tags": [], "more": {"n": 10}},
    {"id": 3, "owner": {"login": "eve"}},
]


def page(rows: list[dict[str, object]], pages: int = 1, results: int = 0) -> Answer:
    """A page of the list."""
    body = {"data": rows, "pages": pages, "results": results or len(rows)}
    return 200, msgspec.json.encode(body)


class Asked:
    """A session over canned answers: `GET /things?page=1` and so on."""

    def __init__(self, answers: dict[str, Answer | list[Answer]]) -> None:
        things = Resource("acme.store.things", "things", "", "", (LIST, GET))
        service = Service("s", "store", "", "", "v1", True, (), (things,))
        catalog = Catalog((Provider("acme", "acme", "v1", "", "", (service,)),))
        self.served = Served(answers)
        self.script = Script()
        self._session = Session(catalog, self.served, ManualClock(NOON), self.script)

    def __call__(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement; `{t}` is the resource."""
        (result,) = self._session.run(sql.format(t="acme.store.things"))
        return result.rows()

    def close(self) -> None:
        """Close the session."""
        self._session.close()


def ask(sql: str, rows: list[dict[str, object]] | None = None) -> list[tuple[Any, ...]]:
    """The rows of one statement over one page."""
    asked = Asked({"GET /things?page=1": page(ROWS if rows is None else rows)})
    try:
        return asked(sql)
    finally:
        asked.close()


STATEMENTS: list[tuple[str, list[list[object]]]] = [
    ("SELECT owner.login FROM {t} ORDER BY id", [["ada"], [None], ["eve"]]),
    ("SELECT login, owner.login FROM {t} WHERE owner.id = 10", [["outer", "ada"]]),
    # A field that is called as a column is.
    ("SELECT owner.id FROM {t}", [[10], [None], [None]]),
    ("SELECT owner.login FROM {t}", [["ada"], [None], ["eve"]]),
    ("SELECT t.owner.id FROM {t} t", [[10], [None], [None]]),
    ("SELECT things.owner.id FROM {t}", [[10], [None], [None]]),
    ("SELECT {t}.owner.id FROM {t}", [[10], [None], [None]]),
    ("SELECT owner.id FROM {t} owner", [[1], [2], [3]]),
    ("SELECT things.id FROM {t}", [[1], [2], [3]]),
    ("SELECT store.things.id FROM {t}", [[1], [2], [3]]),
    ("SELECT id FROM {t} WHERE owner.login = 'ada'", [[1]]),
    ("SELECT id FROM {t} WHERE json_extract(owner, '$.login') = 'ada'", [[1]]),
    ("SELECT id FROM {t} WHERE owner ->> 'login' = 'ada'", [[1]]),
    ("SELECT id FROM {t} WHERE owner -> 'login' = 'ada'", [[1]]),
    ("SELECT id FROM {t} WHERE json_extract(owner, '$.login') LIKE 'e%'", [[3]]),
    ("SELECT id FROM {t} WHERE json_extract(more, '$.zip') = '12345'", [[1]]),
    ("SELECT id FROM {t} WHERE json_extract(more, '$.n') = 10", [[2]]),
    ("SELECT id FROM {t} WHERE owner.id = (SELECT max(owner.id) FROM {t})", [[1]]),
    ("SELECT o.login FROM (SELECT owner AS o FROM {t}) WHERE o.id > 9", [["ada"]]),
    ("WITH w AS (FROM {t}) SELECT w.owner.login FROM w WHERE id = 3", [["eve"]]),
    ("SELECT owner.login AS who FROM {t} GROUP BY who ORDER BY who", [["ada"], ["eve"], [None]]),
    ("SELECT unnest(tags) FROM {t}", [["x"], ["y"]]),
    ("SELECT id, u.tag FROM {t}, unnest(tags) u(tag)", [[1, "x"], [1, "y"]]),
    ("SELECT id, value FROM {t} t, json_array_elements_text(t.tags)", [[1, "x"], [1, "y"]]),
    ("SELECT key, value ->> '$' FROM {t}, json_each(tags) ORDER BY 1", [["0", "x"], ["1", "y"]]),
    ("SELECT tags[1], len(tags), tags ->> 0 FROM {t} WHERE id = 1", [["x", 2, "x"]]),
    ("SELECT owner, tags FROM {t} WHERE owner.id = 10", [[{"login": "ada", "id": 10}, ["x", "y"]]]),
    ("SELECT owner.* FROM {t} WHERE id = 3 AND true", [["eve", None]]),
    ("SELECT iif(owner.id > 9, 'a', 'b'), total(id) FROM {t} GROUP BY 1 ORDER BY 1", [["a", 1.0], ["b", 5.0]]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "rows"), STATEMENTS, ids=[sql[:70] for sql, _ in STATEMENTS]
)
def test_statement(sql: str, rows: list[list[object]]) -> None:
    """Every spelling of a part, wherever it stands."""
    answers: dict[str, Answer | list[Answer]] = {"GET /things?page=1": page(ROWS)}
    answers["GET /things/3"] = (200, msgspec.json.encode(ROWS[2]))
    answers["GET /things/1"] = (200, msgspec.json.encode(ROWS[0]))
    asked = Asked(answers)
    assert sorted(map(repr, asked(sql))) == sorted(repr(tuple(row)) for row in rows)
    asked.close()


@pytest.mark.parametrize(
    "sql", ["SELECT owner.nobody FROM {t}", "SELECT owner.login.x FROM {t}"]
)
def test_field_that_is_not_there(sql: str) -> None:
    """Nothing is asked of the server."""
    asked = Asked({})
    with pytest.raises(PatqlError):
        asked(sql)
    assert asked.served.sent == []
    asked.close()


WIDENED: list[tuple[str, dict[str, object], list[object], str]] = [
    # statement, what the second row is besides its id, its row of the answer, what is told
    ("SELECT id, login FROM {t}", {"login": 5}, [2, "5"], "login isn't always"),
    ("SELECT id, login FROM {t} WHERE true", {"login": True}, [2, "true"], "login"),
    ("SELECT id FROM {t}", {"id": 2**63}, [2**63], "id isn't always of the type integer"),
    ("SELECT id FROM {t}", {"id": 2.5}, [2.5], "is read as DOUBLE"),
    ("SELECT id FROM {t}", {"id": "b"}, ["b"], "is read as VARCHAR"),
    ("SELECT id, owner ->> 'new' FROM {t}", {"owner": {"new": [7]}}, [2, "[7]"], "owner has parts"),
    ("SELECT id, owner.login FROM {t}", {"owner": {"login": "eve", "id": "x"}}, [2, "eve"], "owner"),
    ("SELECT id, owner ->> 'id' FROM {t}", {"owner": {"id": "x"}}, [2, "x"], "owner"),
    ("SELECT id, tags ->> 0 FROM {t}", {"tags": "none"}, [2, None], "tags isn't always as its"),
    ("SELECT id, tags ->> 0 FROM {t}", {"tags": [5]}, [2, "5"], "tags has parts"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "sent", "row", "says"), WIDENED)
def test_contradiction(
    sql: str, sent: dict[str, object], row: list[object], says: str
) -> None:
    """The column widens: no NULL, no error, one warning; and the session knows it from then on."""
    rows: list[dict[str, object]] = [{"id": 1, "login": "a"}, {"id": 2, **sent}]
    asked = Asked({"GET /things?page=1": page(rows)})
    assert tuple(row) in asked(sql)
    (note,) = asked.script.notes
    assert says in note
    assert note.startswith("acme.store.things.")
    tried = len(asked.served.sent)
    assert tuple(row) in asked(sql)
    assert len(asked.served.sent) == tried + 1
    assert asked.script.notes == [note]
    asked.close()


def test_contradictions_of_one_page_take_one_more_reading() -> None:
    """However many columns they are of."""
    rows: list[dict[str, object]] = [
        {"id": "a", "login": 1, "owner": {"x": 1}, "tags": 1}
    ]
    asked = Asked({"GET /things?page=1": page(rows)})
    assert asked("SELECT id, login, owner ->> 'x', tags::VARCHAR FROM {t}") == [
        ("a", "1", "1", "1")
    ]
    assert len(asked.served.sent) == 2
    assert len(asked.script.notes) == 4
    asked.close()


def test_contradiction_on_a_later_page() -> None:
    """The statement is begun again, and no row of the first reading is left."""
    answers: dict[str, Answer | list[Answer]] = {
        "GET /things?page=1": page([{"id": 1}, {"id": 2}], 2, 3),
        "GET /things?page=2": page([{"id": 0.5}], 2, 3),
    }
    asked = Asked(answers)
    assert asked("SELECT sum(id), count(*) FROM {t}") == [(3.5, 3)]
    assert asked("SELECT id FROM {t}") == [(1.0,), (2.0,), (0.5,)]
    asked.close()


def test_contradictions_without_end_are_an_error() -> None:
    """A statement is begun again three times, and no more."""
    contradicted: list[dict[str, object]] = [
        {"id": "a"},
        {"id": "a", "login": 1},
        {"id": "a", "login": 1, "owner": 1},
        {"id": "a", "login": 1, "owner": 1, "tags": 1},
    ]
    for last, tries in ((2, 4), (3, 4)):
        answers: list[Answer] = [page([each]) for each in contradicted[: last + 1]]
        asked = Asked({"GET /things?page=1": answers})
        sql = "SELECT id, login, owner::VARCHAR, tags::VARCHAR FROM {t}"
        if last == 2:
            assert asked(sql) == [("a", "1", "1", None)]
        else:
            with pytest.raises(PatqlError, match="wider types 3 times") as error:
                asked(sql)
            assert error.value.code is Code.BAD_RESPONSE
        assert len(asked.served.sent) == tries
        asked.close()


def test_comparison_with_a_widened_column_says_what_does_not_fit() -> None:
    """Text is no smaller or larger than a number, and nothing is guessed."""
    rows: list[dict[str, object]] = [{"id": 1}, {"id": "b"}]
    with pytest.raises(PatqlError, match="VARCHAR"):
        ask("SELECT id FROM {t} WHERE id > 1", rows)
