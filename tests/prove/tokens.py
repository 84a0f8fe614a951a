"""The tokens that clients know of."""

import random
from collections import deque

import msgspec
from tests.prove.history import NEVER
from tests.prove.lifetimes import SLACK

_RECENT = 300


class Known(msgspec.Struct, eq=False):
    """A token: its secret, whose it is, and when it expires, on the history's clock; `parent` as the audit has it."""

    id: int
    secret: str
    user: str
    expiry: float = NEVER

    def __repr__(self) -> str:
        return f"Known({self.id})"


class Tokens:
    """All tokens, which of them nobody has tried to revoke yet, and which somebody did lately.

    Args:
        roots: one for each user, which is never revoked.
    """

    def __init__(self, roots: list[Known]) -> None:
        self.roots = {root.user: root for root in roots}
        self.every = {root.id: root for root in roots}
        self._users = list(self.roots.values())
        self._live = list[Known]()
        self._ending = deque[Known](maxlen=_RECENT)

    def add(self, token: Known) -> None:
        """There is a new one."""
        self.every[token.id] = token
        self._live.append(token)

    def root(self, chance: random.Random) -> Known:
        """Any user's root token."""
        return chance.choice(self._users)

    def live(self, chance: random.Random, now: float) -> Known | None:
        """Any token that should be good, and won't expire soon."""
        while self._live:
            place = chance.randrange(len(self._live))
            token = self._live[place]
            if token.expiry > now + SLACK:
                return token
            self._remove(place)
            self._ending.append(token)
        return None

    def ending(self, chance: random.Random) -> Known | None:
        """Any token that somebody revokes, or has lately."""
        return chance.choice(self._ending) if self._ending else None

    def take(self, chance: random.Random, now: float) -> Known | None:
        """A token that should be good, for the caller to revoke."""
        token = self.live(chance, now)
        if token is not None:
            self._remove(self._live.index(token))
            self._ending.append(token)
        return token

    def _remove(self, place: int) -> None:
        self._live[place] = self._live[-1]
        self._live.pop()
