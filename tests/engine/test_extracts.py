"""Parts of JSON against text: read as SQLite reads them, wherever DuckDB would fail or compare quotes."""

from collections.abc import Iterator

import pytest
import sqlglot
from sqlglot import exp

from patql.engine.dialect import DIALECT
from patql.engine.extracts import compare_extracts
from patql.engine.functions import restore
from patql.engine.relate import Relational

ROW = """(SELECT '{"s": "ada", "zip": "12345", "n": 10, "t": true, "z": null, "o": {"a": 1}, "a.b": "dot"}'::JSON AS j)"""

CASES = [
    # condition, its value
    ("json_extract(j, '$.s') = 'ada'", True),
    ("'ada' = json_extract(j, '$.s')", True),
    ("(json_extract(j, '$.s')) = ('ada')", True),
    ("json_extract(j, 's') <> 'ada'", False),
    ("j -> 's' = 'ada'", True),
    ("(j -> 's') = 'eve'", False),
    ("j -> 'a.b' = 'dot'", True),
    ("j ->> 's' = 'ada'", True),
    ("json_extract(j, '$.s') IS DISTINCT FROM 'ada'", False),
    ("json_extract(j, '$.s') IN ('ada', 'eve')", True),
    ("json_extract(j, '$.s') NOT IN ('eve')", True),
    ("json_extract(j, '$.s') LIKE 'a%'", True),
    ("json_extract(j, '$.s') ILIKE '%DA'", True),
    ("regexp_matches(json_extract(j, '$.s'), '^ada$')", True),
    ("json_extract(j, '$.s') BETWEEN 'a' AND 'b'", True),
    ("json_extract(j, '$.s') < 'b'", True),
    (
        "CASE json_extract(j, '$.s') WHEN 'eve' THEN false WHEN 'ada' THEN true END",
        True,
    ),
    ("json_extract(j, '$.zip') = '12345'", True),
    ("json_extract(j, '$.n') = '10'", True),
    ("json_extract(j, '$.n') = 10", True),
    ("j -> 'n' = 10", True),
    ("json_extract(j, '$.n') IN (9, 10)", True),
    ("json_extract(j, '$.n') > 9", True),
    ("json_extract(j, '$.t') = 'true'", True),
    ("json_extract(j, '$.z') = 'null'", True),
    ("json_extract(j, '$.z') = 'x'", None),
    ("json_extract(j, '$.gone') = 'x'", None),
    # What is meant as JSON stays JSON.
    ("json_extract(j, '$.s') = '\"ada\"'", True),
    ("json_extract(j, '$.o') = '{\"a\":1}'", True),
    ("json_extract(j, '$.s') LIKE '\"ada\"'", True),
    ("json_extract(j, '$.s') = json_extract(j, '$.s')", True),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Relational]:
    """A relational engine."""
    relational = Relational()
    yield relational
    relational.close()


@pytest.mark.parametrize(("condition", "value"), CASES)
def test_condition(engine: Relational, condition: str, value: object) -> None:
    """The part that is there is compared, without the quotes of JSON."""
    tree = sqlglot.parse_one(f"SELECT {condition} FROM {ROW}", dialect=DIALECT)
    assert isinstance(tree, exp.Query)
    compare_extracts(tree)
    assert engine.run(tree.sql(DIALECT))[1].fetchall() == [(value,)]


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        ("SELECT json_extract(j, '$.s') FROM t", False),
        ("SELECT id FROM t WHERE j ->> 's' = 'x'", False),
        ("SELECT id FROM t WHERE coalesce(j -> 's', '1') = '1'", False),
        ("SELECT id FROM t WHERE j -> 's' = 1", True),
        ("SELECT id FROM t WHERE json_extract(j, '$.s') = 'x'", True),
        ("SELECT CASE WHEN id = 1 THEN j -> 's' END FROM t", False),
    ],
)
def test_whether_the_tree_is_to_be_written_anew(sql: str, changed: bool) -> None:
    """What needn't change is given to DuckDB as it was written."""
    tree = sqlglot.parse_one(sql, dialect=DIALECT)
    assert isinstance(tree, exp.Query)
    assert compare_extracts(tree) is changed


@pytest.mark.parametrize(
    "path",
    [
        *("'a.b'", "'$.a.b'", "'$.\"a.b\"'", "'$..b'", "'/a/b'", "'a b'", "'$.a[*].b'"),
        *(
            "'$.a[#-1]'",
            "'$.a[-1]'",
            "0",
            "-1",
            "'it''s'",
            "'$'",
            "'*'",
            "['$.a', '$.b']",
        ),
    ],
)
@pytest.mark.parametrize("form", ["j -> {}", "j ->> {}", "json_extract_string(j, {})"])
def test_path_survives_a_rewriting(engine: Relational, form: str, path: str) -> None:
    """A statement that has to be written anew asks for the same part."""
    values = """'{"a": {"b": 1}, "a.b": 2, "a b": 3, "it''s": 4, "*": 5}', '{"a": [{"b": 6}, {"b": 7}]}', '[8, 9]'"""
    sql = f"SELECT {form.format(path)} FROM (SELECT unnest([{values}])::JSON AS j)"
    again = sqlglot.parse_one(sql, dialect=DIALECT).sql(DIALECT)
    assert engine.run(again)[1].fetchall() == engine.run(sql)[1].fetchall()


@pytest.mark.parametrize(
    "call", ["datetime('2026-03-01 10:20:30')", "datetime('2026-03-01', '+1 day')"]
)
def test_datetime_survives_a_rewriting(engine: Relational, call: str) -> None:
    """It is SQLite's, not that of another engine."""
    tree = sqlglot.parse_one(f"SELECT {call}", dialect=DIALECT)
    restore(tree)
    given = engine.run(tree.sql(DIALECT))[1].fetchall()
    assert given == engine.run(f"SELECT {call}")[1].fetchall()
