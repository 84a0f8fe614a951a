"""Statements that can't be read: a clean error with a place, never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.engine.parse import parse, split
from patql.kernel.errors import Code, PatqlError, SqlError


@pytest.mark.parametrize(
    ("sql", "code", "says", "place"),
    [
        ("", Code.SYNTAX, "there is no statement", None),
        ("SELEC 1", Code.UNSUPPORTED, "SELEC isn't accepted", (1, 1)),
        ("SELECT (1", Code.SYNTAX, "can't be read", (1, 9)),
        ("SELECT 1 FROM", Code.SYNTAX, "can't be read", (1, 10)),
        ("SELECT 'a", Code.SYNTAX, "inside a quote", None),
        ("SELECT /* a", Code.SYNTAX, "inside a quote or a comment", None),
        ("SELECT\n 1 1 1", Code.SYNTAX, "can't be read", (2, 4)),
        ("SELECT ?", Code.UNSUPPORTED, "is a parameter", None),
        ("SELECT $name", Code.UNSUPPORTED, "is a parameter", None),
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
