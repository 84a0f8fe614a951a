"""Memory that the workers of one host share: counts of limits and metrics, made by the first process, gone with the last."""

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable
from multiprocessing import reduction
from typing import Any

WORD = 8
"""Bytes of one cell."""


class Memory:
    """Cells of 64 bits, all 0 at first. Worker processes get it as an argument: it travels as its file descriptor.

    Nothing is locked: a cell is read and written at once, and two that add to one at the same moment may count once.

    Args:
        size: cells.
    """

    def __init__(self, size: int, *, descriptor: int | None = None) -> None:
        self.size = size
        if descriptor is None:
            descriptor = _anonymous()
            os.ftruncate(descriptor, size * WORD)
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, size * WORD)
        self._cells = memoryview(self._map).cast("Q")

    def cells(self, begin: int, count: int) -> "memoryview[int]":
        """Some of the cells."""
        return self._cells[begin : begin + count]

    def claim(self, most: int) -> int:
        """The lowest number that no living process has claimed; the last of `most` where all are.

        The claim is a lock on a byte of the file, so that it ends with the process, however that ends.
        """
        for number in range(most - 1):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            return number
        return most - 1

    def __reduce__(self) -> tuple[Callable[..., "Memory"], tuple[Any, ...]]:
        return _received, (reduction.DupFd(self._descriptor), self.size)


def _received(descriptor: Any, size: int) -> Memory:  # noqa: ANN401  (no public name)
    return Memory(size, descriptor=descriptor.detach())


def _anonymous() -> int:
    """A file without a name: in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("patql")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
