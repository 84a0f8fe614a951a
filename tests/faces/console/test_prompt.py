"""Where a statement ends, and what the exit codes are."""

import pytest

from patql.faces.console.exits import BY_CODE
from patql.faces.console.prompt import is_complete
from patql.kernel.errors import Code


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("SELECT 1;", True),
        ("SELECT 1;  \n", True),
        ("SELECT 1; -- done", True),
        ("SELECT 1; /* done */", True),
        ("SELECT 1", False),
        ("SELECT 1; SELECT", False),
        ("SELECT ';", False),
        ("SELECT ';'", False),
        ("SELECT ';';", True),
        ("SELECT 'it''s;", False),
        ("SELECT 'it''s';", True),
        ('SELECT "a;', False),
        ('SELECT "a";', True),
        ("SELECT 1 -- ;", False),
        ("SELECT 1 /* ;", False),
        ("SELECT 1 /*/;", False),
        ("SELECT 1 /* ; */;", True),
        ("SELECT $$a;", False),
        ("SELECT $$a;$$;", True),
        ("SELECT $x$a;$$;", False),
        ("SELECT $x$a;$x$;", True),
        ("SELECT '--';", True),
        ('EXEC a.b.c @@json = \'{"label": "x;"', False),
    ],
)
def test_a_statement_ends_with_its_semicolon(text: str, *, complete: bool) -> None:
    """Not with one in quotes or in a comment."""
    assert is_complete(text) is complete


def test_every_code_has_an_exit_code() -> None:
    """2 for wrong usage, 130 for an interruption, 1 for whatever else failed."""
    assert set(BY_CODE) == set(Code)
    assert {code for code, value in BY_CODE.items() if value == 2} == {Code.USAGE}
    assert {code for code, value in BY_CODE.items() if value == 130} == {Code.CANCELLED}
    assert set(BY_CODE.values()) == {1, 2, 130}
