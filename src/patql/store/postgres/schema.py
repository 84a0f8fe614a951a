"""The schema's versions: numbered SQL files, each applied once, in order, in one transaction, and recorded."""

from pathlib import Path

import psycopg
from psycopg import errors

from patql.kernel.errors import Code, PatqlError
from patql.store.postgres.connection import Address, Connection, connect

_RECORD = """
CREATE TABLE IF NOT EXISTS migration (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_FOLDER = Path(__file__).with_name("migrations")
_WAIT = "60s"  # for whoever else migrates
_ATTEMPTS = 5


def migrations() -> list[Path]:
    """The files, in order; the version is the number that a name begins with."""
    return sorted(_FOLDER.glob("*.sql"))


def migrate(address: Address) -> int:
    """Bring a database to our version; any number of processes may do so at once. The version that it had.

    Raises:
        PatqlError: SCHEMA where it is newer than we are, or has tables of somebody else's.
    """
    with connect(address, lock_timeout=_WAIT) as connection:
        connection.patience = None
        _check_encoding(connection, address)
        for _ in range(_ATTEMPTS):
            had = version(connection, address)
            if had == len(migrations()):
                return had
            try:
                with connection.transaction():
                    _apply(connection, migrations()[had:])
            except (errors.UniqueViolation, errors.SerializationFailure):
                continue  # another process was first, here or there
            except (errors.DuplicateTable, errors.DuplicateObject) as error:
                if version(connection, address) == had:
                    raise PatqlError(
                        Code.SCHEMA,
                        f"{address.name} has tables of something else's, named as PatQL's are",
                        hint="give PatQL a database of its own, or a schema: options=-csearch_path%3DNAME",
                    ) from error
            else:
                return had
        raise errors.SerializationFailure("others migrate all the time")


def check(connection: Connection, address: Address) -> None:
    """Refuse a schema that isn't ours.

    Raises:
        PatqlError: SCHEMA where it is newer than we are or older; UNAVAILABLE where there is none.
    """
    done, ours = version(connection, address), len(migrations())
    if done == 0:
        raise PatqlError(
            Code.UNAVAILABLE,
            f"there is no token database in {address.name}",
            hint="make it with `patql init --db …`",
        )
    if done < ours:
        raise PatqlError(
            Code.SCHEMA,
            f"the token database {address.name} has schema version {done}, and this PatQL needs {ours}",
            hint="`patql db migrate` brings it up to date; older servers refuse it from then on",
        )


def version(connection: Connection, address: Address) -> int:
    """How many migrations a database has had; 0 where there is none of ours.

    Raises:
        PatqlError: SCHEMA where it is newer than we are.
    """
    try:
        row = connection.execute("SELECT max(version) FROM migration").fetchone()
    except errors.UndefinedTable:
        return 0
    done = int(row[0] or 0) if row else 0
    ours = len(migrations())
    if done > ours:
        raise PatqlError(
            Code.SCHEMA,
            f"the token database {address.name} has schema version {done}, made by a newer PatQL; this one knows {ours}",
        )
    return done


def _apply(connection: Connection, files: list[Path]) -> None:
    connection.execute(_RECORD)
    for file in files:
        # First: whoever else does the same waits here until we are done, and then fails.
        connection.execute(
            "INSERT INTO migration (version, name) VALUES (%s, %s)",
            (int(file.name[:4]), file.stem),
        )
        connection.execute(file.read_bytes())


def _check_encoding(connection: psycopg.Connection, address: Address) -> None:
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is not None and str(row[0]).upper().replace("-", "") != "UTF8":
        raise PatqlError(
            Code.SCHEMA,
            f"the database {address.name} has the encoding {row[0]}; PatQL needs UTF8",
        )
