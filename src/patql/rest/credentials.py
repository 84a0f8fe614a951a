"""Stored tokens: `credentials.json`, one token an origin, readable by its owner only.

{"https://api.linode.com": "…", "embedded": "…"}
"""

import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret

_TOKEN_FILE_LIMIT = 4096
"""Bytes of a token file that are read; a token has some 70."""


def check_private(path: Path, mode: int) -> None:
    """Refuse a file of secrets that others can read or write.

    Args:
        path: named in the error.
        mode: `st_mode` of the file as opened.

    Raises:
        PatqlError: EXPOSED.
    """
    if mode & 0o077:
        raise PatqlError(
            Code.EXPOSED,
            f"{path} holds secrets and others than you can reach it (mode {mode & 0o777:o})",
            hint=f"chmod 600 {path}, and revoke what they may have read",
        )


def read_token(path: Path) -> Secret:
    """The token that a file holds, and nothing else.

    Raises:
        PatqlError: EXPOSED where others can read the file, CREDENTIAL where it can't be read or isn't one token.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode):
                check_private(path, found.st_mode)
            content = file.read(_TOKEN_FILE_LIMIT)
    except OSError as error:
        raise PatqlError(
            Code.CREDENTIAL, f"the token file {path} can't be read: {error.strerror}"
        ) from error
    words = content.decode("ascii", "replace").split()
    if len(words) != 1:
        raise PatqlError(
            Code.CREDENTIAL,
            f"the token file {path} must hold one token and nothing else",
        )
    return Secret(words[0])


class Credentials:
    """The stored tokens of one directory, which is made when the first is stored (mode 0700)."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "credentials.json"

    def get(self, origin: str) -> Secret | None:
        """The token for exactly that origin, such as `https://api.linode.com`, or None.

        Raises:
            PatqlError: EXPOSED where others can read the file, CREDENTIAL where it isn't what we wrote.
        """
        token = self._read().get(origin)
        return Secret(token) if token is not None else None

    @contextmanager
    def edit(self) -> Generator[dict[str, str]]:
        """The tokens by origin, to be changed in place; stored durably and atomically at the end, if changed.

        Other processes that edit wait meanwhile. Nothing is stored where the block raises.

        Raises:
            PatqlError: as `get`, and UNAVAILABLE where the directory can't be written.
        """
        lock = self._open_directory()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            tokens = dict(before)
            yield tokens
            if tokens != before:
                self._write(tokens)
        finally:
            os.close(lock)

    def _open_directory(self) -> int:
        directory = self._path.parent
        with self._written():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(directory, os.O_RDONLY)

    @contextmanager
    def _written(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise PatqlError(
                Code.UNAVAILABLE,
                f"{self._path} can't be written: {(error.strerror or 'no reason given').lower()}",
            ) from error

    def _read(self) -> dict[str, str]:
        try:
            with self._path.open("rb") as file:
                check_private(self._path, os.fstat(file.fileno()).st_mode)
                return msgspec.json.decode(file.read(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise PatqlError(
                Code.CREDENTIAL, f"{self._path} can't be read: {error.strerror}"
            ) from error
        except msgspec.DecodeError as error:
            raise PatqlError(
                Code.CREDENTIAL,
                f"{self._path} isn't a JSON object of origins and tokens",
                hint="move it away and store the tokens again with `patql init --url`",
            ) from error

    def _write(self, tokens: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        with self._written():
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(tokens)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
