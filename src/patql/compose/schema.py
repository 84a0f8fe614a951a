"""The schema of the server's database: brought up to date, or looked at."""

from pathlib import Path

import msgspec

from patql.compose.authority import database, need_postgres
from patql.config import Settings
from patql.kernel.errors import Code, PatqlError


class Versions(msgspec.Struct, frozen=True):
    """The version that a database's schema has (0: there is none), and the one that this PatQL needs."""

    there: int
    needed: int


def migrate(settings: Settings) -> Versions:
    """Bring the schema of the server's database up to date; the version that it had before.

    Raises:
        PatqlError: SCHEMA where it is newer than this version of PatQL or something else's, UNAVAILABLE where the
            database can't be opened.
    """
    where = database(settings)
    if isinstance(where, Path):
        before = check(settings)
        from patql.store.sqlite import SqliteStore

        SqliteStore(where).close()
        return before
    need_postgres()
    from patql.store.postgres import Address, schema
    from patql.store.postgres.failures import translated

    address = Address(where)
    with translated(address.name):
        return Versions(schema.migrate(address), len(schema.migrations()))


def check(settings: Settings) -> Versions:
    """The versions of the schema; nothing is changed.

    Raises:
        PatqlError: as `migrate`.
    """
    where = database(settings)
    return _file(where) if isinstance(where, Path) else _server(where)


def damage(settings: Settings) -> tuple[str, ...]:
    """What is wrong with the database itself, a sentence each.

    PostgreSQL looks after its own; of a file SQLite tells whether it can be read, and whether all that rows refer to
    is there.

    Raises:
        PatqlError: as `migrate`.
    """
    where = database(settings)
    if not isinstance(where, Path):
        return ()
    from patql.store.sqlite import integrity
    from patql.store.sqlite.connection import connect
    from patql.store.sqlite.failures import translated

    with translated(str(where)):
        connection = connect(str(where), timeout=10)
        try:
            return integrity.faults(connection)
        finally:
            connection.close()


def _file(path: Path) -> Versions:
    if not path.exists():
        raise PatqlError(Code.UNAVAILABLE, f"there is no token database {path}")
    from patql.store.sqlite import schema
    from patql.store.sqlite.connection import connect
    from patql.store.sqlite.failures import translated

    with translated(str(path)):
        connection = connect(str(path), timeout=10)
        try:
            there = schema.version(connection, str(path))
        finally:
            connection.close()
    return Versions(there, len(schema.migrations()))


def _server(url: str) -> Versions:
    need_postgres()
    from patql.store.postgres import Address, schema
    from patql.store.postgres.connection import connect
    from patql.store.postgres.failures import translated

    address = Address(url)
    with translated(address.name), connect(address) as connection:
        there = schema.version(connection, address)
    return Versions(there, len(schema.migrations()))
