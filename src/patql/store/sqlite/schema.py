"""The schema's versions: numbered SQL files, each applied once, in order, in one transaction, and recorded."""

# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from pathlib import Path
from typing import Any, cast

import apsw

from patql.authority.chain import digest
from patql.authority.model import Event
from patql.kernel.errors import Code, PatqlError

_RECORD = """
CREATE TABLE IF NOT EXISTS migration (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT
"""
_FOLDER = Path(__file__).with_name("migrations")


def migrations() -> list[Path]:
    """The files, in order; the version is the number that a name begins with."""
    return sorted(_FOLDER.glob("*.sql"))


def migrate(connection: apsw.Connection, path: str) -> None:
    """Bring a database to our version; any number of processes may do so at once.

    Raises:
        PatqlError: SCHEMA where it is newer than we are, or isn't ours.
    """
    files = migrations()
    if version(connection, path) == len(files):
        return
    connection.create_scalar_function("chain_digest", _chain_digest, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_RECORD)
        done = version(connection, path)  # another process may have been first
        for file in files[done:]:
            script = file.read_text("utf-8")
            connection.execute(script).fetchall()  # all: apsw stops at a row
            connection.execute(
                "INSERT INTO migration (version, name) VALUES (?, ?)",
                (int(file.name[:4]), file.stem),
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version(connection: apsw.Connection, path: str) -> int:
    """How many migrations a database has had; 0 for an empty one.

    Raises:
        PatqlError: SCHEMA where it is newer than we are, or isn't ours.
    """
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        )
    }
    if not tables:
        return 0
    if "migration" not in tables:
        raise PatqlError(
            Code.SCHEMA, f"{path} is a SQLite database, but not one of PatQL's"
        )
    done = int(
        connection.execute("SELECT coalesce(max(version), 0) FROM migration").get
    )
    ours = len(migrations())
    if done > ours:
        raise PatqlError(
            Code.SCHEMA,
            f"the token database {path} has schema version {done}, made by a newer PatQL; this one knows {ours}",
        )
    return done


def _chain_digest(*values: "apsw.SQLiteValue") -> bytes:
    """The hash of an audit line that becomes part of a chain: an event's fields, `previous` and `heads`."""
    *event, previous, heads = cast("tuple[Any, ...]", values)
    return digest(Event(*event), previous, heads)
