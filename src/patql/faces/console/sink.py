"""Where results are written: standard output, or a file that only its owner reads."""

import contextlib
import os
import stat
import sys
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Protocol

from patql.kernel.errors import Code, PatqlError


class ReaderGoneError(Exception):
    """Whoever read the results has stopped, as `head` does: no fault, and nobody is left to be told."""


class Sink(Protocol):
    """A place for results. What `settle` returned from has arrived."""

    @property
    def terminal(self) -> bool:
        """Whether a terminal shows it."""
        ...

    def write(self, piece: str | bytes) -> None:
        """Take text, or bytes as they are; they may not have arrived yet."""
        ...

    def settle(self) -> None:
        """Make sure that everything has arrived."""
        ...

    def close(self) -> None:
        """Let go, of what hasn't arrived too."""
        ...


class StandardOutput:
    """The process's standard output.

    Raises:
        PatqlError: OUTPUT where it is closed.
    """

    def __init__(self) -> None:
        output = sys.stdout  # None where the descriptor was closed before we began
        if output is None:
            raise PatqlError(Code.OUTPUT, "standard output is closed")
        self._file = output.buffer
        self.terminal = output.isatty()

    def write(self, piece: str | bytes) -> None:
        """Take text or bytes; OSError where they can't be written."""
        self._file.write(_bytes(piece))

    def settle(self) -> None:
        """Hand everything to the system; OSError where it doesn't take it."""
        self._file.flush()

    def close(self) -> None:
        """Leave it open, but keep the interpreter from trying again, at its end, to write what couldn't be."""
        try:
            self._file.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def written(sink: Sink) -> Generator[Sink]:
    """Settle and close the sink at the end of the block.

    Raises:
        PatqlError: OUTPUT where what the block wrote can't be written.
        ReaderGoneError: where nobody reads it any more.
    """
    try:
        yield sink
        sink.settle()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise PatqlError(
            Code.OUTPUT, f"the output can't be written ({error.strerror})"
        ) from error
    finally:
        sink.close()


class FileOutput:
    """A file with mode 0600 that replaces the one that was there once the first result is whole.

    Args:
        path: a link is followed; something that isn't a file, such as a pipe, is written to as it is.

    Raises:
        PatqlError: OUTPUT where it can't be made.
    """

    terminal = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh: Path | None = None
        try:
            self._file = self._open()
        except OSError as error:
            raise _cannot_make(path, error) from error

    def write(self, piece: str | bytes) -> None:
        """Take text or bytes; OSError where they can't be written."""
        self._file.write(_bytes(piece))

    def settle(self) -> None:
        """Write everything to the disk, and put the file in its place; OSError where that fails."""
        self._file.flush()
        if self._fresh is not None:
            os.fsync(self._file.fileno())
            self._fresh.replace(self._path)
            self._fresh = None

    def close(self) -> None:
        """Close it; what wasn't settled is gone."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._fresh is not None:
            self._fresh.unlink(missing_ok=True)
            self._fresh = None

    def _open(self) -> BinaryIO:
        if self._path.exists() and not stat.S_ISREG(self._path.stat().st_mode):
            return self._path.open("wb")
        self._path = self._path.resolve()
        self._fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        return _create(self._fresh)


class SecretsFile:
    """A new file with mode 0600 for secrets, one a line; gone again if there were none.

    Args:
        path: where; nothing may be there yet.

    Raises:
        PatqlError: OUTPUT where it exists or can't be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = _create(path)
        except FileExistsError as error:
            raise PatqlError(
                Code.OUTPUT,
                f"{path} exists; secrets are written to a new file only",
            ) from error
        except OSError as error:
            raise _cannot_make(path, error) from error

    def append(self, secrets: list[str]) -> int:
        """Write them to the disk; returns the length before, in bytes; OSError where it can't be written."""
        before = os.fstat(self._file.fileno()).st_size
        self._file.write("".join(f"{secret}\n" for secret in secrets).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        return before

    def cut(self, length: int) -> None:
        """Take back what was appended since."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file.fileno(), length)
            self._file.seek(length)

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            if not os.fstat(self._file.fileno()).st_size:
                self.path.unlink()
            self._file.close()


def _bytes(piece: str | bytes) -> bytes:
    return piece.encode(errors="backslashreplace") if isinstance(piece, str) else piece


def _create(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "wb")


def _cannot_make(path: Path, error: OSError) -> PatqlError:
    return PatqlError(
        Code.OUTPUT,
        f"{path} can't be written: {(error.strerror or 'no reason given').lower()}",
    )
