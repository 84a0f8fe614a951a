"""The database file: made for its owner alone, and refused where others can read it."""

import os
import stat
import threading
from pathlib import Path

from patql.kernel.clock import Clock
from patql.kernel.errors import Code, PatqlError

_OWNER_ONLY = 0o600
_OTHERS = 0o077
_COMPANIONS = ("", "-wal", "-shm")  # SQLite gives the later two the mode of the first
_creating = threading.Lock()
_LOOK = 1.0  # seconds between two looks at whether the file is still there


class Opened:
    """A database file that is open.

    A process goes on reading a file that was removed, or that another was moved over, as if nothing had happened: it would
    never see what is revoked in the one that has the name now.

    Args:
        path: the file.
        clock: where the present comes from.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._now = clock.now
        self._identity = _identity(path)
        self._looked = clock.now()

    def check(self) -> None:
        """Look, once in a second, whether the name is still the file's.

        Raises:
            PatqlError: UNAVAILABLE, for as long as it isn't.
        """
        now = self._now()
        if abs(now - self._looked) < _LOOK:
            return
        if _identity(self._path) != self._identity:
            raise PatqlError(
                Code.UNAVAILABLE,
                f"the token database {self._path} was removed or replaced while it was open: restart what uses it",
            )
        self._looked = now


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


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (once a second, on the path of a verification)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
