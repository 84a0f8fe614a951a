"""Where every random decision comes from: a seed, or the decisions of an earlier run, so that these can be made simpler."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

LEAST = 0
"""What is decided once the given decisions are used up; the simplest of alternatives stands first."""


class Choices:
    """A run of decisions; `made` has those made so far."""

    def __init__(self, seed: int | None, given: Sequence[int] = ()) -> None:
        self.made: list[int] = []
        self._random = Random(seed) if seed is not None else None
        self._given = given

    def below(self, count: int) -> int:
        """A number from 0, less than `count`."""
        at = len(self.made)
        if at < len(self._given):
            chosen = self._given[at] % count
        else:
            chosen = self._random.randrange(count) if self._random else LEAST
        self.made.append(chosen)
        return chosen

    def one(self, among: Sequence[T]) -> T:
        """One of them."""
        return among[self.below(len(among))]

    def maybe(self, of_ten: int) -> bool:
        """True so many times of ten."""
        return self.below(10) >= 10 - of_ten


def simplest(made: Sequence[int], fails: Callable[[Sequence[int]], bool]) -> list[int]:
    """Fewer and smaller decisions that still fail: parts are left out or made the least, as long as that helps."""
    best, size = list(made), len(made)
    while size:
        at = 0
        while at < len(best):
            without = best[:at] + best[at + size :]
            least = best[:at] + [LEAST] * size + best[at + size :]
            if fails(without):
                best = without
            elif any(best[at : at + size]) and fails(least[: len(best)]):
                best = least[: len(best)]
                at += size
            else:
                at += size
        size //= 2
    return best
