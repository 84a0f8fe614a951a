"""Limits before the store: how often one address may fail, and how often one token may be used, in a while.

Counts are kept in memory that the workers of a host share, by a hash with a key of this server's own: neither address nor
token can be read there, nor a stranger's made to look the same. The place is bounded: where two meet, the one that was
counted less is forgotten. A while begins at the same moment for everybody.

    a cell: 32 bits of the hash, 16 of the while's number, 16 of the count; 0: free
"""

import math
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from patql.config import Limit
from patql.faces.http.memory import WORD, Memory
from patql.faces.http.proxies import source

FAILURES = 1 << 14
"""How many addresses are told apart."""
REQUESTS = 1 << 17
"""How many tokens are told apart."""
KEY = 4
"""Cells that hold the key of the hash."""
SIZE = KEY + FAILURES + REQUESTS
"""Cells that limits need."""

_MOST = 0xFFFF


def make_key(memory: Memory) -> None:
    """Draw the key of the hash, once for all who share the memory."""
    memory.cells(0, KEY)[:] = memoryview(os.urandom(KEY * WORD)).cast("Q")


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where somebody stands: `limit` in a while, `remaining` of it, and the second at which the next while begins."""

    limit: int
    remaining: int
    reset: int

    def wait(self, now: float) -> int:
        """Whole seconds until then."""
        return max(1, math.ceil(self.reset - now))

    def lines(self) -> bytes:
        """The same as header lines."""
        return (
            b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n"
            % (self.limit, max(0, self.remaining), self.reset)
        )


class Limits:
    """Both limits; None for one that there isn't.

    Args:
        memory: its first cells are the limits', and hold a key.
        failures: of one address: secrets that nobody has.
        requests: with one token.
        stands_for_others: whether an address is one that others stand behind, so that its failures may be anyone's.
    """

    def __init__(
        self,
        memory: Memory,
        failures: Limit | None,
        requests: Limit | None,
        stands_for_others: Callable[[str], bool],
    ) -> None:
        key = memory.cells(0, KEY).tobytes()
        self._failures = self._requests = None
        if failures is not None:
            self._failures = _Counts(memory.cells(KEY, FAILURES), key, failures)
        if requests is not None:
            cells = memory.cells(KEY + FAILURES, REQUESTS)
            self._requests = _Counts(cells, key, requests)
        self.counts_requests = requests is not None
        self._stands_for_others = stands_for_others
        self._place = lru_cache(maxsize=4096)(self._place_of)

    def failing(self, client: str, now: float) -> Standing | None:
        """Where an address stands that has failed too often; None for any other."""
        counts = self._failures
        if counts is None or (place := self._place(client)) is None:
            return None
        window = now // counts.seconds
        if counts.count(place, int(window)) < counts.most:
            return None
        return counts.standing(counts.most, now)

    def failed(self, client: str, now: float) -> None:
        """Count a failure of an address."""
        counts = self._failures
        if counts is not None and (place := self._place(client)) is not None:
            counts.add(place, int(now // counts.seconds))

    def used(self, secret: bytes, now: float) -> Standing | None:
        """Count a request with a secret; where it stands now, below 0 if it was one too many."""
        counts = self._requests
        if counts is None:
            return None
        count = counts.add(counts.place(secret), int(now // counts.seconds))
        return counts.standing(count, now)

    def _place_of(self, client: str) -> tuple[int, int] | None:
        counted = source(client)
        if counted is None or self._failures is None or self._stands_for_others(client):
            return None
        return self._failures.place(counted)


class _Counts:
    """Counts of one kind."""

    def __init__(self, cells: "memoryview[int]", key: bytes, limit: Limit) -> None:
        self.most = limit.count
        self.seconds = limit.seconds
        self._cells = cells
        self._key = key
        self._pairs = len(cells) // 2

    def place(self, counted: bytes) -> tuple[int, int]:
        """Where something is counted: the first of two cells, and its mark there."""
        digest = blake2b(counted, digest_size=8, key=self._key).digest()
        number = int.from_bytes(digest, "little")
        return number % self._pairs * 2, number >> 32 or 1

    def count(self, place: tuple[int, int], window: int) -> int:
        """How often something was counted in a while."""
        at, mark = place
        wanted = mark << 16 | window & _MOST
        cell = self._cells[at]
        if cell >> 16 != wanted:
            cell = self._cells[at + 1]
            if cell >> 16 != wanted:
                return 0
        return cell & _MOST

    def add(self, place: tuple[int, int], window: int) -> int:
        """Count something once more; how often that was in this while."""
        at, mark = place
        cells = self._cells
        wanted = mark << 16 | window & _MOST
        for index in (at, at + 1):
            cell = cells[index]
            if cell >> 16 == wanted:
                count = min((cell & _MOST) + 1, _MOST)
                cells[index] = wanted << 16 | count
                return count
        cells[min(at, at + 1, key=lambda index: self._worth(index, window))] = (
            wanted << 16 | 1
        )
        return 1

    def standing(self, count: int, now: float) -> Standing:
        """What a count means."""
        reset = (math.floor(now / self.seconds) + 1) * self.seconds
        return Standing(self.most, self.most - count, reset)

    def _worth(self, index: int, window: int) -> int:
        """What is lost where a cell is forgotten: nothing, if it is of another while."""
        cell = self._cells[index]
        return cell & _MOST if cell >> 16 & _MOST == window & _MOST else 0
