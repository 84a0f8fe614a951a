"""Statements that can't be read: a clean error with a place, never anything else."""

import logging
import logging.handlers

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from patql.engine.dialect import DIALECT
from patql.engine.parse import beginning, parse, split
from patql.engine.statement import Explain, Insert, Local, Query, Update
from patql.kernel.errors import Code, PatqlError, SqlError


@pytest.mark.parametrize(
    ("sql", "code", "says", "place"),
    [
        ("", Code.SYNTAX, "there is no statement", None),
        ("SELEC 1", Code.UNSUPPORTED, "SELEC isn't accepted", (1, 1)),
        ("SELECT (1", Code.SYNTAX, "can't be read", (1, 9)),
        ("SELECT 1 FROM", Code.SYNTAX, "can't be read", (1, 10)),
        ("SELECT 'a", Code.SYNTAX, "inside a quote", (1, 8)),
        ("SELECT 'it''s\n' || \"a", Code.SYNTAX, "inside a quote", (2, 6)),
        ("SELECT E'\\'' || 'a", Code.SYNTAX, "inside a quote", (1, 17)),
        ("-- it's\nSELECT 1 -- \"\n, `a", Code.SYNTAX, "inside a quote", (3, 3)),
        ("SELECT $$a$$, $x$ $$", Code.SYNTAX, "inside a quote", (1, 15)),
        ("SELECT /* a", Code.SYNTAX, "inside a quote or a comment", (1, 8)),
        ("SELECT\n 1 1 1", Code.SYNTAX, "can't be read", (2, 4)),
        ("SELECT ?", Code.UNSUPPORTED, "nothing gives ? a value", (1, 8)),
        ("SELECT 1 WHERE 1 = :name", Code.UNSUPPORTED, "written as $name", (1, 1)),
        ("SELECT $1", Code.SYNTAX, "a variable's name", (1, 9)),
        ('SELECT $"x"', Code.SYNTAX, "a variable's name", (1, 9)),
        ("SELECT $ x", Code.SYNTAX, "a variable's name", (1, 10)),
        ("EXEC", Code.SYNTAX, "the method's name", (1, 5)),
        ("EXEC a.b.c.d @x", Code.SYNTAX, "= after @x", (1, 16)),
        ("EXEC a.b.c.d @x =", Code.SYNTAX, "a value", (1, 18)),
        ("EXEC a.b.c.d @x = y", Code.SYNTAX, "a string, a number", (1, 19)),
        ("EXEC a.b.c.d @x = 1 @x = 2", Code.SYNTAX, "given twice", None),
        ("EXEC a.b.c.d @x = 1 @X = 2", Code.SYNTAX, "@X is given twice", None),
        ("EXEC a.b.c.d @@json='{}' @@json='{}'", Code.SYNTAX, "given twice", None),
        ("EXEC a.b.c.d @x = 1 2", Code.SYNTAX, "the end of the statement", (1, 21)),
        ("EXEC a.b.c.d @@body = '{}'", Code.SYNTAX, "@@json", None),
        ("EXEC a.b.c.d @@json = '{'", Code.SYNTAX, "isn't JSON", (1, 23)),
        ("EXEC a.b.c.d @@json = '[1]'", Code.SYNTAX, "takes an object", (1, 23)),
        ("EXEC a.b.c.d @@json = 1", Code.SYNTAX, "takes an object", (1, 23)),
        ("SHOW", Code.SYNTAX, "PROVIDERS", (1, 5)),
        ("SHOW SERVICES", Code.SYNTAX, "IN and a name", (1, 14)),
        ("SHOW SERVICES IN a.b", Code.SYNTAX, "form provider", None),
        ("SHOW METHODS IN a.b.c LIKE 1", Code.SYNTAX, "pattern in quotes", None),
        ("SHOW PROVIDERS x", Code.SYNTAX, "the end of the statement", (1, 16)),
        ("DESCRIBE", Code.SYNTAX, "form provider.service.resource", (1, 9)),
        ("INSERT INTO a.b.c (x) DELETE", Code.SYNTAX, "can't be read", (1, 23)),
        (
            "INSERT OR REPLACE INTO a.b.c (x) VALUES (1)",
            Code.UNSUPPORTED,
            "doesn't take",
            None,
        ),
        (
            "INSERT INTO a.b.c (x) VALUES (1) ON CONFLICT DO NOTHING",
            Code.UNSUPPORTED,
            "CONFLICT",
            None,
        ),
        ("UPDATE a.b.c SET x = 1 FROM d", Code.UNSUPPORTED, "doesn't take FROM", None),
        ("UPDATE a.b.c AS t(x) SET x = 1", Code.UNSUPPORTED, "one resource", None),
        ("UPDATE a.b.c JOIN d SET x = 1", Code.UNSUPPORTED, "one resource", None),
        ("DELETE FROM a.b.c, d WHERE x", Code.UNSUPPORTED, "one resource", None),
        ("DELETE FROM a.b.c TABLESAMPLE 1", Code.UNSUPPORTED, "one resource", None),
        (
            "INSERT INTO a.b.c (x) DEFAULT VALUES",
            Code.SYNTAX,
            "without column names",
            None,
        ),
        (
            "INSERT INTO a.b.c (x) VALUES (1) RETURNING",
            Code.SYNTAX,
            "can't be read at 'RETURNING' (line 1, column 34)",
            (1, 34),
        ),
        ("DELETE FROM a.b.c RETURNING x INTO y", Code.UNSUPPORTED, "INTO", None),
        *(
            (
                f"INSERT INTO a.b.c (x) VALUES (1) RETURNING {returned}",
                Code.UNSUPPORTED,
                "one row for each row",
                None,
            )
            for returned in (
                "unnest([1])",
                "count(*)",
                "row_number() OVER ()",
                "(SELECT 1)",
            )
        ),
        (
            "WITH x AS (DELETE FROM a.b.c RETURNING *) SELECT * FROM x",
            Code.UNSUPPORTED,
            "inside another statement",
            None,
        ),
        ("DELETE FROM a.b.c USING d", Code.UNSUPPORTED, "doesn't take USING", None),
        (
            "WITH x AS (SELECT 1) DELETE FROM a.b.c",
            Code.UNSUPPORTED,
            "doesn't take WITH",
            None,
        ),
        (f"SELECT {'(' * 3000}1{')' * 3000}", Code.SYNTAX, "nested too deeply", None),
        # What sqlglot trips over in the name of a type.
        ('SELECT\n"id"::"id""x"', Code.SYNTAX, "can't be read", (2, 7)),
        ("EXEC a.b.c.d @x = 'a\nb' 1", Code.SYNTAX, "the end of the", (2, 4)),
        ("EXEC a.b.c.d @x = 'a\nb', @", Code.SYNTAX, "a parameter's name", (2, 6)),
        ("EXEC a.b.c.d @x =\r\n$\r\n$ 1", Code.SYNTAX, "found '$'", (3, 1)),
        ("SELECT 'a\nb' 1 1", Code.SYNTAX, "can't be read at '1'", (2, 4)),
    ],
)
def test_refused(
    sql: str, code: Code, says: str, place: tuple[int, int] | None
) -> None:
    """One sentence that says what is wrong, and where."""
    with pytest.raises(SqlError) as error:
        parse(sql)
    assert error.value.code is code
    assert says in str(error.value)
    if place:
        assert (error.value.line, error.value.column) == place


_LONG = 10_000
"""Characters of a statement that is to be read or refused with little work."""


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        ("SELECT 1 FROM r", " JOIN r"),
        ("SELECT 1 FROM r", " LEFT JOIN r t"),
        ("SELECT 1 FROM r", " SEMI JOIN r"),
        ("SELECT 1 FROM r", " JOIN LATERAL (SELECT 1)"),
        ("SELECT 1 FROM r", " JOIN r CROSS JOIN r ON true"),
        ("SELECT 1 FROM r", " JOIN r, r"),
        ("SELECT 1 FROM r", " JOIN (SELECT 1 FROM r JOIN r)"),
        ("UPDATE t SET x = 1 FROM r", " JOIN r"),
        ("DELETE FROM t USING r", " JOIN r"),
        ("SHOW METHODS IN a.b.c WHERE ", "DATE("),
        ("SELECT ", "DATE("),
        ("SELECT ", "ARRAY["),
        ("SELECT ", "ROW("),
        ("SELECT x", ".f()"),
        ("SELECT x", "[1].f(1)"),
        ("SELECT x", ".a.b.f()"),
    ],
)
@pytest.mark.parametrize("most", [1_500, _LONG])
def test_what_takes_long_is_refused(begin: str, part: str, most: int) -> None:
    """It would take the square of its length or more, and be refused by DuckDB in the end or be most unusual."""
    with pytest.raises(SqlError) as error:
        parse(begin + part * (most // len(part)))
    assert error.value.code is Code.SYNTAX
    assert error.value.line == 1


def test_joins_without_on_are_told_of() -> None:
    """The hint says what each JOIN takes."""
    with pytest.raises(SqlError, match="takes too long: given up at 'r'") as error:
        parse("SELECT 1 FROM r" + " JOIN r" * 30)
    assert "ON or USING" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        ("SELECT 1 FROM r", ", r"),
        ("SELECT 1 FROM r", " CROSS JOIN r"),
        ("SELECT 1 FROM r", " NATURAL JOIN r"),
        ("SELECT 1 FROM r", " POSITIONAL JOIN r"),
        ("SELECT 1 FROM r", " JOIN r ON true"),
        ("SELECT 1 FROM r", " JOIN r USING (id)"),
        ("SELECT 1 FROM r", ", LATERAL (SELECT 1)"),
        ("SELECT 1", " UNION ALL SELECT 1"),
        ("SELECT 1", " + x[1]"),
        ("SELECT 1", ", x::INT[]"),
        ("SELECT x", "->'$.a'"),
        ("SELECT 1", ", ROW(ROW(ARRAY[ARRAY[DATE(TIMESTAMP(x))]]))"),
        ("SELECT 1", ", f(x -> x + 1)"),
        ("SELECT 1", ", CASE WHEN x THEN 1 END"),
        ("INSERT INTO a.b.c (x) VALUES (1)", ", (1)"),
    ],
)
def test_what_is_long_is_read(begin: str, part: str) -> None:
    """Length by itself is no reason to refuse."""
    parse(begin + part * (2_000 // len(part)))


def test_indexes_stay_as_written() -> None:
    """To count them anew takes the square of their number; nothing but DuckDB counts them."""
    statement = parse("SELECT x" + "[1]" * 100)
    assert isinstance(statement, Query)
    assert statement.tree.sql(DIALECT) == "SELECT x" + "[1]" * 100


def test_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by sqlglot, whose warnings have the statement's text in them; other logs aren't touched."""
    heard = logging.handlers.BufferingHandler(10)
    monkeypatch.setattr(logging.getLogger(), "handlers", [heard])
    with pytest.raises(SqlError):
        parse("CREATE TABLE t (a INTEGER) WITH 'secret'")
    logging.getLogger("embedder").warning("seen")
    assert [record.getMessage() for record in heard.buffer] == ["seen"]


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ; ;; ", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b'; SELECT \"c;d\"", ["SELECT 'a;b'", 'SELECT "c;d"']),
        ("-- one; two\nSELECT 1 /* ; */ ;", ["SELECT 1"]),
        (
            'EXEC a.b.c.d @@json = \'{"a": ";"}\'',
            ['EXEC a.b.c.d @@json = \'{"a": ";"}\''],
        ),
        ("SELECT $$a;b$$", ["SELECT $$a;b$$"]),
    ],
)
def test_split(sql: str, statements: list[str]) -> None:
    """Semicolons inside quotes and comments don't end a statement."""
    assert split(sql) == statements


@pytest.mark.parametrize(("number", "place"), [(0, (1, 15)), (1, (3, 3)), (2, (3, 13))])
def test_where_a_statement_begins(number: int, place: tuple[int, int]) -> None:
    """Wherever its text stands also."""
    sql = "/* SELECT 1 */SELECT 1; -- SELECT 2\n;\n  SELECT 2; SELECT 2"
    assert beginning(sql, number) == place


WORDS = st.sampled_from(
    [
        "SELECT",
        "INSERT",
        "INTO",
        "UPDATE",
        "DELETE",
        "FROM",
        "WHERE",
        "SET",
        "VALUES",
        "RETURNING",
        "EXEC",
        "SHOW",
        "METHODS",
        "IN",
        "DESCRIBE",
        "LIKE",
        "linode.profile.tokens",
        "tokenId",
        "@tokenId",
        "@@json",
        "=",
        "1",
        "'x'",
        '"y"',
        "`z`",
        "(",
        ")",
        ",",
        ".",
        ";",
        "*",
        "--",
        "/*",
        "*/",
        "$$",
        "NULL",
        "AND",
        "OR",
    ]
)


@given(st.lists(WORDS | st.text(max_size=5), max_size=20).map(" ".join))
def test_any_text_is_read_or_refused(sql: str) -> None:
    """No text makes anything but statements or an error of ours."""
    try:
        for statement in split(sql):
            parse(statement)
    except PatqlError:
        pass


WHY_NOT = {
    "AUTH LOGIN linode": "credentials",
    "AUTH REVOKE linode": "credentials",
    'SET "$.auth.google.x" = 1': "credentials",
    "SLEEP 500": "a statement ends when the server has answered",
    "PURGE CACHE": "nothing is cached",
    "NATIVEQUERY 'SELECT 1'": "every SELECT is DuckDB's own",
    "BEGIN": "no transactions",
    "COMMIT": "no transactions",
    "ROLLBACK": "no transactions",
    "REFRESH MATERIALIZED VIEW v": "keeps a copy",
    "CREATE MATERIALIZED VIEW v AS SELECT 1": "keeps a copy",
    "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1": "keeps a copy",
    "DROP MATERIALIZED VIEW v": "keeps a copy",
    "CREATE MACRO f() AS 1": "a subquery or a view",
    "CREATE SECRET (TYPE s3)": "credentials",
    "DROP INDEX i": "local tables",
    "REPLACE INTO a.b.c VALUES (1)": "REPLACE resource SET",
    "INSERT /*+ AWAIT */ INTO a.b.c (x) VALUES (1)": "AWAIT isn't accepted",
    "EXEC /*+ AWAIT */ a.b.c.d": "AWAIT isn't accepted",
    "INSERT INTO a.b.c (x) SELECT <<<jsonnet {} >>>": "<<<jsonnet isn't accepted",
    "SELECT (EXEC a.b.c.d)": "where a table may stand",
    "SELECT 1 WHERE 1 IN (EXEC a.b.c.d @x = 1)": "where a table may stand",
    "ALTER TABLE t ADD COLUMN x INTEGER DEFAULT (SELECT 1)": "takes no query",
    "COPY t": "isn't accepted in this form",
    "CREATE TABLE t (a INTEGER) WITH NONSENSE": "isn't accepted",
    "EXPLAIN": "the statement that is to be explained",
    "EXPLAIN EXPLAIN SELECT 1": "the statement that is to be explained",
    "EXPLAIN ANALYZE": "the statement that is to be explained",
    "DROP": "TABLE or VIEW",
    "DROP `t`": "TABLE or VIEW",
    "DROP TABLE t, u": "the end of the statement",
    "SELECT * FROM (EXEC a.b.c.d @x = ) t": "a value",
    "SELECT * FROM (EXEC a.b.c.d @x = 1": "isn't closed",
}


@pytest.mark.parametrize("sql", WHY_NOT)
def test_refusals_say_why_and_where(sql: str) -> None:
    """What StackQL or DuckDB would take is refused with its own sentence, and its place."""
    with pytest.raises(SqlError, match="line 1, column") as error:
        parse(sql)
    assert WHY_NOT[sql] in str(error.value)


def test_other_hints_are_comments() -> None:
    """A hint that changes nothing here is ignored; in quotes it isn't one."""
    for sql in (
        "SELECT /*+ SHOWRESULTS */ 1",
        "SELECT '/*+ AWAIT */'",
        "SELECT 'a' /* AWAIT */",
        "DELETE /*+ NOSTATUS */ FROM a.b.c",
    ):
        parse(sql)


def test_variables_are_known_or_named() -> None:
    """An unknown one is refused with those that there are and the way to give it; keywords can be names, case is nothing."""
    assert isinstance(parse("SELECT $limit, $A", ["LIMIT", "a"]), Query)
    with pytest.raises(SqlError, match=r"no variable \$b; there are \$a") as error:
        parse("SELECT\n $b", ["a"])
    assert (error.value.line, error.value.column) == (2, 2)
    assert error.value.hint == "--var b=VALUE gives it a value."
    with pytest.raises(SqlError, match="there are none"):
        parse("EXEC a.b.c.d @x = $b", [])
    parse("SELECT '$b', $$ $b $$ -- $b", [])


def test_exec_as_a_table() -> None:
    """Each stands in the tree as a table of its own name, wherever a table may stand."""
    statement = parse(
        "WITH c AS (SELECT * FROM (EXEC a.b.c.d @x = 1) t) "
        "SELECT * FROM c JOIN (EXECUTE a.b.c.e @@json = '{}') u ON true"
    )
    assert isinstance(statement, Query)
    assert statement.text is None
    assert [e.name[3] for e in statement.execs] == ["d", "e"]
    names = {table.name for table in statement.tree.find_all(exp.Table)}
    assert names == {"c", "exec#1", "exec#2"}
    assert isinstance(parse("SELECT (exec) FROM t"), Query)
    insert = parse("INSERT INTO a.b.c (x) SELECT y FROM (EXEC a.b.c.d) t")
    assert isinstance(insert, Insert)
    assert len(insert.execs) == 1
    assert len(parse("CREATE TABLE t AS FROM (EXEC a.b.c.d) t").execs) == 1  # type: ignore[union-attr]


def test_replace() -> None:
    """REPLACE is an UPDATE that replaces."""
    statement = parse("REPLACE a.b.c SET x = 1 WHERE id = 2 RETURNING x")
    assert isinstance(statement, Update)
    assert statement.replaces
    assert not getattr(parse("UPDATE a.b.c SET x = 1"), "replaces", True)


def test_explain() -> None:
    """It holds the statement; places in its text are those in the whole."""
    statement = parse("EXPLAIN\nANALYZE SELECT 1")
    assert isinstance(statement, Explain)
    assert statement.analyze
    assert isinstance(statement.statement, Query)
    assert statement.statement.text == "       \n        SELECT 1"
    with pytest.raises(SqlError) as error:
        parse("EXPLAIN SELECT 1 1 1")
    assert (error.value.line, error.value.column) == (1, 18)


@pytest.mark.parametrize(
    ("sql", "kind", "target"),
    [
        ("CREATE TABLE t (a INTEGER)", "CREATE TABLE", ("t",)),
        (
            "CREATE OR REPLACE TEMP TABLE main.t AS SELECT 1",
            "CREATE TABLE",
            ("main", "t"),
        ),
        ("CREATE VIEW IF NOT EXISTS v AS FROM t", "CREATE VIEW", ("v",)),
        ("DROP TABLE IF EXISTS t", "DROP TABLE", ("t",)),
        ("DROP VIEW `my view` CASCADE", "DROP VIEW", ("my view",)),
        ("ALTER TABLE t ADD COLUMN b INTEGER", "ALTER TABLE", ("t",)),
        ("TRUNCATE t", "TRUNCATE", ("t",)),
        ("TRUNCATE TABLE t", "TRUNCATE", ("t",)),
        ("INSERT INTO t VALUES (1)", "INSERT", ("t",)),
        ("REPLACE t SET a = 1", "REPLACE", ("t",)),
        ("UPDATE profile.tokens SET a = 1", "UPDATE", ("profile", "tokens")),
        ("DELETE FROM t USING u", "DELETE", ("t",)),
        ("COPY t (a) FROM 'x.csv' (HEADER)", "COPY", ("t",)),
        ("COPY (SELECT 1) TO 'x.csv'", "COPY", ()),
        ("COPY t TO $file", "COPY", ()),
    ],
)
def test_local(sql: str, kind: str, target: tuple[str, ...]) -> None:
    """What changes local tables or files is told by its kind and target."""
    statement = parse(sql)
    assert isinstance(statement, Local)
    assert (statement.kind, statement.target) == (kind, target)
    assert "`" not in (statement.text or "")
