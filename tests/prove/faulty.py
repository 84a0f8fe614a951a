"""`patql serve` on a disk that fails while a flag is raised, as SQLite sees it.

    python -m tests.prove.faulty FLAG serve --db URL --port PORT

The flag is a file, in which stands what fails: `read-only`, writing; `error`, reading and writing.
"""

# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import sys
from pathlib import Path
from typing import cast

import apsw

from patql.cli import main

_BASE = "unix"
_Name = str | apsw.URIFilename | None


class FaultyDisk(apsw.VFS):
    """SQLite's way to the disk, which asks the flag first."""

    def __init__(self, flag: Path) -> None:
        super().__init__("faulty", _BASE, makedefault=True)
        self._flag = flag

    def xOpen(self, name: _Name, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  (SQLite's names)
        """Open a file."""
        return _File(name, flags, self._flag)


class _File(apsw.VFSFile):
    def __init__(self, name: _Name, flags: list[int], flag: Path) -> None:
        super().__init__(_BASE, name, flags)
        self._flag = flag

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self._fault() == "error":
            raise apsw.IOError
        return super().xRead(amount, offset)

    def xWrite(self, data: "apsw.SQLiteValue", offset: int) -> None:  # noqa: N802
        self._check()
        super().xWrite(cast("bytes", data), offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._check()
        super().xSync(flags)

    def _check(self) -> None:
        fault = self._fault()
        if fault:
            raise apsw.ReadOnlyError if fault == "read-only" else apsw.IOError

    def _fault(self) -> str:
        try:
            return self._flag.read_text()
        except FileNotFoundError:
            return ""


if __name__ == "__main__":
    disk = FaultyDisk(
        Path(sys.argv[1])
    )  # it is in use for as long as there is a name for it
    sys.exit(main(sys.argv[2:]))
