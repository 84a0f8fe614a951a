"""What stops a script."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from patql.engine.result import Result
from patql.faces.console import script
from patql.faces.console.progress import Progress
from patql.kernel.errors import Code, PatqlError

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

    def run(self, statement: str) -> Iterator[Result]:
        """Remember it, and fail if it is to."""
        self.ran.append(statement)
        if statement == "interrupted":
            raise KeyboardInterrupt
        if statement == "cancelled":
            raise PatqlError(Code.CANCELLED, "stopped")
        if statement == "fails":
            raise PatqlError(Code.INVALID, "it fails")
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
