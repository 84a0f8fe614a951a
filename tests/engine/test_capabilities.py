"""A session without files: every way out of the process is tried, through the engine and past its parser."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from tests.engine.conftest import World

import patql
from patql.engine.relate import Relational
from patql.engine.state import Options
from patql.kernel.errors import PatqlError

MARK = "MARKER-8c1f"
"""What stands in files that must never be read; DIR in a statement is the folder that they are in."""

READS = """
SELECT * FROM read_text('DIR/m.txt')
SELECT * FROM read_blob('DIR/m.txt')
SELECT * FROM glob('DIR/*')
SELECT * FROM read_csv('DIR/m.csv')
SELECT * FROM read_csv_auto('DIR/m.csv')
SELECT * FROM read_csv(['DIR/m.csv'])
SELECT * FROM sniff_csv('DIR/m.csv')
SELECT * FROM read_parquet('DIR/m.parquet')
SELECT * FROM parquet_scan('DIR/m.parquet')
SELECT * FROM parquet_metadata('DIR/m.parquet')
SELECT * FROM parquet_schema('DIR/m.parquet')
SELECT * FROM parquet_file_metadata('DIR/m.parquet')
SELECT * FROM parquet_full_metadata('DIR/m.parquet')
SELECT * FROM parquet_bloom_probe('DIR/m.parquet', 'a', 'x')
SELECT * FROM read_avro('DIR/m.txt')
SELECT * FROM read_xlsx('DIR/m.txt')
SELECT * FROM sql_auto_complete('FROM ''DIR/')
SELECT * FROM system.main.read_text('DIR/m.txt')
SELECT * FROM linode.profile.tokens t, read_text('DIR/m' || left(t.label, 0) || '.txt')
SELECT list_transform(['DIR/m.txt'], x -> (SELECT content FROM read_text(x)))
SELECT * FROM parquet_kv_metadata('DIR/m.parquet')
SELECT * FROM read_json('DIR/m.json')
SELECT * FROM read_json_auto('DIR/m.json')
SELECT * FROM read_json_objects('DIR/m.json')
SELECT * FROM read_ndjson('DIR/m.json')
SELECT * FROM read_ndjson_auto('DIR/m.json')
SELECT * FROM read_ndjson_objects('DIR/m.json')
SELECT * FROM read_duckdb('DIR/m.duckdb')
SELECT * FROM read_single_csv_file('DIR/m.csv')
SELECT * FROM 'DIR/m.csv'
SELECT * FROM "DIR/m.csv"
SELECT * FROM 'DIR/m.parquet'
SELECT * FROM 'DIR/m.json'
SELECT * FROM 'DIR/*.csv'
FROM 'DIR/m.duckdb'
FROM 'file:DIR/m.csv'
FROM 'https://127.0.0.1:9/m.csv'
FROM read_csv('https://127.0.0.1:9/m.csv')
FROM 's3://bucket/m.parquet'
SELECT (SELECT max(content) FROM read_text('DIR/m.txt'))
WITH c AS (FROM read_text('DIR/m.txt')) SELECT * FROM c
WITH RECURSIVE c AS (FROM 'DIR/m.csv' UNION FROM c) SELECT * FROM c
SELECT * FROM linode.profile.tokens JOIN read_text('DIR/m.txt') ON true
SELECT * FROM linode.profile.tokens, LATERAL (FROM read_text('DIR/m.txt'))
SELECT * FROM range(1) WHERE EXISTS (FROM 'DIR/m.csv')
SELECT * FROM query('FROM read_text(''DIR/m.txt'')')
SELECT * FROM query_table('DIR/m.csv')
SELECT * FROM query_table(['DIR/m.csv'])
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''DIR/m.txt'')'))
PRAGMA json_execute_serialized_sql('{}')
PIVOT 'DIR/m.csv' ON a
UNPIVOT 'DIR/m.csv' ON a INTO NAME n VALUE v
SUMMARIZE FROM 'DIR/m.csv'
DESCRIBE 'DIR/m.csv'
SELECT * FROM (DESCRIBE FROM 'DIR/m.csv')
SELECT * FROM (SUMMARIZE FROM 'DIR/m.csv')
TABLE 'DIR/m.csv'
SELECT getenv('PATQL_MARK')
SELECT system.main.getenv('PATQL_MARK')
CREATE VIEW x AS SELECT getenv('PATQL_MARK') AS h; FROM x
SELECT current_setting('PATQL_MARK')
SELECT * FROM which_secret('DIR', 's3')
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_databases()
SELECT * FROM pg_settings
SELECT * FROM sqlite_master
SELECT * FROM marked
SELECT * FROM arrow_scan(0, 0, 0)
SELECT * FROM pandas_scan(0)
SELECT * FROM python_map_function(0)
SELECT * FROM sqlite_scan('DIR/m.duckdb', 't')
SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't')
SELECT * FROM linode.profile.tokens WHERE label IN (SELECT content FROM read_text('DIR/m.txt'))
CREATE TABLE x AS FROM read_text('DIR/m.txt')
CREATE TEMP TABLE x AS FROM 'DIR/m.csv'
CREATE VIEW x AS FROM read_text('DIR/m.txt'); FROM x
CREATE VIEW x AS FROM 'DIR/m.csv'; FROM x
CREATE MACRO x() AS TABLE FROM read_text('DIR/m.txt'); FROM x()
CREATE FUNCTION x() AS (SELECT content FROM read_text('DIR/m.txt')); SELECT x()
INSERT INTO kept SELECT content FROM read_text('DIR/m.txt')
INSERT INTO kept FROM 'DIR/m.csv'
INSERT INTO kept VALUES ((SELECT content FROM read_text('DIR/m.txt')))
INSERT INTO kept VALUES ('x') RETURNING (SELECT content FROM read_text('DIR/m.txt'))
WITH c AS (FROM read_text('DIR/m.txt')) INSERT INTO kept SELECT content FROM c
UPDATE kept SET a = (SELECT content FROM read_text('DIR/m.txt'))
UPDATE kept SET a = content FROM read_text('DIR/m.txt')
DELETE FROM kept USING read_text('DIR/m.txt') RETURNING content
DELETE FROM kept WHERE a IN (SELECT content FROM read_text('DIR/m.txt'))
ALTER TABLE kept ADD COLUMN b VARCHAR DEFAULT (SELECT content FROM read_text('DIR/m.txt'))
ALTER TABLE kept ALTER a TYPE VARCHAR USING (FROM read_text('DIR/m.txt'))
CREATE TABLE x (a VARCHAR DEFAULT (SELECT content FROM read_text('DIR/m.txt')))
CREATE TABLE x (a VARCHAR CHECK (a IN (SELECT content FROM read_text('DIR/m.txt'))))
INSERT INTO linode.profile.tokens (label) SELECT content FROM read_text('DIR/m.txt')
INSERT INTO linode.profile.tokens (label) VALUES ('x') RETURNING (SELECT content FROM read_text('DIR/m.txt'))
UPDATE linode.profile.tokens SET label = (SELECT content FROM read_text('DIR/m.txt')) WHERE id = 2
DELETE FROM linode.profile.tokens WHERE label = (SELECT content FROM read_text('DIR/m.txt'))
COPY kept FROM 'DIR/m.csv'
COPY kept FROM 'DIR/m.txt'
COPY (FROM read_text('DIR/m.txt')) TO 'DIR/out.csv'
EXPLAIN ANALYZE SELECT * FROM read_text('DIR/m.txt')
SHOW METHODS IN linode.profile.tokens WHERE MethodName IN (SELECT content FROM read_text('DIR/m.txt'))
MERGE INTO kept USING read_text('DIR/m.txt') ON true WHEN MATCHED THEN UPDATE SET a = content
PREPARE p AS FROM read_text('DIR/m.txt'); EXECUTE p
EXECUTE 'FROM read_text(''DIR/m.txt'')'
SELECT 1; FROM read_text('DIR/m.txt')
SELECT '/*'; FROM read_text('DIR/m.txt') --*/'
SELECT $$a$$ || '; FROM read_text(''DIR/m.txt'')'; FROM read_text('DIR/m.txt')
"""

WRITES = """
COPY kept TO 'DIR/out.csv'
COPY (SELECT 1) TO 'DIR/out.csv'
COPY (SELECT 1) TO 'DIR/out.parquet' (FORMAT parquet)
COPY linode.profile.tokens TO 'DIR/out.csv'
COPY (SELECT * FROM linode.profile.tokens) TO 'DIR/out.csv'
COPY (SELECT 1) TO '/dev/stdout'
COPY (SELECT 1) TO STDOUT
COPY FROM DATABASE memory TO other
ATTACH 'DIR/out.duckdb' AS other
ATTACH 'DIR/m.duckdb' AS other (READ_ONLY)
ATTACH OR REPLACE 'DIR/m.duckdb' AS other
ATTACH IF NOT EXISTS ':memory:' AS other
DETACH memory
EXPORT DATABASE 'DIR/out'
IMPORT DATABASE 'DIR'
INSTALL httpfs
INSTALL 'DIR/m.duckdb'
FORCE INSTALL httpfs FROM 'DIR'
UPDATE EXTENSIONS
UPDATE EXTENSIONS (httpfs)
LOAD httpfs
LOAD 'DIR/m.duckdb_extension'
SET enable_external_access = true
SET GLOBAL enable_external_access = true
SET allowed_directories = ['DIR']
SET allowed_paths = ['DIR/m.txt']
SET lock_configuration = false
SET python_enable_replacements = true
SET autoload_known_extensions = true
SET temp_directory = 'DIR'
SET log_query_path = 'DIR/out.log'
SET VARIABLE x = 1
RESET enable_external_access
RESET lock_configuration
PRAGMA enable_profiling
PRAGMA profile_output = 'DIR/out.json'
PRAGMA temp_directory = 'DIR'
CALL enable_logging(storage = 'file', storage_path = 'DIR/out')
SELECT * FROM enable_logging(storage = 'file', storage_path = 'DIR/out')
SELECT * FROM enable_profiling()
CALL force_checkpoint()
CHECKPOINT
VACUUM
USE memory
CREATE SECRET s (TYPE s3, KEY_ID 'x')
CREATE PERSISTENT SECRET s (TYPE s3)
CREATE SCHEMA s
CREATE SEQUENCE s
CREATE TYPE s AS ENUM ('a')
COMMENT ON TABLE kept IS 'x'
BEGIN
"""


def statements(text: str, folder: Path) -> list[str]:
    """One a line."""
    return [line.replace("DIR", str(folder)) for line in text.strip().splitlines()]


@pytest.fixture
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files of each kind, with the mark in them."""
    folder = tmp_path_factory.mktemp("marked")
    (folder / "m.txt").write_text(MARK)
    (folder / "m.csv").write_text(f"a\n{MARK}\n")
    (folder / "m.json").write_text(f'{{"a": "{MARK}"}}')
    with duckdb.connect(folder / "m.duckdb") as database:
        database.execute(f"CREATE TABLE t AS SELECT '{MARK}' AS a")
        database.execute(f"COPY t TO '{folder / 'm.parquet'}'")
    return folder


@pytest.fixture(autouse=True)
def environment(marked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mark is in the environment too; and nothing may have been written."""
    monkeypatch.setenv("PATQL_MARK", MARK)
    before = sorted(marked.iterdir())
    yield
    assert sorted(marked.iterdir()) == before


@pytest.mark.parametrize("reads", [True, False])
def test_no_statement_gets_out(world: World, marked: Path, reads: bool) -> None:
    """Each is refused with a sentence, and nothing of what is out there is in any answer, error or request."""
    session = world.session
    list(session.run("CREATE TABLE kept AS SELECT 'a' AS a"))
    for sql in statements(READS if reads else WRITES, marked):
        told: list[str] = []
        try:
            told += [repr(result.rows()) for result in session.run(sql)]
        except PatqlError as error:
            told.append(str(error))
        else:
            pytest.fail(f"{sql} was run: {told}")
        assert MARK not in "".join(told), sql
        list(session.run("DROP VIEW IF EXISTS x; DROP TABLE IF EXISTS x"))
    (kept,) = session.run("FROM kept")
    assert kept.rows() == [("a",)]
    assert not any(MARK in sent for sent in world.transport.sent)


@pytest.mark.parametrize("reads", [True, False])
def test_past_the_parser(marked: Path, reads: bool) -> None:
    """DuckDB alone, given the same statements, reads and writes nothing, and stays locked."""
    relational = Relational()
    connection = relational._connection
    connection.execute("CREATE TABLE kept AS SELECT 'a' AS a")
    for sql in statements(READS if reads else WRITES, marked):
        if any(word in sql for word in ("arrow_scan", "pandas_scan", "python_map")):
            continue  # they take addresses in memory: the parser's list keeps them out
        told = ""
        try:
            told = repr(connection.execute(sql).fetchall())
        except (duckdb.Error, RuntimeError) as error:
            told = str(error)
        assert MARK not in told.replace("'PATQL_MARK'", ""), sql
    settings = dict(
        connection.execute("SELECT name, value FROM duckdb_settings()").fetchall()
    )
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["allowed_directories"] == "[]"
    assert settings["allowed_paths"] == "[]"
    assert str(Path.home()) not in repr(settings)
    relational.close()


def test_relational_engine_takes_one_select(marked: Path) -> None:
    """What isn't one SELECT isn't run, though a tokenizer might have taken it for one."""
    relational = Relational()
    for sql in (
        "SELECT 1; SELECT 2",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH ':memory:' AS x",
        "SET threads = 1",
        "INSERT INTO x VALUES (1)",
        "COPY (SELECT 1) TO '/dev/null'",
    ):
        with pytest.raises(PatqlError, match="isn't one SELECT"):
            relational.run(sql)
        with pytest.raises(PatqlError), relational.accepting("UPDATE"):
            relational.run(sql)
    relational.close()


def test_a_local_file_opens_no_other(marked: Path, tmp_path: Path) -> None:
    """A session that has one still reaches none but that."""
    relational = Relational(local=tmp_path / "w.duckdb")
    for sql in (
        f"FROM read_text('{marked}/m.txt')",
        f"FROM '{marked}/m.csv'",
        f"FROM '{tmp_path}/../x.csv'",
    ):
        with pytest.raises(PatqlError) as error:
            relational.run(sql)
        assert MARK not in str(error.value)
    with pytest.raises(duckdb.Error):
        relational._connection.execute(f"ATTACH '{marked}/m.duckdb' AS x")
    relational.close()


def test_who_reaches_files() -> None:
    """The command line and Python; whoever else opens a session is given none that does."""
    source = Path(patql.__file__).parent
    given = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if re.search(r"\bfiles=(?!self\.|state\.)", path.read_text("utf-8"))
    }
    assert given == {"cli/query.py", "compose/session.py"}
    assert not Options().files


def test_variables_of_python_are_no_tables(world: World) -> None:
    """A replacement scan sees no object of this process."""
    marked_list = [MARK]
    for name in ("marked_list", "READS", "duckdb"):
        with pytest.raises(PatqlError):
            list(world.session.run(f"SELECT * FROM {name}"))
    assert marked_list == [MARK]
