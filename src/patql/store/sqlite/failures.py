"""What SQLite's errors mean to a person."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import apsw

from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem

_REASONS: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.BusyError, "is locked by another process for too long; try again"),
    (apsw.LockedError, "is locked by another process for too long; try again"),
    (apsw.FullError, "can't grow: the disk is full"),
    (apsw.ReadOnlyError, "can't be written: it, its folder or its disk is read-only"),
    (apsw.PermissionsError, "can't be written: its permissions don't allow it"),
    (
        apsw.CantOpenError,
        "can't be opened: its folder's permissions don't allow it, or its disk is read-only",
    ),
    (apsw.CorruptError, "is damaged: restore it from a backup"),
    (apsw.NotADBError, "isn't a SQLite database, or is damaged"),
    (apsw.IOError, "can't be read or written: its disk reports an error"),
    (apsw.ProtocolError, "can't be locked: its disk must be a local one"),
    (apsw.NoMemError, "can't be read: this process is out of memory"),
)


OUTSIDE = (apsw.Error, UnicodeEncodeError)
"""What a statement raises for reasons outside of the code that runs it."""


@contextmanager
def translated(path: str) -> Generator[None]:
    """Turn what the outside world does to a database into PatqlError; our own mistakes stay as they are."""
    try:
        yield
    except OUTSIDE as error:
        fail(error, path)


def fail(error: apsw.Error | UnicodeEncodeError, path: str) -> NoReturn:
    """Raise the PatqlError that says what happened, or the error itself where it is our mistake."""
    if isinstance(error, UnicodeEncodeError):
        raise InvalidRequestError(Problem("Must be valid Unicode")) from error
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            sentence = f"the token database {path} {reason}"
            raise PatqlError(Code.UNAVAILABLE, sentence) from error
    raise error
