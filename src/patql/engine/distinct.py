"""Whether the keys of many rows differ from each other."""

from array import array
from collections.abc import Sequence
from operator import lt
from typing import Any


class Distinct:
    """Keys as they come. Integers that ascend, as those of most lists do, take eight bytes each; others far more."""

    def __init__(self) -> None:
        self._ascending = array("q")
        self._others: set[Any] | None = None
        self._count = 0

    def add(self, keys: Sequence[Any]) -> None:
        """Take some more."""
        self._count += len(keys)
        if self._others is None and not self._append(keys):
            self._others = set(self._ascending)
            self._ascending = array("q")
        if self._others is not None:
            self._others.update(keys)

    @property
    def are_all(self) -> bool:
        """Whether no key has come twice."""
        return self._others is None or len(self._others) == self._count

    def _append(self, keys: Sequence[Any]) -> bool:
        """Take keys that are greater than all before, each than the one before it; whether they are."""
        try:
            more = array("q", keys)
        except (TypeError, OverflowError):
            return False
        last = self._ascending[-1:]
        if not all(map(lt, last + more, more if last else more[1:])):
            return False
        self._ascending += more
        return True
