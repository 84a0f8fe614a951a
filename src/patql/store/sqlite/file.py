"""The database file: made for its owner alone, and refused where others can read it."""

import os
import stat
import threading
from pathlib import Path

from patql.kernel.errors import Code, PatqlError

_OWNER_ONLY = 0o600
_OTHERS = 0o077
_COMPANIONS = ("", "-wal", "-shm")  # SQLite gives the later two the mode of the first
_creating = threading.Lock()


def ensure(path: Path) -> None:
    """Make the file, empty and readable by its owner alone, or check that an existing one is.

    The file is never opened where it exists: closing a second descriptor would drop the locks that SQLite holds on it
    elsewhere in this process (POSIX advisory locks belong to the process).

    Raises:
        PatqlError: EXPOSED where others can read it, UNAVAILABLE where it can't be made.
    """
    with _creating:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        except FileExistsError:
            _check(path)
        except OSError as error:
            raise PatqlError(
                Code.UNAVAILABLE,
                f"the token database {path} can't be made: {_why(error)}",
            ) from error
        else:
            os.fchmod(descriptor, _OWNER_ONLY)  # whatever the umask
            os.close(descriptor)


def _check(path: Path) -> None:
    exposed = list[str]()
    for suffix in _COMPANIONS:
        file = f"{path}{suffix}"
        try:
            found = os.stat(file)  # noqa: PTH116  (os.stat names no path it doesn't need)
        except FileNotFoundError as error:
            if suffix:
                continue
            raise PatqlError(
                Code.UNAVAILABLE,
                f"the token database {path} is a link to a file that doesn't exist",
            ) from error
        except OSError as error:
            raise PatqlError(
                Code.UNAVAILABLE,
                f"the token database {path} can't be opened: {_why(error)}",
            ) from error
        if not stat.S_ISREG(found.st_mode):
            raise PatqlError(
                Code.UNAVAILABLE, f"the token database {file} isn't a regular file"
            )
        if os.geteuid() not in {found.st_uid, 0}:
            raise PatqlError(
                Code.EXPOSED,
                f"the token database {file} belongs to another user (uid {found.st_uid}), who can read it",
            )
        if found.st_mode & _OTHERS:
            exposed.append(file)
    if exposed:
        raise PatqlError(
            Code.EXPOSED,
            f"the token database {path} can be read by others; run: chmod 600 {' '.join(exposed)}",
        )


def _why(error: OSError) -> str:
    return (error.strerror or "unknown reason").lower()
