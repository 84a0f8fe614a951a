"""What stops a script."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from patql.engine.result import Result
from patql.faces.console import script
from patql.faces.console.progress import Progress
from patql.kernel.errors import Code, PatqlError, ServerRefusedError, SqlError

if TYPE_CHECKING:
    from patql.engine.session import Session
    from patql.faces.console.deliver import Delivery


class FakeSession:
    """Statements that end as their text says."""

    state = None

    def __init__(self) -> None:
        self.ran = list[str]()

    def statements(self, sql: str) -> list[str]:
        """One a word."""
        return sql.split()

    def beginning(self, sql: str, number: int) -> tuple[int, int]:
        """Each is on a line of its own, indented by one."""
        assert sql
        return number + 1, 2

    def run(self, statement: str) -> Iterator[Result]:
        """Remember it, and fail if it is to."""
        self.ran.append(statement)
        if statement == "interrupted":
            raise KeyboardInterrupt
        if statement == "cancelled":
            raise PatqlError(Code.CANCELLED, "stopped")
        if statement == "fails":
            raise PatqlError(Code.INVALID, "it fails")
        if statement == "misspelt":
            raise SqlError(Code.SYNTAX, "it can't be read", line=1, column=3)
        if statement == "limited":
            raise ServerRefusedError(429, (), "GET /notes")
        return iter(())


@pytest.mark.parametrize(
    ("sql", "keep_going", "ran", "ended"),
    [
        ("works works", False, 2, 0),
        ("works fails works", False, 2, 1),
        ("works fails works", True, 3, 1),
        ("fails interrupted works", True, 2, 1),
        ("interrupted works", True, 1, 130),
        ("cancelled works", True, 1, 130),
        ("interrupted works", False, 1, 130),
    ],
)
def test_what_runs_after_a_failure(
    sql: str, ran: int, ended: int, *, keep_going: bool
) -> None:
    """Nothing, unless told to go on; and after Ctrl-C nothing at all. The first failure is what it ends with."""
    session = FakeSession()
    code = script.run(
        cast("Session", session),
        sql,
        cast("Delivery", None),
        Progress(),
        keep_going=keep_going,
    )
    assert (len(session.ran), code) == (ran, ended)


def test_errors_tell_the_place_in_the_script(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A statement's own first line is rarely the first of the file."""
    script.run(
        cast("Session", FakeSession()),
        "works misspelt",
        cast("Delivery", None),
        Progress(),
    )
    told = "error[syntax]: it can't be read (line 2, column 4)\n"
    assert capsys.readouterr().err == told


def test_a_limit_that_was_not_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The option that would wait is named."""
    script.run(
        cast("Session", FakeSession()),
        "limited",
        cast("Delivery", None),
        Progress(),
    )
    assert "--retry" in capsys.readouterr().err
