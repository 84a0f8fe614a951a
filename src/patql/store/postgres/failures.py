"""What PostgreSQL's errors mean to a person."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import psycopg

from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem
from patql.store.postgres.connection import StalledError

_BUSY = "is busy: other changes stand in the way of this one; try again"
_REASONS = {
    "08": "can't be reached: the connection broke",
    "25006": "can't be written: it is read-only, as a standby is or a full disk makes it",
    "28": "doesn't let us in: the user or the password is wrong",
    "3D000": "doesn't exist",
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": "can't be used: the user lacks a privilege",
    "53100": "can't grow: its disk is full",
    "53200": "is out of memory",
    "53300": "has no connection left for us",
    "53": "is out of resources",
    "55P03": _BUSY,
    "57014": "takes too long to answer",
    "57P": "is starting or shutting down",
    "58": "can't be read or written: its system reports an error",
    "XX001": "is damaged: restore it from a backup",
    "XX002": "has a damaged index: rebuild it",
}
"""By SQLSTATE or what it begins with (PostgreSQL documentation, appendix A)."""

OUTSIDE = (psycopg.Error, UnicodeEncodeError)
"""What a statement raises for reasons outside of the code that runs it, or inside."""


@contextmanager
def translated(name: str) -> Generator[None]:
    """Turn what the outside world does to a database into PatqlError; our own mistakes stay as they are."""
    try:
        yield
    except OUTSIDE as error:
        fail(error, name)


def fail(error: psycopg.Error | UnicodeEncodeError, name: str) -> NoReturn:
    """Raise the PatqlError that says what happened, or the error itself where it is our mistake."""
    if isinstance(error, UnicodeEncodeError):
        raise InvalidRequestError(Problem("Must be valid Unicode")) from error
    reason = _reason(error)
    if reason is None:
        raise error
    raise unavailable(name, reason) from error


def unavailable(name: str, reason: str) -> PatqlError:
    """The sentence about a database that can't be used now."""
    return PatqlError(Code.UNAVAILABLE, f"the token database {name} {reason}")


def _reason(error: psycopg.Error) -> str | None:
    if isinstance(error, StalledError):
        return "doesn't answer"
    state = error.sqlstate or ""
    for length in (5, 3, 2):
        if length <= len(state) and state[:length] in _REASONS:
            return _REASONS[state[:length]]
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return f"can't be reached: {_last_words(error)}"
    if isinstance(error, psycopg.ProgrammingError | psycopg.DataError) or not state:
        return None
    return f"failed: {_last_words(error)}"


def _last_words(error: psycopg.Error) -> str:
    """The end of the first line, which is what went wrong; before it stand the attempts and addresses."""
    lines = str(error).strip().splitlines()
    told = lines[0] if lines else "unknown reason"
    for word in (" failed: ", "FATAL:  ", "ERROR:  "):
        told = told.rpartition(word)[2]
    return told.strip()
