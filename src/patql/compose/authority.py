"""The authority: over a SQLite file of this machine, or a PostgreSQL database, in process."""

import os
from pathlib import Path

from patql import config
from patql.authority import authority
from patql.authority.model import Issued
from patql.authority.policy import Policy
from patql.authority.ports import TokenStore
from patql.config import Settings
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.errors import Code, PatqlError

DATABASE = "tokens.db"
"""The name of the embedded authority's file."""


class Authority(authority.Authority):
    """An authority over a SQLite file, in process, or over a PostgreSQL database.

    Args:
        database: the file, made where it doesn't exist, for its owner alone; its folder must exist. Or the URL of a
            database, which must exist, `postgresql://USER@HOST:PORT/NAME`; its tables are made where there are none.
        clock: where the present comes from.
        policy: the token prefix, the scope categories, the guard and the lifetime cap.

    Raises:
        PatqlError: EXPOSED where others can read the file, SCHEMA where it is newer than this version of PatQL or
            something else's, UNAVAILABLE where it can't be opened; USAGE for a URL that can't be read.
    """

    def __init__(
        self,
        database: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        policy: Policy | None = None,
    ) -> None:
        super().__init__(_store(database), clock or SystemClock(), policy or Policy())


def _store(database: str | os.PathLike[str], *, make: bool = True) -> TokenStore:
    if not isinstance(database, str) or not config.is_postgres(database):
        from patql.store.sqlite import SqliteStore

        return SqliteStore(database)
    need_postgres()
    from patql.store.postgres import PostgresStore

    return PostgresStore(database, make=make)


def need_postgres() -> None:
    """Refuse to go on where the package that speaks to PostgreSQL isn't installed.

    Raises:
        PatqlError: USAGE.
    """
    try:
        import psycopg
    except ImportError as error:
        raise PatqlError(
            Code.USAGE,
            "a PostgreSQL database needs the package psycopg, which isn't installed",
            hint="install it with: pip install 'patql[postgres]'",
        ) from error
    del psycopg


def policy(settings: Settings) -> Policy:
    """The authority's settings.

    Raises:
        PatqlError: USAGE, for one that makes no sense.
    """
    usual = Policy()
    return Policy(
        prefix=settings.token_prefix or usual.prefix,
        categories=settings.scopes or usual.categories,
        guard=settings.token_scope or usual.guard,
        lifetime_cap=settings.lifetime_cap,
    )


def database(settings: Settings) -> Path | str:
    """The server's database: PATQL_DB's file, or its URL for PostgreSQL; else the embedded authority's file."""
    if settings.db is None:
        return settings.data_dir / DATABASE
    if config.is_postgres(settings.db):
        return settings.db
    return config.database_path(settings.db)


def open_authority(settings: Settings) -> authority.Authority:
    """The authority of a server, which must have been made before.

    Raises:
        PatqlError: UNAVAILABLE where the database doesn't exist or has no user, and as `Authority`.
    """
    where = database(settings)
    remedy = "make it with `patql init --db …`"
    if isinstance(where, Path):
        remedy = f"make it with `patql init --db {settings.db or f'sqlite:///{where}'}`"
        if not where.exists():
            told = f"there is no token database {where}"
            raise PatqlError(Code.UNAVAILABLE, told, hint=remedy)
    store = _store(where, make=False)
    opened = authority.Authority(store, SystemClock(), policy(settings))
    if opened.is_empty():
        opened.close()
        name = (
            f"token database {where}"
            if isinstance(where, Path)
            else "database of PATQL_DB"
        )
        raise PatqlError(Code.UNAVAILABLE, f"the {name} has no user", hint=remedy)
    return opened


def make_folder(folder: Path) -> None:
    """Make the user's data folder, for its owner alone, where it doesn't exist.

    Raises:
        PatqlError: UNAVAILABLE where it can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PatqlError(
            Code.UNAVAILABLE, f"{folder} can't be made: {error.strerror}"
        ) from error


def make_first(opened: authority.Authority, user: str | None) -> Issued:
    """The first user of an authority and their root token.

    Args:
        opened: the authority.
        user: the name; None for the login name of whoever runs this.

    Raises:
        PatqlError: INVALID where there are users already.
    """
    issued = opened.found(_login() if user is None else user)
    if issued is None:
        raise PatqlError(
            Code.INVALID,
            "the token database has users already",
            hint="`patql init --recover` makes a new root token, `patql user add NAME` another user",
        )
    return issued


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for the user id, as in some containers
        return f"uid-{os.getuid()}"
