"""When and from where tokens were last used: noted in memory, and handed to the store many at once, beside requests."""

from patql.authority.model import Use

PAUSE = 60
"""A token's use is noted once in so many seconds."""
MOST = 50_000
"""How many tokens are noted in that time; the uses of others aren't."""


class Uses:
    """Gathers uses until they are taken; a token's first one in each minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._noted = set[str]()
        self._waiting: list[Use] = []

    def note(self, handle: str, now: float, address: str) -> bool:
        """Note a use, if it is the token's first in this minute; whether it is the first since `take`."""
        minute = int(now // PAUSE)
        if minute != self._minute:
            self._minute = minute
            self._noted.clear()
        elif handle in self._noted:
            return False
        if len(self._noted) >= MOST or len(self._waiting) >= MOST:
            return False
        self._noted.add(handle)
        self._waiting.append(Use(handle, int(now), address))
        return len(self._waiting) == 1

    def take(self) -> list[Use]:
        """What has been noted since this was last called."""
        taken, self._waiting = self._waiting, []
        return taken
