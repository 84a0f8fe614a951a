"""The authority of this machine: over a SQLite file, in process."""

import os
from pathlib import Path

from patql import config
from patql.authority import authority
from patql.authority.model import Issued
from patql.authority.policy import Policy
from patql.config import Settings
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.errors import Code, PatqlError

DATABASE = "tokens.db"
"""The name of the embedded authority's file."""


class Authority(authority.Authority):
    """An authority over a SQLite file, in process.

    Args:
        path: the file, made where it doesn't exist, for its owner alone; its folder must exist.
        clock: where the present comes from.
        policy: the token prefix, the scope categories, the guard and the lifetime cap.

    Raises:
        PatqlError: EXPOSED where others can read the file, SCHEMA where it is newer than this version of PatQL or
            something else's, UNAVAILABLE where it can't be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        policy: Policy | None = None,
    ) -> None:
        from patql.store.sqlite import SqliteStore

        super().__init__(SqliteStore(path), clock or SystemClock(), policy or Policy())


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


def database(settings: Settings) -> Path:
    """The file of the server's database: PATQL_DB's, else the embedded authority's."""
    if settings.db is not None:
        return config.database_path(settings.db)
    return settings.data_dir / DATABASE


def open_authority(settings: Settings) -> Authority:
    """The authority of a server, which must have been made before.

    Raises:
        PatqlError: UNAVAILABLE where the file doesn't exist or has no user, and as `Authority`.
    """
    path = database(settings)
    remedy = f"make it with `patql init --db {settings.db or f'sqlite:///{path}'}`"
    if not path.exists():
        raise PatqlError(
            Code.UNAVAILABLE, f"there is no token database {path}", hint=remedy
        )
    opened = Authority(path, policy=policy(settings))
    if opened.is_empty():
        opened.close()
        raise PatqlError(
            Code.UNAVAILABLE, f"the token database {path} has no user", hint=remedy
        )
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
