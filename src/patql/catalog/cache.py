"""Compiled documents kept in a folder, so that YAML is parsed once: one JSON file for each provider.

An entry says which files it was made from, and is stale once any of them has another size or time of change, was made,
or went away. It is a convenience: what can't be read or written is compiled again, and nobody is told.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from patql.catalog.document import Provider
from patql.kernel.version import __version__

FORMAT = f"6 of {__version__}"
"""Changes whenever compiling gives something else than before."""


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was: its time of change in nanoseconds and its size in bytes, both -1 where it was absent."""

    path: str
    modified: int = -1
    size: int = -1


class _Entry(msgspec.Struct, frozen=True):
    format: str
    stamps: tuple[Stamp, ...]
    provider: Provider


def stamp(path: Path) -> Stamp:
    """A file as it is now."""
    try:
        found = path.stat()
    except OSError:
        return Stamp(str(path))
    return Stamp(str(path), found.st_mtime_ns, found.st_size)


class Kept:
    """The entry of one provider.

    Args:
        cache: the folder of all entries; it is made when it is first needed.
        name: what the provider is called.
        source: the folder of its documents.
    """

    def __init__(self, cache: Path, name: str, source: Path) -> None:
        digest = hashlib.sha256(f"{name}\0{source}".encode()).hexdigest()[:16]
        self._path = cache / f"{name}-{digest}.json"

    def read(self) -> Provider | None:
        """The provider as compiled before, None where that isn't so or no longer holds."""
        try:
            entry = msgspec.json.decode(self._path.read_bytes(), type=_Entry)
        except (OSError, msgspec.MsgspecError):
            return None
        fresh = all(stamp(Path(known.path)) == known for known in entry.stamps)
        return entry.provider if entry.format == FORMAT and fresh else None

    def write(self, provider: Provider, stamps: Iterable[Stamp]) -> None:
        """Keep a provider; readers see the whole entry or the one before."""
        content = msgspec.json.encode(_Entry(FORMAT, tuple(stamps), provider))
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._path, content)


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(content)
            file.flush()
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
