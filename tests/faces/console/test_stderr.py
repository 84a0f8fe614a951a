"""What is told and asked, and whether anybody is there."""

import io
import sys

import pytest

from patql.faces.console import stderr
from patql.faces.console.dialogue import ConsoleDialogue
from patql.kernel.errors import Code, PatqlError

SECRET = "pql_" + "Z9" * 33
HOSTILE = f"\x1b[31m\u202e{SECRET}"
HARMLESS = rf"\x1b[31m\u202e{SECRET[:16]}…"


class FakeStream(io.StringIO):
    """A standard stream that is a terminal or isn't."""

    def __init__(self, text: str = "", *, terminal: bool) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        """As told."""
        return self._terminal


def test_nothing_is_told_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of notes, errors and hints, which repeat what servers and labels say; lines stay lines."""
    stderr.tell_error(PatqlError(Code.INVALID, HOSTILE, hint=f"{HOSTILE}\nand more"))
    ConsoleDialogue().note(HOSTILE)
    assert capsys.readouterr() == (
        "",
        f"error[invalid]: {HARMLESS}\n  {HARMLESS}\nand more\nnote: {HARMLESS}\n",
    )


@pytest.mark.parametrize("otherwise", [False, True])
@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("typed", [False, True])
def test_a_question_needs_a_person_who_sees_it_and_can_answer(
    monkeypatch: pytest.MonkeyPatch, *, typed: bool, shown: bool, otherwise: bool
) -> None:
    """A terminal on both sides; elsewhere nothing is asked or read, and it is as it is otherwise."""
    answer = "n\n" if otherwise else "y\n"
    source = FakeStream(answer, terminal=typed)
    told = FakeStream(terminal=shown)
    monkeypatch.setattr("sys.stdin", source)
    monkeypatch.setattr("sys.stderr", told)
    asked = typed and shown
    confirmed = ConsoleDialogue().confirm(HOSTILE, otherwise=otherwise)
    assert confirmed is (not otherwise if asked else otherwise)
    assert told.getvalue() == (f"{HARMLESS} [y/N] " if asked else "")
    assert source.read() == ("" if asked else answer)


def test_what_follows_a_question_that_was_interrupted_begins_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the terminal itself leaves `^C` beside the question."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    stream = FakeStream(terminal=True)
    monkeypatch.setattr(stream, "readline", interrupted)
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(KeyboardInterrupt):
        stderr.ask("Go on?")
    assert capsys.readouterr().err == "Go on? \n"
