"""DuckDB's statements give through PatQL what they give in DuckDB."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import Served

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, SqlError

STATEMENTS = [
    line
    for line in Path(__file__)
    .with_name("statements.sql")
    .read_text("utf-8")
    .splitlines()
    if line and not line.startswith("--")
]
ROWS = [
    {
        "id": n,
        "created": f"2026-01-0{n}T0{n}:00:00",
        "expiry": None if n % 3 else f"2027-01-0{n}T00:00:00",
        "label": f"l{n % 4}" if n != 7 else "L7_x",
        "scopes": "linodes:read_only" if n % 2 else "",
        "token": f"pql_{n:012}",
    }
    for n in range(1, 9)
]
COLUMNS = "id BIGINT, created VARCHAR, expiry VARCHAR, label VARCHAR, scopes VARCHAR, token VARCHAR"


def page() -> bytes:
    """The list of all rows, as one page."""
    return msgspec.json.encode(
        {"data": ROWS, "page": 1, "pages": 1, "results": len(ROWS)}
    )


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A session over a server that has just these rows."""
    each = {
        f"GET /profile/tokens/{r['id']}": (200, msgspec.json.encode(r)) for r in ROWS
    }
    missing = (404, b'{"errors": [{"reason": "Not found"}]}')
    each["GET /profile/tokens/0"] = missing
    transport = Served({"GET /profile/tokens": (200, page()), **each})
    catalog = Catalog((builtin("linode"),))
    with Session(catalog, transport, ManualClock(NOON), Script()) as session:
        yield session


@pytest.fixture(scope="module")
def table() -> Iterator[duckdb.DuckDBPyConnection]:
    """The same rows in a DuckDB of their own."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("ATTACH ':memory:' AS linode; CREATE SCHEMA linode.profile")
    connection.execute(f"CREATE TABLE linode.profile.tokens ({COLUMNS})")
    insert = "INSERT INTO linode.profile.tokens VALUES (?, ?, ?, ?, ?, ?)"
    for row in ROWS:
        connection.execute(insert, list(row.values()))
    yield connection
    connection.close()


def test_there_are_enough() -> None:
    """The table of statements covers the language."""
    assert len(STATEMENTS) >= 100


@pytest.mark.parametrize("generated", [False, True])
@pytest.mark.parametrize("sql", STATEMENTS)
def test_same_answer(
    session: Session, table: duckdb.DuckDBPyConnection, sql: str, generated: bool
) -> None:
    """The same rows of the same types: as written, and (the backticks see to it) as generated."""
    raw = table.sql(sql)
    expected = raw.fetchall()
    ours = sql.replace("linode.profile", "`linode`.profile") if generated else sql
    (result,) = session.run(ours)
    assert _plain(result.rows()) == _plain(expected)
    assert [column.type for column in result.columns] == [
        str(kind) for kind in raw.types
    ]
    if not generated:
        assert [column.name for column in result.columns] == list(raw.columns)


def _plain(rows: list[Any]) -> list[str]:
    return [repr(row) for row in rows]


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'x.db' AS x",
        "COPY (SELECT 1) TO 'x.csv'",
        "CREATE SCHEMA x",
        "DROP TABLE x",
        "EXPORT DATABASE 'x'",
        "IMPORT DATABASE 'x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '1GB'",
        "RESET memory_limit",
        "CALL pragma_version()",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "EXPLAIN PREPARE p AS SELECT 1",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "TRUNCATE linode.profile.tokens",
        "ALTER TABLE linode.profile.tokens RENAME TO x",
        "MERGE INTO linode.profile.tokens USING x ON true WHEN MATCHED THEN DELETE",
        "DETACH linode",
        "COMMENT ON TABLE linode.profile.tokens IS 'x'",
        "REGISTRY PULL x",
    ],
)
def test_other_statements_are_refused(session: Session, sql: str) -> None:
    """Only the kinds that are named pass; none of the others reaches DuckDB."""
    with pytest.raises(SqlError) as refused:
        list(session.run(sql))
    assert refused.value.code in {Code.UNSUPPORTED, Code.SYNTAX, Code.UNKNOWN_NAME}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM read_json('/etc/hostname')",
        "SELECT * FROM read_parquet('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM parquet_metadata('/etc/hostname')",
        "SELECT getenv('HOME')",
        "SELECT * FROM sniff_csv('/etc/hostname')",
        "SELECT * FROM sqlite_scan('x.db', 'y')",
        "SELECT * FROM pytest",
        "SELECT * FROM ROWS",
        "SELECT nextval('x')",
        "SELECT * FROM query('COPY (SELECT 1) TO ''x''')",
        "SELECT 1; ATTACH 'x.db'",
    ],
)
def test_no_way_out(session: Session, sql: str) -> None:
    """No function reads a file, the environment or a Python variable."""
    with pytest.raises(SqlError):
        list(session.run(sql))


def test_configuration_is_locked(session: Session) -> None:
    """The relational engine can't be opened again from inside."""
    connection = session.state.relational._connection
    with pytest.raises(duckdb.Error, match="locked"):
        connection.execute("SET enable_external_access = true")
    settings = dict(
        connection.execute("SELECT name, value FROM duckdb_settings()").fetchall()
    )
    assert settings["TimeZone"] == "UTC"
    assert settings["temp_directory"] == ""
    assert settings["enable_external_access"] == "false"
