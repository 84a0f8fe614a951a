"""The rows of answers that can't be had again, those of requests that changed something: whatever is in them is kept."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import arro3.core as arrow

from patql.catalog.document import Method
from patql.engine.decode import ContradictionError, Decoder

T = TypeVar("T")

TOGETHER = 2_000
"""How many rows that came one by one are read at a time."""


class Answers:
    """Reads the answers of one method; where values contradict the document, all are read again with wider types.

    Args:
        method: which operation sends them.
        key: the column that `add` gives.

    Attributes:
        types: the wider types that columns have got, by name.
    """

    def __init__(self, method: Method, key: str | None = None) -> None:
        self.types: dict[str, str] = {}
        self._method = method
        self._key = key
        self._decoder = self._made()
        self._bodies: dict[int, tuple[bytes, str]] = {}

    def add(self, at: int, body: bytes, where: str) -> list[Any]:
        """Take the answer that has this place among the others; `where` names its request in an error.

        Returns:
            The key of each row in it; none where there is no key.

        Raises:
            PatqlError: BAD_RESPONSE where it holds no rows.
        """
        keys = self._widened(lambda: self._keys(body, where))
        self._bodies[at] = body, where
        return keys

    def table(self) -> arrow.Table:
        """The rows of all answers, by their places.

        Raises:
            PatqlError: BAD_RESPONSE where text isn't Unicode.
        """
        return self._widened(self._read)

    def _keys(self, body: bytes, where: str) -> list[Any]:
        rows = self._decoder.decode(body, where).rows
        self._decoder.extend(self._decoder.columns(), rows)
        return self._decoder.keys(rows)

    def _read(self) -> arrow.Table:
        batches = [self._decoder.read(body, where) for body, where in self._joined()]
        return arrow.Table.from_batches(batches, schema=self._decoder.schema)

    def _joined(self) -> Iterator[tuple[bytes, str]]:
        """The answers by their places; those that are a row each, many as one list: a table of one row takes as much."""
        single: list[bytes] = []
        where = ""
        for at in sorted(self._bodies):
            body, where = self._bodies[at]
            if self._method.object_key is None and body.startswith(b"{"):
                single.append(body)
                if len(single) < TOGETHER:
                    continue
                body = b""
            if single:
                yield b"[%b]" % b",".join(single), where
                single = []
            if body:
                yield body, where
        if single:
            yield b"[%b]" % b",".join(single), where

    def _widened(self, work: Callable[[], T]) -> T:
        while True:
            try:
                return work()
            except ContradictionError as error:
                if error.wider.items() <= self.types.items():
                    raise
                self.types |= error.wider
                self._decoder = self._made()

    def _made(self) -> Decoder:
        return Decoder(self._method, self._method.columns, self._key, self.types)
