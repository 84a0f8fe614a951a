"""Filters for servers: they leave out no row that a condition lets through, and where they are exact no other."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.engine.differential.filters import Filter

from patql.catalog.document import Column
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.nulls import rejects_null
from patql.engine.pushdown import LENGTH, Push, Translator
from patql.engine.pushdown import Filter as Asked
from patql.engine.relate import Relational

HORIZON = "2126-06-15T12:00:00"
KINDS = {"a": "int", "b": "int", "t": "text", "d": "time"}
"""The fields; all but `b` are known to any server, and `d` is never where it is NULL."""

COLUMNS = (
    Column("a", "integer", filterable=True),
    Column("b", "integer", filterable_extension=True, nullable=True),
    Column("t", "string", filterable=True, nullable=True),
    Column(
        "d",
        "string",
        filterable=True,
        nullable=True,
        format="date-time-local",
        never=True,
    ),
    Column("hidden", "integer", nullable=True),
)
ROWS: list[dict[str, Any]] = [
    {"a": a, "b": b, "t": t, "d": d, "hidden": a}
    for a in (0, 1, 2)
    for b in (0, 1, None)
    for t in ("x", "X", "xy", "", None)
    for d in ("2026-01-01T00:00:00", "2026-06-01T00:00:00", None)
]


@pytest.fixture(scope="module")
def relational() -> Iterator[Relational]:
    """One for all, with the rows as a local table."""
    engine = Relational()
    values = ", ".join(
        "({})".format(", ".join(map(_literal, row.values()))) for row in ROWS
    )
    sql = f"CREATE TABLE rows AS SELECT * FROM (VALUES {values}) v(a, b, t, d, hidden)"
    with engine.accepting("CREATE"):
        engine.run(sql, placed=False)
    yield engine
    engine.close()


def _literal(value: object) -> str:
    return "NULL" if value is None else repr(value)


def parsed(condition: str) -> exp.Expr:
    """A condition as WHERE has it."""
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {condition}", dialect=DIALECT)
    found: exp.Expr = tree.args["where"].this
    return found


def translator(relational: Relational) -> Translator:
    """For the columns."""
    return Translator(COLUMNS, Constants(relational), HORIZON, is_column)


def is_column(node: exp.Expr) -> bool:
    """All are of the one table."""
    return isinstance(node, exp.Column)


_COMPARED = st.builds(
    "{} {} {}".format,
    st.sampled_from(["a", "b", "hidden"]),
    st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
    st.sampled_from(["0", "1", "1 + 1", "0.5", "a", "NULL", "'1'"]),
)
_TEXTS = st.builds(
    "t {} {}".format,
    st.sampled_from(
        ["=", "<>", "<", ">=", "LIKE", "NOT LIKE", "ILIKE", "SIMILAR TO", "GLOB"]
    ),
    st.sampled_from(["'x'", "'%x%'", "'_y'", "'%'", "''", "'X' || ''", "NULL"]),
)
_DATES = st.builds(
    "d {} {}".format,
    st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
    st.sampled_from(["'2026-01-01T00:00:00'", "'2026-03-01T00:00:00'", "NULL"]),
)
_OTHERS = st.sampled_from(
    [
        *("b IN (0, 1)", "a IN (1, b)", "NOT b IN (0, 2)", "t IN ('x', 'xy')"),
        *("a BETWEEN 1 AND b", "b BETWEEN 0 AND 1", "a NOT BETWEEN 1 AND 2"),
        *("t = 'x' COLLATE NOCASE", "1 > b"),
        *("d IS NULL", "d IS NOT NULL", "b IS NULL", "NOT b IS NULL", "b IS NOT TRUE"),
        *("length(t) > 1", "t IS DISTINCT FROM 'x'", "a = b", "1 = 1", "false"),
        *("lower(t) = 'x'", "coalesce(b, 5) > 1", "t LIKE 'x!%' ESCAPE '!'"),
    ]
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
    )


CONDITIONS = st.recursive(
    st.one_of(_COMPARED, _TEXTS, _DATES, _OTHERS), _joined, max_leaves=5
)


def met(relational: Relational, condition: str) -> list[int]:
    """Which rows meet a condition, as the relational engine says."""
    sql = f"SELECT list({condition}) FROM (SELECT * FROM rows ORDER BY rowid)"
    _, result = relational.run(sql, placed=False)
    return [at for at, one in enumerate(result.fetchall()[0][0]) if one]


def let_through(asked: Asked, *, ours: bool) -> list[int]:
    """Which rows a server gives for a filter; for a date that is never, a foreign one has a date far ahead."""
    if asked.json is None:
        return list(range(len(ROWS)))
    far = None if ours else "2999-12-31T00:00:00"
    kinds = KINDS if ours else {n: k for n, k in KINDS.items() if n != "b"}
    rows = [{**row, "d": row["d"] or far, "at": at} for at, row in enumerate(ROWS)]
    header = json.dumps(asked.json).encode()
    return [row["at"] for row in Filter(header, kinds, ours=ours).rows(rows)]


@settings(max_examples=200, deadline=None)
@given(conditions=st.lists(CONDITIONS, min_size=1, max_size=3))
@example(conditions=["t NOT LIKE '%x%'"])
@example(conditions=["b > 0"])
@example(conditions=["t = 'X' COLLATE NOCASE"])
def test_no_row_is_left_out_that_meets_the_conditions(
    relational: Relational, conditions: list[str]
) -> None:
    """On a server of ours and on another; an exact filter lets no other through."""
    wanted = met(relational, " AND ".join(f"({each})" for each in conditions))
    trees = list(map(parsed, conditions))
    anywhere, own = translator(relational).filters(trees, outer=False)
    for asked, ours in ((anywhere, False), (own, True)):
        found = let_through(asked, ours=ours)
        assert set(wanted) <= set(found)
        assert not asked.exact or found == wanted


@settings(max_examples=200, deadline=None)
@given(condition=CONDITIONS)
def test_what_rejects_null_is_never_met_by_it(
    relational: Relational, condition: str
) -> None:
    """So that it may be left to the server although a join could put NULLs in the place of the rows."""
    if not rejects_null(parsed(condition)):
        return
    nulls = "SELECT NULL::INT AS a, NULL::INT AS b, NULL::VARCHAR AS t, NULL::VARCHAR AS d, NULL::INT AS hidden"
    sql = f"SELECT count(*) FROM ({nulls}) WHERE {condition}"
    _, result = relational.run(sql, placed=False)
    assert result.fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("condition", "rejects"),
    [
        ("a = 1", True),
        ("1 < a", True),
        ("lower(t) LIKE '%x'", True),
        ("a BETWEEN 1 AND 2", True),
        ("a IN (1, 2)", True),
        ("a = 1 AND b = 2", True),
        ("a = 1 OR b = 2", True),
        ("(a + 1 = 2)", True),
        ("a = 1 OR b IS NULL", False),
        ("a = 1 OR 1 = 1", False),
        ("a IS NULL", False),
        ("a IS NOT NULL", False),
        ("NOT a = 1", False),
        ("coalesce(a, 1) = 1", False),
        ("a IS DISTINCT FROM 1", False),
        ("a IN (SELECT 1)", False),
        ("CASE WHEN a = 1 THEN true ELSE true END", False),
        ("concat(t, '') = ''", False),
    ],
)
def test_what_rejects_null(condition: str, rejects: bool) -> None:
    """Comparisons of what is NULL wherever a column in it is; of others it isn't known."""
    assert rejects_null(parsed(condition)) is rejects


def test_only_what_null_does_not_meet_is_left_to_the_server_beside_an_outer_join(
    relational: Relational,
) -> None:
    """The others are about the rows that the join makes."""
    trees = [parsed("d IS NULL"), parsed("a = 1")]
    _, own = translator(relational).filters(trees, outer=True)
    assert own == Asked({"a": 1}, exact=False)
    _, own = translator(relational).filters(trees, outer=False)
    assert own == Asked({"+and": [{"d": {"+gte": HORIZON}}, {"a": 1}]}, exact=True)


@pytest.mark.parametrize(
    ("order", "asked"),
    [
        ("a", ("a", False)),
        ("a DESC", ("a", True)),
        ("b", ("b", False)),
        ("b DESC", None),
        ("b DESC NULLS FIRST", ("b", True)),
        ("b NULLS FIRST", None),
        ("d DESC NULLS FIRST", ("d", True)),
        ("hidden", None),
        ("a + 1", None),
        ("1", None),
    ],
)
def test_order(
    relational: Relational, order: str, asked: tuple[str, bool] | None
) -> None:
    """A server of ours has NULL as the greatest of all."""
    tree = sqlglot.parse_one(f"SELECT 1 ORDER BY {order}", dialect=DIALECT)
    assert translator(relational).order(tree.args["order"].expressions[0]) == asked


def test_long_conditions_are_left_to_the_relational_engine(
    relational: Relational,
) -> None:
    """Headers have limits on the way; the others are asked for all the same."""
    listed = ", ".join(f"'{n:0100}'" for n in range(LENGTH // 100))
    trees = [parsed("a = 1"), parsed(f"t IN ({listed})"), parsed("a < 2")]
    anywhere, own = translator(relational).filters(trees, outer=False)
    assert own == Asked({"+and": [{"a": 1}, {"a": {"+lt": 2}}]}, exact=False)
    assert anywhere == own


def test_what_a_server_is_asked_for() -> None:
    """Order and number only of a server of ours, and only where its filter is exact."""
    some, exact = Asked({"a": 1}, exact=False), Asked({"b": 1}, exact=True)
    push = Push(some, exact, order=("a", True), limit=3)
    assert push.header(own=False) == b'{"a": 1}'
    assert push.rows(own=False) is None
    asked = json.loads(push.header(own=True))
    assert asked == {"b": 1, "+order_by": "a", "+order": "desc"}
    assert push.rows(own=True) == 3
    assert Push(some, some, order=("a", True), limit=3).header(own=True) == b'{"a": 1}'
    assert Push(Asked(None, exact=True), exact).header(own=False) == b""
