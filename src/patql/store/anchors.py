"""Where stretches of a long list begin, kept in memory.

A page far into a list would cost a walk from the first row to the page's, and another to count. So the ids at which
stretches begin are kept, with the count. They hold exactly as long as nothing can have changed: until the next change,
whose number is read in the same snapshot as the page, or until the next expiry.
"""

from collections.abc import Hashable

import msgspec

STRETCH = 500
"""Rows between two anchors; a page of the API at its longest."""

_KEPT = 256  # lists whose anchors are kept at most


class Anchors(msgspec.Struct, frozen=True):
    """Where stretches of a list begin.

    Attributes:
        version: the number of the last change when they were read.
        since: the instant at which they were read, in seconds since the epoch.
        until: the instant from which they don't hold any more.
        count: the number of rows.
        ids: the id of each `STRETCH`th row, from the first on; empty for a short list.
    """

    version: int
    since: float
    until: float
    count: int
    ids: tuple[int, ...]

    def hold(self, version: int, now: float) -> bool:
        """Whether they are still exact."""
        return self.version == version and self.since <= now < self.until

    def place(
        self, offset: int, limit: int, *, descending: bool
    ) -> tuple[int, int, int]:
        """Where to read a page, in ascending order: from which id on, how many rows to skip, how many to read."""
        size = max(0, min(limit, self.count - offset))
        begin = self.count - offset - size if descending else offset
        if size == 0 or not self.ids:
            return 0, begin, size
        stretch, skip = divmod(begin, STRETCH)
        return self.ids[stretch], skip, size


class Memory:
    """Anchors of the lists that were last asked for; shared by threads."""

    def __init__(self) -> None:
        self._kept = dict[Hashable, Anchors]()

    def get(self, key: Hashable, version: int, now: float) -> Anchors | None:
        """A list's anchors, where they hold."""
        known = self._kept.get(key)
        return known if known is not None and known.hold(version, now) else None

    def keep(self, key: Hashable, anchors: Anchors) -> Anchors:
        """Keep them, if the list is long enough for that."""
        if anchors.ids:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = anchors
        else:
            self._kept.pop(key, None)
        return anchors
