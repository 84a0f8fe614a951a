"""Local tables, files, USE and variables: what stands beside resources in a session."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.engine.conftest import NOON, World

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.errors import Code, PatqlError

Open = Callable[..., Session]


@pytest.fixture
def opened(world: World) -> Iterator[Open]:
    """Sessions over one authority, with options."""
    sessions: list[Session] = []

    def open_session(**options: object) -> Session:
        catalog = Catalog((builtin("linode"),))
        session = Session(
            catalog,
            world.transport,
            world.clock,
            world.script,
            options=Options(**options),  # type: ignore[arg-type]
        )
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.state.end()
        if session.state._relational is not None:
            session.state._relational.close()


def run(session: Session, sql: str) -> list[Any]:
    """The last statement's rows, or its message where it has none."""
    *_, last = session.run(sql)
    return last.rows() if last.columns else [last.message]


# A line is a statement and what it gives; the lines of a list run in one session.
TABLES: dict[str, list[tuple[str, list[Any]]]] = {
    "kept rows": [
        (
            "CREATE TABLE kept AS SELECT id, label FROM linode.profile.tokens WHERE id < 4",
            ["table kept made"],
        ),
        ("SELECT count(*) FROM kept", [(3,)]),
        ("FROM main.kept WHERE id = 2", [(2, "ci")]),
        ("SELECT k.label FROM KEPT k WHERE k.ID = 3", [("audit",)]),
        (
            "SELECT t.id FROM linode.profile.tokens t LEFT JOIN kept USING (id) WHERE kept.id IS NULL ORDER BY 1",
            [(4,), (5,)],
        ),
        (
            "INSERT INTO kept SELECT id, label FROM linode.profile.tokens WHERE id = 5",
            ["1 row inserted"],
        ),
        (
            "INSERT INTO kept BY NAME SELECT 'x' AS label, 9 AS id RETURNING id",
            [(9,)],
        ),
        (
            "UPDATE kept SET label = (SELECT max(label) FROM linode.profile.tokens) WHERE id IN "
            "(SELECT id FROM linode.profile.tokens WHERE label = 'ci')",
            ["1 row updated"],
        ),
        ("SELECT label FROM kept WHERE id = 2", [("root",)]),
        (
            "DELETE FROM kept USING linode.profile.tokens t WHERE t.id = kept.id AND t.id > 2 RETURNING kept.id",
            [(3,), (5,)],
        ),
        ("CREATE OR REPLACE TABLE kept AS FROM kept WHERE id = 1", ["table kept made"]),
        ("SELECT id FROM kept", [(1,)]),
        ("DROP TABLE kept", ["table kept dropped"]),
        ("DROP TABLE IF EXISTS kept", ["kept wasn't there"]),
        ("CREATE TABLE IF NOT EXISTS kept (a INTEGER)", ["table kept made"]),
        ("CREATE TABLE IF NOT EXISTS kept (a INTEGER)", ["kept was there already"]),
    ],
    "definitions": [
        ("CREATE TABLE t (a INTEGER, b VARCHAR DEFAULT 'b')", ["table t made"]),
        ("INSERT INTO t (a) VALUES (1), (2)", ["2 rows inserted"]),
        ("INSERT INTO t DEFAULT VALUES", ["1 row inserted"]),
        ("INSERT INTO t VALUES (3, 'c')", ["1 row inserted"]),
        ("ALTER TABLE t ADD COLUMN `c d` INTEGER", ["table t altered"]),
        (
            'UPDATE t SET "c d" = a FROM range(2) r WHERE r.range = t.a',
            ["1 row updated"],
        ),
        (
            'SELECT a, "c d" FROM t ORDER BY 1',
            [(1, 1), (2, None), (3, None), (None, None)],
        ),
        ("CREATE VIEW v AS SELECT a FROM t WHERE a > 1", ["view v made"]),
        ("SELECT count(*) FROM v", [(2,)]),
        ("TRUNCATE t", ["4 rows deleted"]),
        ("SELECT count(*) FROM v", [(0,)]),
        ("DROP VIEW v", ["view v dropped"]),
        ("ALTER TABLE t RENAME TO u", ["table t altered"]),
        ("SELECT count(*) FROM u", [(0,)]),
        ("CREATE TEMP TABLE w AS SELECT 1 AS a", ["table w made"]),
        ("SELECT a FROM temp.main.w", [(1,)]),
        ("WITH c AS (SELECT 7) INSERT INTO w FROM c", ["1 row inserted"]),
        ("CREATE TABLE `my table` AS SELECT 1 AS `a b`", ["table my table made"]),
        ('SELECT "a b" FROM "my table"', [(1,)]),
        ("SELECT t.id FROM w AS t(id)", [(1,), (7,)]),
    ],
    "EXEC as a table": [
        (
            "SELECT label FROM (EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 3) t",
            [("audit",)],
        ),
        (
            "WITH c AS (SELECT * FROM (EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = '2') x) "
            "SELECT t.id, c.label FROM linode.profile.tokens t JOIN c ON c.id = t.id",
            [(2, "ci")],
        ),
        (
            "CREATE TABLE t AS SELECT id, label FROM (EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 2) x",
            ["table t made"],
        ),
        (
            "INSERT INTO t SELECT id, label FROM (EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 3) x",
            ["1 row inserted"],
        ),
        (
            "DELETE FROM t WHERE id IN "
            "(SELECT id FROM (EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 3) x) RETURNING label",
            [("audit",)],
        ),
        ("FROM t", [(2, "ci")]),
    ],
    "names by USE": [
        ("USE linode.profile", ["names may leave out linode.profile"]),
        ("USE LINODE", ["names may leave out linode"]),
        ("USE linode.profile", ["names may leave out linode.profile"]),
        ("SELECT label FROM tokens WHERE tokens.id = 3", [("audit",)]),
        ("SELECT label FROM profile.tokens AS t WHERE t.id = 3", [("audit",)]),
        ("UPDATE tokens SET label = 'x' WHERE tokens.id = 2", ["1 row updated"]),
        (
            "UPDATE tokens SET label = 'y' WHERE id = 4 RETURNING id, label",
            [(4, "y")],
        ),
        (
            "SELECT count(*) FROM (EXEC tokens.getPersonalAccessToken @tokenId = 3) t",
            [(1,)],
        ),
        ("SELECT count(*) >= 4 FROM linode.profile.tokens", [(True,)]),
        ("DELETE FROM tokens WHERE id = 2", ["1 row deleted"]),
        ("CREATE TABLE other AS SELECT id FROM tokens", ["table other made"]),
        ("SELECT count(*) FROM other JOIN tokens USING (id)", [(4,)]),
        ("UPDATE other SET id = 2 WHERE id = 1", ["1 row updated"]),
        ("DELETE FROM other WHERE id IN (SELECT id FROM tokens)", ["3 rows deleted"]),
    ],
}


@pytest.mark.parametrize("case", TABLES)
def test_statements(opened: Open, case: str) -> None:
    """Each gives what DuckDB would, resources being tables."""
    session = opened()
    for sql, expected in TABLES[case]:
        assert sorted(run(session, sql), key=repr) == sorted(expected, key=repr), sql


@pytest.mark.parametrize(
    ("sql", "code", "says"),
    [
        ("CREATE TABLE linode.profile.x AS SELECT 1", "unsupported", "isn't a local"),
        ("CREATE TABLE linode.x (a INTEGER)", "unsupported", "isn't a local table"),
        ("CREATE VIEW LINODE.profile.v AS SELECT 1", "unsupported", "isn't a local"),
        ("DROP TABLE linode.profile.tokens", "unsupported", "isn't a local table"),
        ("DROP VIEW linode.profile.tokens", "unsupported", "isn't a local table"),
        ("TRUNCATE linode.profile.tokens", "unsupported", "isn't a local table"),
        ("ALTER TABLE linode.profile.tokens RENAME TO x", "unsupported", "isn't a"),
        ("REPLACE t SET a = 1", "unsupported", "changed by UPDATE"),
        (
            "CREATE VIEW v AS SELECT * FROM linode.profile.tokens",
            "unsupported",
            "would outlive the rows",
        ),
        ("INSERT INTO nosuch VALUES (1)", "unknown_name", "nosuch"),
        ("CREATE TABLE t AS SELECT 2 AS a", "conflict", 'name "t" already exists'),
        ("ALTER TABLE t ADD COLUMN a INTEGER", "conflict", "already exists"),
        ('DROP TABLE "already exists!"', "unknown_name", "does not exist"),
        ("DROP TABLE nosuch", "unknown_name", "nosuch"),
        (
            "INSERT INTO t SELECT nosuch FROM linode.profile.tokens",
            "unknown_name",
            "nosuch",
        ),
        ("UPDATE t SET a = 'x'", "evaluation", "Could not convert"),
        ("UPDATE EXTENSIONS", "unsupported", "isn't one UPDATE"),
        ("CREATE TABLE a.b.c AS SELECT 1", "unknown_name", "a"),
        ("COPY t TO 'x.csv'", "unsupported", "x.csv is a file"),
        ("USE nosuch", "unknown_name", "nosuch"),
        ("USE linode.nosuch", "unknown_name", "nosuch"),
    ],
)
def test_refused(world: World, opened: Open, sql: str, code: str, says: str) -> None:
    """Resources are changed by their own statements alone, and what fails changes nothing."""
    session = opened()
    run(session, "CREATE TABLE t AS SELECT 1 AS a")
    with pytest.raises(PatqlError) as error:
        run(session, sql)
    assert error.value.code == code
    assert says in str(error.value)
    assert run(session, "FROM t") == [(1,)]
    assert world.transport.sent == []


def test_use_and_a_local_table_of_that_name(opened: Open) -> None:
    """A name that means both is refused."""
    session = opened()
    run(session, "CREATE TABLE tokens AS SELECT 1 AS id; USE linode.profile")
    with pytest.raises(PatqlError, match="is a local table, and by USE linode"):
        run(session, "DELETE FROM tokens WHERE id = 1")
    with pytest.raises(PatqlError, match="is a local table, and by USE linode"):
        run(session, "SELECT * FROM tokens")
    assert run(session, "SELECT * FROM main.tokens") == [(1,)]


def test_local_tables_last(opened: Open, tmp_path: Path) -> None:
    """In the file, which is for its owner alone, as is the log beside it."""
    file = tmp_path / "it's.duckdb"
    first = opened(local=file)
    run(first, "CREATE TABLE t AS SELECT id FROM linode.profile.tokens")
    assert {p.stat().st_mode & 0o777 for p in tmp_path.glob("it's*")} == {0o600}
    assert run(first, "SELECT count(*) FROM t") == [(5,)]
    first.state.relational.close()
    first.state._relational = None
    assert run(opened(local=file), "SELECT count(*) FROM local.main.t") == [(5,)]


def test_local_file_that_is_open_already(opened: Open, tmp_path: Path) -> None:
    """Twice in one process isn't possible, and is said."""
    file = tmp_path / "w.duckdb"
    run(opened(local=file), "SELECT 1")
    with pytest.raises(PatqlError, match="open in another session") as error:
        run(opened(local=file), "SELECT 1")
    assert error.value.code is Code.UNAVAILABLE


@pytest.mark.slow
def test_local_file_of_another_process(opened: Open, tmp_path: Path) -> None:
    """Nor is it in two."""
    file = tmp_path / "w.duckdb"
    program = (
        f"import duckdb, sys; c = duckdb.connect({str(file)!r}); "
        "c.execute('CREATE TABLE t (a INTEGER)'); print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(PatqlError, match="in use by another process") as error:
            run(opened(local=file), "SELECT 1")
        assert error.value.code is Code.UNAVAILABLE
    finally:
        other.communicate()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("notes.txt", "isn't a DuckDB file"),
        ("no/such.duckdb", "can't be opened"),
        (".", "can't be opened"),
    ],
)
def test_local_file_that_is_none(
    opened: Open, tmp_path: Path, name: str, says: str
) -> None:
    """Another kind of file is left as it is."""
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database")
    with pytest.raises(PatqlError, match=says) as error:
        run(opened(local=tmp_path / name), "SELECT 1")
    assert error.value.code is Code.USAGE
    assert notes.read_text() == "not a database"


def test_files(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are read and written where the session can reach them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("name,age\nada,36\nbob,7\n")
    (tmp_path / "one.json").write_text('{"a": 1}')
    session = opened(files=True)
    for sql, expected in [
        ("FROM 'people.csv'", [("ada", 36), ("bob", 7)]),
        ("SELECT p.name FROM 'people.csv' p WHERE p.age > 10", [("ada",)]),
        ("FROM read_csv('people.csv', header = true) LIMIT 1", [("ada", 36)]),
        ("SELECT a FROM 'one.json'", [(1,)]),
        ("SELECT a FROM read_json_auto('one.json')", [(1,)]),
        ("SELECT content FROM read_text('one.json')", [('{"a": 1}',)]),
        ("FROM glob('*.json')", [("one.json",)]),
        (
            "COPY (SELECT id, label FROM linode.profile.tokens) TO 'tokens.parquet' (FORMAT parquet)",
            ["5 rows copied to tokens.parquet"],
        ),
        ("SELECT count(*) FROM 'tokens.parquet'", [(5,)]),
        ("SELECT count(*) FROM read_parquet('tokens.parquet')", [(5,)]),
        (
            "COPY linode.profile.tokens TO 'all.csv' (HEADER)",
            ["5 rows copied to all.csv"],
        ),
        ("CREATE TABLE p AS FROM 'people.csv'", ["table p made"]),
        ("COPY p FROM 'people.csv'", ["2 rows copied from people.csv"]),
        ("COPY p TO 'again.csv'", ["4 rows copied to again.csv"]),
        ("SELECT count(*) FROM p", [(4,)]),
        (
            "INSERT INTO linode.profile.tokens (label, scopes) SELECT name, 'linodes:read_only' FROM 'people.csv' "
            "RETURNING label",
            2,
        ),
    ]:
        found = run(session, sql)
        assert (
            len(found) == expected if isinstance(expected, int) else found == expected
        )
    with pytest.raises(PatqlError, match=r"nosuch\.csv"):
        run(session, "FROM 'nosuch.csv'")
    with pytest.raises(PatqlError):
        run(session, "FROM 'https://example.com/x.csv'")


FROM = "SELECT id, label FROM linode.profile.tokens"
LASTING: list[tuple[str, bool, str]] = [
    # statement, whether --local is given, what is told
    (f"COPY ({FROM}) TO 'FOLDER/out.csv'", False, "COPY to FOLDER/out.csv isn't run"),
    (f"CREATE TABLE new AS {FROM}", True, "CREATE TABLE new isn't run"),
    ("CREATE TABLE new (id INTEGER)", True, "CREATE TABLE new isn't run"),
    ("INSERT INTO kept VALUES (9)", True, "INSERT kept isn't run"),
    ("UPDATE kept SET id = 9", True, "UPDATE kept isn't run"),
    ("DELETE FROM kept", True, "DELETE kept isn't run"),
    ("DROP TABLE kept", True, "DROP TABLE kept isn't run"),
    ("CREATE TABLE new AS SELECT 1 AS id", False, "table new made"),
]


@pytest.mark.parametrize(("sql", "lasts", "told"), LASTING)
def test_dry_run_leaves_what_lasts(
    opened: Open, tmp_path: Path, sql: str, told: str, *, lasts: bool
) -> None:
    """It says what it would do; tables that go with the session are made, for those who read them."""
    file = tmp_path / "kept.duckdb"
    if lasts:
        with duckdb.connect(file) as made:
            made.execute("CREATE TABLE kept AS SELECT 7 AS id")
    dry = opened(files=True, dry_run=True, local=file if lasts else None)
    sql = sql.replace("FOLDER", str(tmp_path))
    (message,) = run(dry, sql)
    assert told.replace("FOLDER", str(tmp_path)) in message
    assert not (tmp_path / "out.csv").exists()
    if lasts:
        assert run(dry, "SHOW TABLES") == [("kept",)]
        assert run(dry, "FROM kept") == [(7,)]


def test_dry_run_checks_what_it_leaves(opened: Open, tmp_path: Path) -> None:
    """What can't be run as written is an error, and nothing is asked of a server."""
    dry = opened(files=True, dry_run=True)
    sql = f"COPY (SELECT nothing FROM linode.profile.tokens) TO '{tmp_path}/out.csv'"
    with pytest.raises(PatqlError, match="no column nothing"):
        run(dry, sql)


def test_tables_of_providers_are_no_local_tables(opened: Open) -> None:
    """However many of them have been read."""
    sql = "CREATE TABLE mine AS SELECT max(label) AS m FROM linode.profile.tokens WHERE id % 2 = 0"
    assert run(opened(), f"{sql}; SHOW TABLES") == [("mine",)]


def test_use_completes_what_is_described_and_called(opened: Open) -> None:
    """SHOW, DESCRIBE and EXEC take names that USE completes; what USE refuses leaves what was set."""
    session = opened()
    run(session, "USE linode.profile")
    with pytest.raises(PatqlError):
        run(session, "USE nosuch.profile")
    assert session.state.default == ("linode", "profile")
    assert ("id", "integer") in [row[:2] for row in run(session, "DESCRIBE tokens")]
    assert run(session, "SHOW METHODS IN tokens")
    called = run(session, "EXEC tokens.getPersonalAccessToken @tokenId = 2")
    assert called == run(
        session, "EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 2"
    )


VARIABLES = {
    "id": "2",
    "name": "ci",
    "Day": "2026-02-15",
    "quote": "'; DROP TABLE t; --",
    "limit": "2",
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT $name, typeof($id)", [("ci", "VARCHAR")]),
        ("SELECT $name, ''", [("ci", "")]),
        ("SELECT id FROM linode.profile.tokens WHERE id = $id", [(2,)]),
        ("SELECT id FROM linode.profile.tokens WHERE label = $NAME", [(2,)]),
        ("SELECT id FROM `linode`.profile.tokens WHERE label = $name", [(2,)]),
        ("SELECT id FROM linode.profile.tokens WHERE label = $quote", []),
        ("SELECT count(*) FROM linode.profile.tokens WHERE created < $day", [(2,)]),
        ("SELECT id FROM linode.profile.tokens ORDER BY id LIMIT $limit", [(1,), (2,)]),
        ("SELECT id FROM linode.profile.tokens WHERE id IN ($id, $limit)", [(2,)]),
        ("SELECT $quote, length($quote)", [("'; DROP TABLE t; --", 19)]),
        ("SELECT CAST($day AS DATE) - CAST($id AS INTEGER) < $day", [(True,)]),
        ("SELECT $name || '.'", [("ci.",)]),
        ("INSERT INTO t VALUES ($id) RETURNING a", [(2,)]),
        ("UPDATE t SET a = $id WHERE a = 1 RETURNING a", [(2,)]),
        ("DELETE FROM t WHERE a < $id RETURNING a", [(1,)]),
        ("CREATE TABLE u AS SELECT $quote AS q", ["table u made"]),
        (
            "UPDATE linode.profile.tokens SET label = $quote WHERE id = $id RETURNING label",
            [("'; DROP TABLE t; --",)],
        ),
        (
            "INSERT INTO linode.profile.tokens (label, scopes) VALUES ($quote, '') RETURNING label",
            1,
        ),
        (
            "EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = $id",
            1,
        ),
    ],
)
def test_variables(opened: Open, sql: str, expected: list[Any] | int) -> None:
    """A value stands where a literal text would, and is never read as SQL."""
    session = opened(variables=VARIABLES)
    run(session, "CREATE TABLE t AS SELECT 1 AS a")
    found = run(session, sql)
    assert (len(found) if isinstance(expected, int) else found) == expected
    assert run(session, "SELECT count(*) >= 0 FROM t") == [(True,)]


def test_variables_that_do_not_fit(opened: Open) -> None:
    """What a text can't be is said, with a cast that helps."""
    session = opened(variables=VARIABLES)
    with pytest.raises(PatqlError, match="CAST") as error:
        run(session, "SELECT 1 + $id")
    assert error.value.code is Code.TYPE_MISMATCH
    with pytest.raises(PatqlError, match="Could not convert"):
        run(session, "SELECT id FROM linode.profile.tokens WHERE id = $name")
    with pytest.raises(PatqlError, match=r"\$nosuch; there are \$id, \$name"):
        run(session, "SELECT $nosuch")
    with pytest.raises(PatqlError, match="takes an object"):
        run(
            session, "EXEC linode.profile.tokens.createPersonalAccessToken @@json = $id"
        )


def test_present_of_views_and_defaults(world: World, opened: Open) -> None:
    """It is the statement's, though no word of the statement asks for it."""
    session = opened()
    run(session, "CREATE VIEW v AS SELECT epoch(now()) AS e")
    run(session, "CREATE TABLE t (a INTEGER, e DOUBLE DEFAULT epoch(now()))")
    world.clock.seconds = NOON + 7
    assert run(session, "FROM v") == [(NOON + 7,)]
    assert run(session, "INSERT INTO t (a) VALUES (1) RETURNING e") == [(NOON + 7,)]


def test_no_name_is_taken(opened: Open) -> None:
    """What resources are published as is no name that a local table could have."""
    session = opened()
    run(session, "CREATE TEMP TABLE patql_0 AS SELECT 1 AS id")
    assert run(session, "SELECT max(id) FROM linode.profile.tokens") == [(5,)]
    assert run(session, "FROM patql_0") == [(1,)]


def test_views_take_no_variables(opened: Open) -> None:
    """A view would outlive them; DuckDB says so."""
    session = opened(variables=VARIABLES)
    with pytest.raises(PatqlError, match="parameter"):
        run(session, "CREATE VIEW v AS SELECT $id")


def test_file_given_by_a_variable(opened: Open, tmp_path: Path) -> None:
    """COPY takes one."""
    file = tmp_path / "x.csv"
    session = opened(files=True, variables={"file": str(file)})
    assert run(session, "COPY (SELECT 1 AS a) TO $file") == [f"1 row copied to {file}"]
    with duckdb.connect() as connection:
        found = connection.execute("SELECT a FROM read_csv(?)", [str(file)])
        assert found.fetchall() == [(1,)]
