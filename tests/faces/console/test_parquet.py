"""Results as Parquet files."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from patql.engine.lines import Lines
from patql.engine.result import Result, ResultColumn
from patql.faces.console.deliver import Delivery, open_delivery
from patql.faces.console.sink import StandardOutput
from patql.kernel.errors import Code, PatqlError

SECRET = "pql_" + "Z9" * 33


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The relational engine, and what reads the files."""
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def selected(connection: duckdb.DuckDBPyConnection, sql: str, **more: Any) -> Result:  # noqa: ANN401
    """A result as the relational engine gives it."""
    relation = connection.sql(sql).materialize()
    kinds = zip(relation.columns, relation.types, strict=True)
    columns = tuple(ResultColumn(name, str(kind)) for name, kind in kinds)
    return Result(columns, relation, **more)


def deliver(result: Result, path: Path, secrets: Path | None = None) -> str:
    """What reads the file of a result, in a query."""
    with contextlib.closing(open_delivery("parquet", path, secrets)) as delivery:
        delivery.deliver(result)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return f"read_parquet('{path}')"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("NULL::BIGINT", "BIGINT"),
        ("(-128)::TINYINT", "TINYINT"),
        ("18446744073709551615::UBIGINT", "UBIGINT"),
        ("0.1::FLOAT", "FLOAT"),
        ("'nan'::DOUBLE", "DOUBLE"),
        ("1.50::DECIMAL(10,2)", "DECIMAL(10,2)"),
        ("(SELECT sum(9223372036854775807) FROM range(3))", "DECIMAL(38,0)"),
        ("5::UHUGEINT", "DECIMAL(38,0)"),
        ("true", "BOOLEAN"),
        ("'日本'", "VARCHAR"),
        ("''", "VARCHAR"),
        (r"'\x00\xFF'::BLOB", "BLOB"),
        ("'0110'::BIT", "VARCHAR"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "UUID"),
        ("'x'::ENUM('x', 'y')", "VARCHAR"),
        ("DATE '2026-01-02'", "DATE"),
        ("TIME '03:04:05.000001'", "TIME"),
        ("TIMETZ '03:04:05+02'", "VARCHAR"),
        ("TIMESTAMP '2026-01-02 03:04:05.678901'", "TIMESTAMP"),
        ("TIMESTAMPTZ '2026-01-02 03:04:05+02'", "TIMESTAMP WITH TIME ZONE"),
        ("TIMESTAMP_NS '2026-01-02 03:04:05.678901234'", "TIMESTAMP_NS"),
        ("INTERVAL '1 month 2 days 00:00:00.000003'", "VARCHAR"),
        ("""'{"a": [1, null]}'::JSON""", "JSON"),
        ("{'a': 1, 'b': [1, NULL]}", "STRUCT(a INTEGER, b INTEGER[])"),
        ("{'j': '[1]'::JSON, 'u': uuid()}", "STRUCT(j JSON, u UUID)"),
        ("{'HUGEINT': 1, 'i': [INTERVAL 1 DAY]}", "STRUCT(HUGEINT INTEGER, i VARCHAR[])"),
        ("[['a'], []]", "VARCHAR[][]"),
        ("MAP {'k': 1, 'l': NULL}", "MAP(VARCHAR, INTEGER)"),
    ],
)  # fmt: skip
def test_a_value_reads_back(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, value: str, kind: str
) -> None:
    """Of the same type, or as exact text where Parquet or Arrow has no such type."""
    connection.execute(f"CREATE TABLE before AS SELECT {value} AS x")
    file = deliver(selected(connection, "FROM before"), tmp_path / "out")
    assert [*map(str, connection.sql(f"FROM {file}").types)] == [kind]
    texts = [
        connection.sql(f"SELECT CAST(x AS VARCHAR) FROM {table}").fetchall()
        for table in ("before", file)
    ]
    assert texts[0] == texts[1]


def test_columns_of_one_name_stay_apart(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Whatever the name."""
    columns = tuple(ResultColumn('a "b"', "VARCHAR") for _ in range(2))
    result = Result(columns, Lines(('a "b"', 'a "b"'), [("x", "y")]))
    read = connection.sql(f"FROM {deliver(result, tmp_path / 'out.parquet')}")
    assert (read.columns, read.fetchall()) == (['a "b"', 'a "b"_1'], [("x", "y")])


def test_a_result_without_rows_has_its_columns(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """And is a whole file."""
    result = selected(connection, "SELECT 1 AS a, uuid() AS b LIMIT 0")
    read = connection.sql(f"FROM {deliver(result, tmp_path / 'out.parquet')}")
    assert (read.columns, [*map(str, read.types)]) == (["a", "b"], ["INTEGER", "UUID"])
    assert read.fetchall() == []


@pytest.mark.parametrize("apart", [False, True])
def test_secrets_are_in_one_place(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, *, apart: bool
) -> None:
    """In the file of results, or in one of their own; then nowhere in the other, whatever RETURNING made of them."""
    result = selected(
        connection,
        f"""SELECT 1 AS id, t || t AS twice, {{'t': [t], 'j': to_json(t)}} AS nested, to_json([t]) AS doc, t AS token,
        t AS again, NULL AS none FROM (VALUES ('{SECRET}'), (NULL), ('')) AS made(t)""",
        once=(4, 5),
    )  # fmt: skip
    file = deliver(result, tmp_path / "out", tmp_path / "secrets" if apart else None)
    read = connection.sql(f"FROM {file}")
    kinds = [*map(str, read.types)]
    assert kinds[2:4] == ["STRUCT(t VARCHAR[], j JSON)", "JSON"]
    shown = SECRET[:16] if apart else SECRET
    first, second, third = read.fetchall()
    assert first[:2] == (1, shown * 2)
    assert first[2:] == (
        {"t": [shown], "j": f'"{shown}"'}, f'["{shown}"]', shown, shown, None,
    )  # fmt: skip
    assert (second[4], third[4]) == (None, "")
    assert (SECRET.encode() in (tmp_path / "out").read_bytes()) is not apart


def test_a_file_holds_one_result(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """What a second one has created is revoked; messages are no results."""
    undone = list[bool]()

    def undo() -> tuple[int, ...]:
        undone.append(True)
        return (5,)

    with contextlib.closing(open_delivery("parquet", tmp_path / "out")) as delivery:
        delivery.deliver(Result(message="1 row updated"))
        assert not (tmp_path / "out").exists()
        delivery.deliver(selected(connection, "SELECT 1 AS a"))
        delivery.deliver(Result(message="1 row updated"))
        with pytest.raises(PatqlError, match="holds one result") as caught:
            delivery.deliver(selected(connection, "SELECT 2 AS a"))
        assert caught.value.code is Code.USAGE
        with pytest.raises(PatqlError, match=r"one result.*revoked again: id 5"):
            delivery.deliver(selected(connection, "SELECT 3 AS a", undo=undo))
    assert undone == [True]
    assert connection.sql(f"FROM read_parquet('{tmp_path}/out')").fetchall() == [(1,)]


def test_what_parquet_cant_hold_is_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """The file that was there stays."""
    (tmp_path / "out").write_text("old")
    result = selected(
        connection, "SELECT 170141183460469231731687303715884105727::HUGEINT AS a"
    )
    with pytest.raises(PatqlError, match="as Parquet: Could not cast value") as caught:
        deliver(result, tmp_path / "out")
    assert caught.value.code is Code.OUTPUT
    assert (tmp_path / "out").read_text() == "old"


def test_a_terminal_gets_none() -> None:
    """It would show noise, and obey some of it."""
    sink = StandardOutput()
    sink.terminal = True
    with pytest.raises(PatqlError, match="--out FILE") as caught:
        Delivery("parquet", sink, None)
    assert caught.value.code is Code.USAGE
