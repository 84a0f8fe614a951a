"""The tokens that clients know of."""

import random
from collections import defaultdict, deque

import msgspec
from tests.prove.history import NEVER
from tests.prove.lifetimes import SLACK

_RECENT = 300


class Known(msgspec.Struct, eq=False):
    """A token: its secret, whose it is, and when it expires, on the history's clock."""

    id: int
    secret: str
    user: str
    expiry: float = NEVER

    def __repr__(self) -> str:
        return f"Known({self.id})"


class Tokens:
    """All tokens: those that should be good, and those that somebody ends, or has lately.

    Args:
        roots: one for each user, which nobody revokes.
    """

    def __init__(self, roots: list[Known]) -> None:
        self.roots = {root.user: root for root in roots}
        self.every = {root.id: root for root in roots}
        self._steady = roots
        self._doomed = deque[str]()
        self._suspended = deque[str]()
        self._of_user = defaultdict[str, list[Known]](list)
        self._live = list[Known]()
        self._places = dict[int, int]()
        self._ending = deque[Known](maxlen=_RECENT)

    def add(self, token: Known) -> None:
        """There is a new one."""
        self.every[token.id] = token
        self._of_user[token.user].append(token)
        self._places[token.id] = len(self._live)
        self._live.append(token)

    def add_doomed(self, root: Known) -> None:
        """There is a new user, who will be suspended."""
        self.every[root.id] = self.roots[root.user] = root
        self._of_user[root.user].append(root)
        self._doomed.append(root.user)

    def doomed(self) -> str | None:
        """The user whose turn it is to be suspended, with all tokens, from now on."""
        if not self._doomed:
            return None
        user = self._doomed.popleft()
        for token in self._of_user[user]:
            self.end(token)
        return user

    def add_suspended(self, user: str) -> None:
        """A user is suspended, who may be resumed."""
        self._suspended.append(user)

    def suspended(self) -> str | None:
        """The user whose turn it is to be resumed."""
        return self._suspended.popleft() if self._suspended else None

    def of_user(self, user: str) -> list[Known]:
        """All tokens that a user has, or had."""
        return self._of_user[user]

    def root(self, chance: random.Random) -> Known:
        """The root token of any user who is there for ever."""
        return chance.choice(self._steady)

    def live(self, chance: random.Random, now: float) -> Known | None:
        """Any token that should be good, and won't expire soon."""
        while self._live:
            token = chance.choice(self._live)
            if token.expiry > now + SLACK:
                return token
            self.end(token)
        return None

    def ending(self, chance: random.Random) -> Known | None:
        """Any token that somebody ends, or has lately."""
        return chance.choice(self._ending) if self._ending else None

    def take(self, chance: random.Random, now: float) -> Known | None:
        """A token that should be good, for the caller to end."""
        token = self.live(chance, now)
        if token is not None:
            self.end(token)
        return token

    def take_beside(self, token: Known, most: int) -> list[Known]:
        """Some more tokens of the same user, of those that were issued last, for the caller to end."""
        latest = self._of_user[token.user][-_RECENT:]
        found = [each for each in latest if each.id in self._places][-most:]
        for each in found:
            self.end(each)
        return found

    def end(self, token: Known) -> None:
        """It isn't good any more, or won't be soon."""
        place = self._places.pop(token.id, None)
        if place is not None:
            last = self._live.pop()
            if last is not token:
                self._live[place] = last
                self._places[last.id] = place
        self._ending.append(token)
