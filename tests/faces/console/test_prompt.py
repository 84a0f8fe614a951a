"""Where a statement ends, and what the exit codes are."""

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from patql.faces.console import prompt
from patql.faces.console.exits import BY_CODE
from patql.faces.console.progress import Progress
from patql.faces.console.prompt import is_complete
from patql.kernel.errors import Code

if TYPE_CHECKING:
    from patql.engine.session import Session
    from patql.faces.console.deliver import Delivery


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


def test_history_keeps_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen characters at most, and lives in memory."""
    typed = iter(["SELECT", f"'{'pql_' + 'Z9' * 33}';", "", "exit"])
    history = list[str]()
    ran = list[str]()

    def run(_session: object, sql: str, *_: object) -> None:
        ran.append(sql)

    def read(_prompt: str) -> str:
        return next(typed)

    monkeypatch.setattr(prompt, "_line_editor", lambda: (read, history.append))
    monkeypatch.setattr(prompt, "run", run)
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert history == ["SELECT 'pql_Z9Z9Z9Z9Z9Z9…';"]
    assert len(ran) == 1
    assert "Z9" * 33 in ran[0]


def run_nothing(*_: object) -> int:
    """It succeeds."""
    return 0


def test_the_line_editor_keeps_no_history_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would have each line as it was typed, with the token."""
    automatic = list[bool]()
    history = list[str]()
    editor = SimpleNamespace(
        set_auto_history=automatic.append, add_history=history.append
    )
    typed = iter([f"SELECT '{'pql_' + 'Z9' * 33}';", "exit"])

    def read(_prompt: str) -> str:
        return next(typed)

    monkeypatch.setitem(sys.modules, "readline", editor)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(prompt, "run", run_nothing)
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert automatic == [False]
    assert history == ["SELECT 'pql_Z9Z9Z9Z9Z9Z9…';"]


def test_prompts_are_no_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They go to standard error where standard output isn't the terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT\n1;\nexit\n"))
    monkeypatch.setattr(prompt, "run", run_nothing)
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert capsys.readouterr() == ("", "patql>   ...> patql> ")


def test_ctrl_c_drops_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the next prompt begins a line, as what comes after the end of input does."""
    lines: list[str | BaseException] = [
        "SELECT", KeyboardInterrupt(), "SELECT 2;", EOFError(),
    ]  # fmt: skip
    typed = iter(lines)
    ran = list[str]()

    def run(_session: object, sql: str, *_: object) -> None:
        ran.append(sql)

    def read(_prompt: str) -> str:
        line = next(typed)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr(prompt, "_line_editor", lambda: (read, str))
    monkeypatch.setattr(prompt, "run", run)
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert ran == ["SELECT 2;"]
    assert capsys.readouterr().err == "\n\n"


@pytest.mark.parametrize("typed", [["\\q"], ["exit;"], ["help", "\\q"]])
def test_it_is_left(typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    r"""By `exit` where a statement may begin, and by `\q` in the midst of one too, which then isn't run."""
    lines = iter(typed)

    def read(_prompt: str) -> str:
        return next(lines)

    monkeypatch.setattr(prompt, "_line_editor", lambda: (read, str))
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert list(lines) == []


def test_bytes_that_arent_text_end_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The statement that they were typed in is dropped, and the next one runs."""
    typed = iter([b"SELECT", b"\xff", b"SELECT 2;", b"exit"])
    ran = list[str]()

    def run(_session: object, sql: str, *_: object) -> None:
        ran.append(sql)

    def read(_prompt: str) -> str:
        return next(typed).decode()

    monkeypatch.setattr(prompt, "_line_editor", lambda: (read, str))
    monkeypatch.setattr(prompt, "run", run)
    prompt.interact(cast("Session", None), cast("Delivery", None), Progress())
    assert ran == ["SELECT 2;"]
    assert "isn't UTF-8" in capsys.readouterr().err


def test_every_code_has_an_exit_code() -> None:
    """2 for wrong usage, 130 for an interruption, 1 for whatever else failed."""
    assert set(BY_CODE) == set(Code)
    assert {code for code, value in BY_CODE.items() if value == 2} == {Code.USAGE}
    assert {code for code, value in BY_CODE.items() if value == 130} == {Code.CANCELLED}
    assert set(BY_CODE.values()) == {1, 2, 130}
