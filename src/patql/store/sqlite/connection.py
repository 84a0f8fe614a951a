"""Connections to the database: how they are opened, and with which promises."""

# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import apsw

from patql.kernel.errors import Code, PatqlError

_SETTINGS = """
PRAGMA synchronous = FULL;   -- a change that was acknowledged survives a power cut
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;  -- no copies of rows in the system's temporary folder
PRAGMA cache_size = -8192;   -- 8 MiB
PRAGMA wal_autocheckpoint = 8000;  -- 32 MiB: a page that many changes have touched is carried over once
"""


def connect(path: str, timeout: float) -> apsw.Connection:
    """A connection to an existing file; it waits up to `timeout` seconds for another's lock.

    Raises:
        apsw.Error: where SQLite can't open it.
    """
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(int(timeout * 1000))
        connection.execute(_SETTINGS).fetchall()  # all: apsw stops at a row
        connection.create_scalar_function(
            "contains_folded", _contains_folded, 2, deterministic=True
        )
    except BaseException:
        connection.close()
        raise
    return connection


def use_wal(connection: apsw.Connection, path: str) -> None:
    """Have the database write ahead, once and for all: readers and a writer then don't wait for each other.

    Raises:
        PatqlError: UNAVAILABLE where the disk can't do that.
    """
    if connection.execute("PRAGMA journal_mode = WAL").get != "wal":
        raise PatqlError(
            Code.UNAVAILABLE,
            f"the token database {path} must be on a local disk: SQLite can't use WAL there",
        )


def _contains_folded(*values: "apsw.SQLiteValue") -> bool:
    text, folded = values
    return str(folded) in str(text).casefold()
