"""The database's change counter: the header of the log's index, in the memory that all of its connections share.

SQLite begins each read by looking at the same bytes. Every commit has changed them before it returns (they hold a counter,
the log's last frame, and sums over it), and they are there twice, so that a half-written one shows
(https://sqlite.org/walformat.html, "The WAL-Index File Format").
"""

import mmap
import os
import sys
import threading
from collections.abc import Callable

SIZE = 96
"""Bytes of both copies."""

_UNKNOWN = b""
_lock = threading.Lock()
_mapped = dict[tuple[int, int], "_Mapped"]()


class Counter:
    """The change counter of a database that this process has open, until it is closed.

    Args:
        path: the database file.
    """

    def __init__(self, path: str) -> None:
        self._key: tuple[int, int] | None = None
        self.read: Callable[[], bytes] = lambda: _UNKNOWN
        """Both copies of the header, as they are now; nothing where they can't be seen."""
        if sys.platform != "linux":  # nobody has tried it elsewhere
            return
        with _lock:
            index = (
                f"{os.path.realpath(path)}-shm"  # where SQLite has it, links resolved
            )
            found = os.stat(index)  # noqa: PTH116
            self._key = found.st_dev, found.st_ino
            mapped = _mapped.get(self._key)
            if mapped is None:
                mapped = _mapped[self._key] = _Mapped(index)
            mapped.users += 1
            memory = mapped.memory
        self.read = lambda: memory[:SIZE]

    def close(self) -> None:
        """Let go of the memory; no connection of this process to the database may be open any more."""
        with _lock:
            mapped = self._key and _mapped.get(self._key)
            if self._key is None or not mapped:
                return
            mapped.users -= 1
            if mapped.users == 0:
                del _mapped[self._key]
                mapped.close()
            self._key = None


def is_whole(header: bytes) -> bool:
    """Whether that is a header, and nobody was writing it at the time."""
    half = SIZE // 2
    return len(header) == SIZE and header[:half] == header[half:]


class _Mapped:
    """The index file in memory.

    Its descriptors stay open for as long as any connection of this process is: closing one would drop SQLite's locks on the
    file (POSIX advisory locks belong to the process).
    """

    def __init__(self, path: str) -> None:
        self.users = 0
        self._descriptor = os.open(path, os.O_RDONLY)
        self.memory = mmap.mmap(self._descriptor, SIZE, access=mmap.ACCESS_READ)

    def close(self) -> None:
        self.memory.close()
        os.close(self._descriptor)
