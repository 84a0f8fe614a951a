"""SQLite's functions in the relational engine, against SQLite itself."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from patql.engine.functions import NAMES, needed
from patql.engine.relate import Relational
from patql.kernel.errors import SqlError

NOON = 1_781_524_800
"""2026-06-15T12:00:00 UTC, in seconds."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Relational]:
    """A relational engine at noon."""
    relational = Relational()
    relational.set_now(NOON)
    yield relational
    relational.close()


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    """The real one."""
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


SAME = [
    "iif(1 < 2, 'a', 'b')",
    "iif(1 > 2, 'a', 'b')",
    "iif(NULL, 'a', 'b')",
    "IIF (1 = 1, NULL, 'b')",
    "datetime('2026-03-01T10:20:30')",
    "datetime('2026-03-01 10:20')",
    "datetime('2026-03-01')",
    "datetime('2026-03-01 10:20:30.75')",
    "datetime(NULL)",
    "datetime('2026-03-01', '+1 day')",
    "datetime('2026-03-01', '-1 days')",
    "datetime('2026-03-01', '10 hours')",
    "datetime('2026-03-01', '-90 minutes')",
    "datetime('2026-03-01', '+3600 seconds')",
    "datetime('2026-01-31', '+1 month')",
    "datetime('2026-03-31', '-1 month')",
    "datetime('2024-02-29', '+1 year')",
    "datetime('2026-01-31 23:59:59', '+13 months')",
    "datetime('2026-03-17 10:20:30', 'start of day')",
    "datetime('2026-03-17 10:20:30', 'start of month')",
    "datetime('2026-03-17 10:20:30', 'start of year')",
    "datetime('2026-03-17', 'start of month', '-1 day')",
    "datetime('2026-03-17', '+1 day', 'start of month')",
    "datetime('2026-03-17', NULL)",
    "julianday('2026-03-01')",
    "julianday('2026-03-01 18:00:00')",
    "julianday('2026-03-01', '+1 day')",
    "julianday('2026-03-02') - julianday('2026-03-01')",
    "julianday(NULL)",
    "unixepoch('2026-03-01')",
    "unixepoch('2026-03-01 10:20:30.75')",
    "unixepoch('1969-12-31 23:59:58')",
    "unixepoch('2026-03-01', 'start of year')",
    "unixepoch(NULL)",
    "quote('it''s')",
    "quote('')",
    "quote(5)",
    "quote(-1.5)",
    "quote(NULL)",
    "quote(1 = 1)",
    "json_patch('{\"a\":1}', '{\"b\":2}')",
    "json_patch('{\"a\":1}', '{\"a\":null}')",
    'json_patch(\'{"a":{"b":1,"c":2}}\', \'{"a":{"b":null}}\')',
    # What DuckDB has, and means as SQLite does.
    "ifnull(NULL, 2)",
    "instr('hello', 'l')",
    "substr('hello', 2, 3)",
    "substr('hello', -3)",
    "substr('hello', 0, 2)",
    "hex('abc')",
    "unicode('A')",
    "printf('%d %s %.2f', 5, 'x', 1.5)",
    "nullif(1, 1)",
    "replace('abc', '', 'x')",
    "json_array(1, 'a')",
    "json_object('a', 1)",
    "json_quote('x')",
    "json_array_length('[1, 2]')",
    "json_remove('{\"a\":1,\"b\":2}', '$.a')",
    "'{\"a\":\"x\"}' ->> 'a'",
    "'{\"a\":{\"b\":2}}' ->> '$.a.b'",
]

AGGREGATES = [
    "total(x)",
    "total(x) + 1",
    "group_concat(s)",
    "group_concat(s, '; ')",
    "json_group_array(s)",
    "json_group_object(s, x)",
    "sum(iif(x > 1, 1, 0))",
]
ROWS = "(SELECT 1 AS x, 'a' AS s UNION ALL SELECT 2, 'b' UNION ALL SELECT NULL, 'c')"


def text(value: object) -> str | None:
    """A value as it is printed."""
    return None if value is None else str(value)


def ask(engine: Relational, sql: str) -> Any:  # noqa: ANN401  (any value)
    """The one value of a SELECT."""
    return engine.run(sql)[1].fetchall()[0][0]


@pytest.mark.parametrize("expression", SAME)
def test_same_as_sqlite(
    engine: Relational, sqlite: sqlite3.Connection, expression: str
) -> None:
    """The same value prints."""
    (expected,) = sqlite.execute(f"SELECT {expression}").fetchone()
    assert text(ask(engine, f"SELECT {expression}")) == text(expected)


@pytest.mark.parametrize("rows", [ROWS, f"{ROWS} WHERE 1 = 0"], ids=["some", "none"])
@pytest.mark.parametrize("expression", AGGREGATES)
def test_aggregate_is_the_same_as_in_sqlite(
    engine: Relational, sqlite: sqlite3.Connection, expression: str, rows: str
) -> None:
    """Of rows with a NULL, and of no rows, where both agree on what that is."""
    sql = f"SELECT {expression} FROM {rows}"
    (expected,) = sqlite.execute(sql).fetchone()
    given = ask(engine, sql)
    if expected in ("[]", "{}"):  # DuckDB gives NULL, its own functions' meaning
        assert given is None
    else:
        assert text(given) == text(expected)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST(datetime('now') AS VARCHAR)", "2026-06-15 12:00:00"),
        ("CAST(datetime('now', '-7 days') AS VARCHAR)", "2026-06-08 12:00:00"),
        ("unixepoch('now')", NOON),
        ("datetime('2026-06-15T12:00:00') = now()", True),
        ("datetime(DATE '2026-06-15') < now()", True),
        ("typeof(datetime('now'))", "TIMESTAMP"),
        ("julianday(TIMESTAMP '2026-03-01 12:00:00')", 2461101.0),
        ("regexp_like('linodes:read_only', '^linodes:')", True),
        ("string(5) || string('x')", "5x"),
        ("regexp_like('x', 'y')", False),
        ("regexp_like(NULL, 'y')", None),
        ("regexp_substr('abc123', '[0-9]+')", "123"),
        ("regexp_substr('abc', '[0-9]+')", None),
        ("regexp_substr('abc', 'x*')", ""),
        ("regexp_substr(NULL, 'x')", None),
        ('json_equal(\'{"a": 1, "b": [1, 2]}\', \'{"b":[1,2],"a":1}\')', True),
        ("json_equal('[1, 2]', '[2, 1]')", False),
        ("json_equal('[1, 1]', '[1]')", False),
        ('json_equal(\'{"a": 1}\', \'{"a": "1"}\')', False),
        ("json_equal('{\"a\": null}', '{}')", False),
        ("json_equal(['x'], '[\"x\"]')", True),
        ("json_equal(NULL, '1')", None),
        (
            "(SELECT string_agg(value, '+') FROM json_array_elements_text('[1, \"b\"]'))",
            "1+b",
        ),
        (
            "(SELECT sum(len(v.value)) FROM (SELECT ['ab', 'c'] AS l) t, json_array_elements_text(t.l) v)",
            3,
        ),
        ("(SELECT count(*) FROM json_array_elements_text('[]'))", 0),
    ],
)
def test_value(engine: Relational, expression: str, value: object) -> None:
    """What can't be asked of SQLite: other types, the present, StackQL's own functions."""
    assert ask(engine, f"SELECT {expression}") == value


@pytest.mark.parametrize(
    "expression",
    [
        "datetime('soon')",
        "julianday('')",
        "datetime('2026-03-01', 'weekday 1')",
        "datetime('2026-03-01', '+1 fortnight')",
        "datetime('2026-03-01', 'utc')",
        "json_equal('{', '{}')",
        "aws_policy_equal('{', '{}')",
        "regexp_like('x', '(')",
    ],
)
def test_what_it_can_not_read_is_an_error(engine: Relational, expression: str) -> None:
    """Not a NULL that nobody sees."""
    with pytest.raises(SqlError):
        ask(engine, f"SELECT {expression}")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_function_of_duckdb_is_shadowed(engine: Relational, name: str) -> None:
    """Its functions keep their meaning."""
    sql = f"SELECT count(*) FROM duckdb_functions() WHERE function_name = '{name}' AND NOT database_name = 'temp'"
    assert ask(engine, sql) == 0


def test_only_what_is_called_is_made() -> None:
    """Other statements pay nothing."""
    assert needed("SELECT id, total, quote FROM t WHERE label = 'datetime'") == []
    assert len(needed("SELECT Total(x), total (y)")) == 1
    assert len(needed('SELECT "quote"(x), iif(a, b, c)')) == 2
    assert len(needed("SELECT datetime(x)")) == 4


STATEMENT = (
    '{"Effect": "Allow", "Action": ["s3:Get", "s3:Put"], "Resource": "arn:aws:s3:::b"}'
)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (STATEMENT, STATEMENT, True),
        (STATEMENT, STATEMENT.replace('"s3:Get", "s3:Put"', '"s3:Put", "s3:Get"'), True),
        (STATEMENT, STATEMENT.replace("Effect", "effect"), True),
        (STATEMENT, STATEMENT.replace("arn:aws", "ARN:aws"), True),
        (STATEMENT, STATEMENT.replace('"arn:aws:s3:::b"', '["arn:aws:s3:::b"]'), True),
        (STATEMENT, STATEMENT.replace("Allow", "allow"), False),
        (STATEMENT, STATEMENT.replace("Allow", "Deny"), False),
        (STATEMENT, STATEMENT.replace(', "s3:Put"', ""), False),
        (STATEMENT, STATEMENT.replace("s3:::b", "s3:::B"), False),
        (STATEMENT, STATEMENT.replace("Action", "NotAction"), False),
        ('{"Principal": {"AWS": ["1", "2"]}}', '{"principal": {"aws": ["2", "1"]}}', True),
        ('{"Condition": {"x": ["1", "2"]}}', '{"Condition": {"x": ["2", "1"]}}', False),
        ('{"Condition": {"x": ["1"]}}', '{"Condition": {"x": "1"}}', True),
        ('{"Condition": {"x": [1]}}', '{"Condition": {"x": 1}}', False),
        ('{"Statement": [{"Sid": "1"}, {"Sid": "2"}]}', '{"Statement": [{"Sid": "2"}, {"Sid": "1"}]}', False),
        ('{"Resource": [{"a": 1, "b": 2}]}', '{"Resource": [{"a": 1}, {"b": 2}]}', False),
        ("{}", "[]", False),
        ('{"a": {}}', "{}", False),
        ('{"a": null}', '{"a": "null"}', False),
        ('{"a": null}', "{}", False),
        ("{}", "{}", True),
        (None, "{}", None),
        ("{}", None, None),
    ],
)  # fmt: skip
def test_policies(
    engine: Relational, one: str | None, other: str | None, equal: bool | None
) -> None:
    """Equal where AWS reads them as the same, whichever is first, of constants and of columns."""
    for a, b in ((one, other), (other, one)):
        given = ", ".join("NULL" if x is None else f"'{x}'" for x in (a, b))
        assert ask(engine, f"SELECT aws_policy_equal({given})") == equal
        columns = f"FROM (VALUES ({given})) t(a, b)"
        assert ask(engine, f"SELECT aws_policy_equal(a, b) {columns}") == equal
