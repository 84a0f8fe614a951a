"""When each token may have ended, and when it must have: what a history says of revocations and expiries."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from tests.prove.history import NEVER, Act, Operation, Outcome

SLACK = 0.25
"""How far the clock by which servers judge expiry may be from the history's, in seconds."""

REVOKES = frozenset({Act.REVOKE, Act.SURRENDER})
HAPPENED = frozenset({Outcome.DONE, Outcome.UNKNOWN})


class Pause(msgspec.Struct, frozen=True):
    """A time in which a token isn't good, since its user is suspended, after which it is again.

    Attributes:
        begins: when it may have begun, in seconds.
        begun: when it had.
        ends: when it may have ended.
        ended: when it had; NEVER where nobody knows.
    """

    begins: float
    begun: float
    ends: float
    ended: float

    def touches(self, operation: Operation) -> bool:
        """Whether an operation may have seen the token in it."""
        return operation.returned >= self.begins and operation.invoked <= self.ended

    def holds(self, operation: Operation, since: float) -> bool:
        """Whether an operation saw the token in it, where it is known to have begun by `since`."""
        return operation.invoked > since and operation.returned < self.ends


class Lifetime(msgspec.Struct):
    """A token's end: not before `earliest`, and by `latest` for sure; in seconds, NEVER where nothing ends it.

    And a time in which it was suspended.
    """

    earliest: float = NEVER
    latest: float = NEVER
    pause: Pause | None = None

    def ends(self, earliest: float, latest: float) -> None:
        """Something ends it, between these instants."""
        self.earliest = min(self.earliest, earliest)
        self.latest = min(self.latest, latest)


def lifetimes(history: Sequence[Operation]) -> defaultdict[int, Lifetime]:
    """The lifetime of each token."""
    lives = defaultdict[int, Lifetime](Lifetime)
    for operation in history:
        if operation.expiry != NEVER:
            instant = operation.expiry
            lives[operation.target].ends(instant - SLACK, instant + SLACK)
    resumed = {each.user: each for each in history if _resumes(each)}
    for token, operation in endings(history):
        returned = _done_by(operation)
        if operation.act is Act.SUSPEND and (after := resumed.get(operation.user)):
            lives[token].pause = Pause(
                operation.invoked, returned, after.invoked, _done_by(after)
            )
        else:
            lives[token].ends(operation.invoked, returned)
    return lives


def _done_by(operation: Operation) -> float:
    """When what an operation asked for was done for sure: an answer may come that doesn't know, too."""
    return operation.returned if operation.outcome is Outcome.DONE else NEVER


def _resumes(operation: Operation) -> bool:
    return operation.act is Act.RESUME and _happened(operation)


def _happened(operation: Operation) -> bool:
    """Whether it did, or may have."""
    return operation.outcome in HAPPENED


def endings(history: Sequence[Operation]) -> Iterator[tuple[int, Operation]]:
    """Each revocation and suspension that was done or may have been, with each token that it ends.

    What descends from a token is revoked with it where that was asked for: all of it, since a token that has ended
    issues none. And a suspended user gets none.
    """
    children = defaultdict[int, list[int]](list)
    users = defaultdict[str, list[int]](list)
    for operation in history:
        if operation.act is Act.ISSUE and operation.target and _happened(operation):
            children[operation.by].append(operation.target)
            users[operation.user].append(operation.target)
    for operation in history:
        if not _happened(operation):
            continue
        if operation.act is Act.SUSPEND:
            for token in users[operation.user]:
                yield token, operation
        elif operation.act in REVOKES:
            yield operation.target, operation
            if operation.cascade:
                for token in _descendants(operation.target, children):
                    yield token, operation


def _descendants(token: int, children: defaultdict[int, list[int]]) -> list[int]:
    found = [*children[token]]
    for each in found:  # it grows meanwhile
        found += children[each]
    return found
