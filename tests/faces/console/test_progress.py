"""The progress bar, on a real terminal of the test's own."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import cast

import pytest

from patql.engine.meter import Meter
from patql.engine.state import State
from patql.faces.console import stderr
from patql.faces.console.dialogue import ConsoleDialogue
from patql.faces.console.progress import AFTER, Progress

NAME = "linode.profile.tokens"
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A terminal: what standard error writes is read from the other side."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        self.master, worker = pty.openpty()
        self.stream = os.fdopen(worker, "w", buffering=1)
        self.written = ""
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("TERM", kind)
        monkeypatch.setenv("COLUMNS", "80")

    def attach(self) -> None:
        """Make it standard error; pytest has its own until the test itself runs."""
        self._monkeypatch.setattr(sys, "stderr", self.stream)

    def until(self, pattern: str) -> str:
        """Read until the pattern has been written; returns all of it without what moves the cursor."""
        began = time.monotonic()
        while not re.search(pattern, self.text):
            assert time.monotonic() - began < 20, self.text
            ready, _, _ = select.select([self.master], [], [], 10)
            assert ready, self.text
            self.written += os.read(self.master, 4096).decode()
        return self.text

    @property
    def text(self) -> str:
        """All that was read, without what moves the cursor."""
        return _CONTROLS.sub("", self.written)

    def lines(self) -> list[str]:
        """What a person sees: what was written since the last erasing, line by line."""
        rows = [""]
        at = 0
        for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", self.written):
            if part == "\n":
                at += 1
                rows.extend([""] * (at + 1 - len(rows)))
            elif part == "\x1b[1A":
                at -= 1
            elif part == "\x1b[2K":
                rows[at] = ""
            elif part != "\r" and not part.startswith("\x1b"):
                rows[at] += part
        while rows and not rows[-1]:
            rows.pop()
        return rows


@pytest.fixture
def screen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Screen]:
    """A terminal; of the kind that the test names, else one that can move its cursor."""
    made = Screen(monkeypatch, getattr(request, "param", "xterm"))
    yield made
    made.stream.close()
    os.close(made.master)


class FakeState:
    """What a statement has cost, as the test says."""

    def __init__(self) -> None:
        self.meters: list[Meter] = []

    def meter(self, name: str = NAME) -> Meter:
        """A new step."""
        self.meters.append(Meter(name, lambda: 0.0))
        return self.meters[-1]


def watched(results: Iterator[str], state: FakeState, after: float = 0.0) -> list[str]:
    """The results, with a bar from the beginning."""
    return [*Progress(after).over(results, cast("State", state))]


def test_a_bar_shows_pages_rows_and_waiting(screen: Screen) -> None:
    """As they come, and nothing is left of it afterwards."""
    screen.attach()
    state = FakeState()

    def results() -> Iterator[str]:
        screen.until(r"working  0:00")
        meter = state.meter()
        screen.until(f"{NAME} .* 0 requests")
        meter.expected = 1200
        for _ in range(3):
            meter.answered(100, 500)
        screen.until(f"{NAME} .* 3 of 1,200 pages, 1,500 rows")
        meter.waiting(5.0)
        screen.until("1,500 rows, waits of 5 s")
        yield "a"

    assert watched(results(), state) == ["a"]
    stderr.tell("the end")
    screen.until("the end\r\n")
    assert screen.lines() == ["the end"]
    assert screen.written.count("\x1b[?25l") == screen.written.count("\x1b[?25h") == 1


def test_a_bar_is_gone_when_there_is_a_result(screen: Screen) -> None:
    """Until the next one is waited for; and where the statement fails."""
    screen.attach()
    state = FakeState()

    def results() -> Iterator[str]:
        for number in (1, 2):
            meter = state.meter()
            meter.requests = number
            screen.until(f" {number} request")
            yield "a"
        state.meter().requests = 3
        screen.until(" 3 requests")
        raise ZeroDivisionError

    shown = Progress(0.0).over(results(), cast("State", state))
    for at in range(2):
        assert next(shown) == "a"
        stderr.tell(f"result {at}.")
        screen.until(rf"result {at}\.\r\n")
        assert screen.lines()[at:] == [f"result {at}."]
    with pytest.raises(ZeroDivisionError):
        next(shown)
    stderr.tell("failed")
    screen.until("failed\r\n")
    assert screen.lines() == ["result 0.", "result 1.", "failed"]


def test_notes_and_questions_arent_garbled(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar makes way for them, isn't drawn while a person thinks, and then comes back."""
    screen.attach()
    state = FakeState()
    progress = Progress(0.0)
    dialogue = ConsoleDialogue(progress=progress)
    answered = list[bool]()

    class Person:
        """Somebody who looks at the screen before answering."""

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            screen.until(r"\[y/N\] ")
            state.meters[0].requests = 99
            ready, _, _ = select.select([screen.master], [], [], 0.5)
            assert not ready
            assert screen.lines() == ["note: mind", "sure? [y/N] "]
            screen.written += "y\n"  # as the terminal echoes it
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Person())

    def results() -> Iterator[str]:
        state.meter().requests = 1
        screen.until(" 1 request ")
        dialogue.note("mind")
        answered.append(dialogue.confirm("sure?", otherwise=False))
        screen.until(" 99 requests")
        yield "a"

    assert [*progress.over(results(), cast("State", state))] == ["a"]
    stderr.tell("the end")
    screen.until("the end\r\n")
    assert answered == [True]
    assert screen.lines() == ["note: mind", "sure? [y/N] y", "the end"]


def test_the_last_steps_are_shown(screen: Screen) -> None:
    """A statement may have more of them than a terminal has lines; nothing in a name is obeyed."""
    screen.attach()
    state = FakeState()
    for number in range(40):
        state.meter(f"[red]step{number}\x1b[2J")

    def results() -> Iterator[str]:
        text = screen.until(r"step39\\x1b\[2J")
        assert "step31" not in text
        assert "[red]step32" in text
        yield "a"

    assert watched(results(), state) == ["a"]
    stderr.tell("the end")
    screen.until("the end\r\n")
    assert screen.lines()[0] == "the end"


def quick() -> Iterator[str]:
    """A statement that takes no time."""
    yield "a"


def test_a_quick_statement_has_none(screen: Screen) -> None:
    """Though a terminal is there; it takes more than a second for one."""
    screen.attach()
    assert AFTER == 1.0
    assert watched(quick(), FakeState(), after=60.0) == ["a"]
    stderr.tell("the end")
    assert screen.until("the end\r\n") == "the end\r\n"


@pytest.mark.parametrize("screen", ["dumb"], indirect=True)
def test_a_terminal_that_cant_erase_gets_none(screen: Screen) -> None:
    """It would fill up."""
    screen.attach()

    def results() -> Iterator[str]:
        ready, _, _ = select.select([screen.master], [], [], 0.5)
        assert not ready
        yield "a"

    assert watched(results(), FakeState()) == ["a"]


def test_what_is_no_terminal_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a thread started for it."""
    assert watched(quick(), FakeState()) == ["a"]
    assert capsys.readouterr() == ("", "")


def test_rich_is_imported_for_a_bar_only() -> None:
    """It takes a quarter of a cold statement."""
    program = (
        "import sys\n"
        "from patql.cli import main\n"
        "main(['SELECT 1'])\n"
        "sys.exit('rich' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
