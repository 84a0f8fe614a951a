"""The documents of a provider in a folder. Nothing outside the folder is read, whatever a document refers to."""

from pathlib import Path

from patql.catalog.cache import Stamp, stamp
from patql.catalog.layout import DOCUMENT
from patql.catalog.node import Node
from patql.catalog.yaml_text import MAX_BYTES, parse
from patql.kernel.errors import Code, PatqlError


class Folder:
    """The documents of one version of a provider; `stamps` are of those that were asked for, from before reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stamps: list[Stamp] = []

    def document(self) -> Node:
        """The provider document.

        Raises:
            PatqlError: SCHEMA where it can't be read.
        """
        found = self.open(DOCUMENT)
        if found is None:
            raise PatqlError(Code.SCHEMA, f"{self.path / DOCUMENT} is absent")
        return found

    def open(self, reference: str) -> Node | None:
        """The document that a reference of the provider document names, None where there is no such file.

        References are `<provider>/<version>/services/x.yaml`, of which the first two are this folder.

        Raises:
            PatqlError: SCHEMA where it leads out of the folder or can't be read.
        """
        path = self._path(reference)
        self.stamps.append(stamp(path))
        try:
            if not path.exists():
                return None
            if not path.is_file():
                raise PatqlError(Code.SCHEMA, f"`{reference}` is no file")
            # A service is told of with its provider's name; where this can't be read, nothing has a name yet.
            name = str(path) if reference == DOCUMENT else path.name
            with path.open("rb") as file:
                return parse(file.read(MAX_BYTES + 1), name)
        except OSError as error:
            message = f"`{reference}` can't be read: {error.strerror}"
            raise PatqlError(Code.SCHEMA, message) from None

    def _path(self, reference: str) -> Path:
        steps = reference.split("/")
        path = self.path.joinpath(*(steps[2:] if len(steps) > 2 else steps))
        if {"", ".", ".."} & set(steps) or set("\\\0") & set(reference):
            raise PatqlError(Code.SCHEMA, f"`{reference}` is no place in the folder")
        if not path.resolve().is_relative_to(self.path):
            raise PatqlError(Code.SCHEMA, f"`{reference}` leads out of the folder")
        return path
