"""Every type of the relational engine, in each format."""

from collections.abc import Iterator

import duckdb
import pytest

from patql.engine.result import Result, ResultColumn
from patql.faces.console.readable import readable
from patql.faces.console.render import FORMATS


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The relational engine."""
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


# What it is in SQL, in a table, and in JSON where that isn't the same.
VALUES: list[tuple[str, str] | tuple[str, str, str]] = [
    ("NULL", "NULL", "null"),
    ("true", "true"),
    ("(-128)::TINYINT", "-128"),
    ("2::HUGEINT * 9223372036854775807", "18446744073709551614"),
    ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
    ("1.50::DECIMAL(10,2)", "1.50"),
    ("123456789012345678901234567890.5::DECIMAL(38,1)", "123456789012345678901234567890.5"),
    ("0.1::FLOAT", "0.1"),
    ("0.1::DOUBLE", "0.1"),
    ("1e300::DOUBLE", "1e+300", "1e300"),
    ("'nan'::DOUBLE", "nan", "null"),
    ("'it''s'", "it's", '"it\'s"'),
    (r"'\xFFa'::BLOB", r"\xFF\x61", r'"\\xFF\\x61"'),
    ("'0110'::BIT", "0110", '"0110"'),
    ("'00000000-0000-0000-0000-000000000001'::UUID", "00000000-0000-0000-0000-000000000001", '"00000000-0000-0000-0000-000000000001"'),
    ("'x'::ENUM('x', 'INTERVAL')", "x", '"x"'),
    ("DATE '2026-01-02'", "2026-01-02", '"2026-01-02"'),
    ("TIME '03:04:05'", "03:04:05", '"03:04:05"'),
    ("TIMETZ '03:04:05+02'", "03:04:05+02:00", '"03:04:05+02:00"'),
    ("TIMESTAMP '2026-01-02 03:04:05'", "2026-01-02 03:04:05", '"2026-01-02T03:04:05"'),
    ("TIMESTAMPTZ '2026-01-02 03:04:05+02'", "2026-01-02 01:04:05+00:00", '"2026-01-02T01:04:05Z"'),
    ("TIMESTAMP_NS '2026-01-02 03:04:05.678901234'", "2026-01-02 03:04:05.678901234", '"2026-01-02 03:04:05.678901234"'),
    ("INTERVAL '1 month 2 days 03:00:00.5'", "1 month 2 days 03:00:00.5", '"1 month 2 days 03:00:00.5"'),
    ("INTERVAL '-3 hours'", "-03:00:00", '"-03:00:00"'),
    ("[1, NULL]", "[1,null]"),
    ("[]", "[]"),
    ("array_value(1, 2)", "[1,2]"),
    ("{'a': 1, 'b': [{'c': 'x'}]}", '{"a":1,"b":[{"c":"x"}]}'),
    ("MAP {'k': 1, 'l': 2}", '{"k":1,"l":2}'),
    ("MAP {1: DATE '2026-01-02'}", '{"1":"2026-01-02"}'),
    ("union_value(k := 1)", "1"),
    ("""'{"a": [1, null]}'::JSON""", '{"a": [1, null]}', '{"a":[1,null]}'),
    ("{'d': 1.50, 't': TIMESTAMP '2026-01-02 03:04:05', 'n': NULL}", '{"d":1.50,"t":"2026-01-02T03:04:05","n":null}'),
    ("{'i': [INTERVAL 1 MONTH], 'INTERVAL': 1}", '{"i":["1 month"],"INTERVAL":1}'),
    ("""{'j': '{"a": 1}'::JSON, 'n': NULL::JSON}""", '{"j":{"a":1},"n":null}'),
    ("""{'j': ['[1, 2]'::JSON, NULL], 's': '[1]'}""", '{"j":[[1,2],null],"s":"[1]"}'),
    ("""[{'m': MAP {'k': '"x"'::JSON}}, NULL]""", '[{"m":{"k":"x"}},null]'),
    ("""MAP {'1'::JSON: '2'::JSON}""", '{"1":2}'),
    ("array_value('{}'::JSON, '[]'::JSON)", "[{},[]]"),
    ("['\u202e']", '["\\u202e"]'),
]  # fmt: skip


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case[0])
def test_a_value_in_each_format(
    connection: duckdb.DuckDBPyConnection, case: tuple[str, ...]
) -> None:
    """Exact, on one line, and as JSON where it has parts; in JSON as a part of it."""
    value, shown, json = case[0], case[1], case[-1]
    relation = connection.sql(f"SELECT {value} AS x").materialize()
    columns = (ResultColumn("x", str(relation.types[0])),)
    result = readable(Result(columns, relation))

    def rendered(output: str) -> str:
        pieces = FORMATS[output](result.columns, result.batches())
        return "".join(pieces).splitlines()[-1]

    assert rendered("table").lstrip() == shown
    assert rendered("jsonl") == f'{{"x":{json}}}'
    in_csv = "" if shown == "NULL" else shown.replace("\\u202e", "\u202e")
    assert rendered("csv").strip('"').replace('""', '"') in {in_csv, shown}


def test_only_what_needs_it_is_cast(connection: duckdb.DuckDBPyConnection) -> None:
    """All else stays as it was, secrets and messages too."""
    relation = connection.sql("SELECT 1 AS a, INTERVAL 1 DAY AS b").materialize()
    columns = (ResultColumn("a", "INTEGER"), ResultColumn("b", "INTERVAL"))
    once, undo = (0,), tuple[int, ...]
    result = readable(Result(columns, relation, message="done", once=once, undo=undo))
    assert result.columns == (columns[0], ResultColumn("b", "VARCHAR"))
    assert result.rows() == [(1, "1 day")]
    assert (result.message, result.once, result.undo) == ("done", once, undo)
    same = Result(columns[:1], relation.project("a"))
    assert readable(same) is same
