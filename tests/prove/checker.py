"""Whether a history can be: a pure function from what clients saw to what is wrong with it.

A token is good from its issue to its end, and has one end: a revocation, or its expiry. Each operation sees it at one
instant between its invocation and its return. So a history is linearizable, token by token, exactly where

- nothing that began after the end was acknowledged saw the token good,
- nothing that began after somebody had seen the token ended saw it good,
- nothing that returned before anything was invoked that may end the token saw it ended.

While its user is suspended, a token isn't good either, and the same holds between the suspension and the resumption: from
when the one has returned, or somebody has seen it, until the other is invoked. A refusal in that time tells nothing of the
token's end.

A token is seen good where it is accepted, and where it acts: a change that it makes is checked as a verification is. A
revocation whose answer was lost may have ended the token at any time after its invocation, or not at all.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

from tests.prove.history import NEVER, TRUSTED, Act, Operation, Outcome
from tests.prove.lifetimes import Lifetime, lifetimes
from tests.prove.violation import Rule, Violation


def check(history: Sequence[Operation]) -> list[Violation]:
    """All that is wrong with a history; nothing where it can be."""
    return [
        *_broken(history),
        *_issued_twice(history),
        *_ended_twice(history),
        *_out_of_order(history),
    ]


def check_listed(
    history: Sequence[Operation], listed: Container[int], at: float
) -> list[Violation]:
    """All that is wrong with lists of all users' active tokens, which were read at an instant after the history."""
    lives = lifetimes(history)
    return [
        Violation(Rule.LISTED, token, f"listed: {token in listed}")
        for token in (each.target for each in history if _issued(each))
        if (lives[token].latest < at and token in listed)
        or (_is_there(lives[token], at) and token not in listed)
    ]


def _is_there(life: Lifetime, at: float) -> bool:
    """Whether a token is good for sure at an instant after the history."""
    return life.earliest > at and (life.pause is None or life.pause.ended < at)


def sightings(operation: Operation) -> Iterator[tuple[int, bool]]:
    """Which tokens an operation saw, and whether each was good."""
    act, outcome = operation.act, operation.outcome
    if outcome is Outcome.REFUSED:
        yield operation.by, False
    elif outcome in {Outcome.DONE, Outcome.ABSENT} and act is not Act.SURRENDER:
        if operation.by != TRUSTED:
            yield operation.by, True
        if outcome is Outcome.ABSENT:
            yield operation.target, False
        elif act is Act.RENAME and operation.target != operation.by:
            yield operation.target, True


def _broken(history: Sequence[Operation]) -> Iterator[Violation]:
    for operation in history:
        if operation.outcome is Outcome.BROKEN:
            yield Violation(Rule.BROKEN, operation.target, _told(operation))


def _issued_twice(history: Sequence[Operation]) -> Iterator[Violation]:
    seen = set[int | str]()
    for operation in history:
        if _issued(operation):
            if not seen.isdisjoint({operation.target, operation.handle}):
                yield Violation(Rule.ISSUED_TWICE, operation.target, _told(operation))
            seen |= {operation.target, operation.handle}


def _ended_twice(history: Sequence[Operation]) -> Iterator[Violation]:
    seen = set[int]()
    for operation in history:
        if operation.act is Act.REVOKE and operation.outcome is Outcome.DONE:
            if operation.target in seen:
                yield Violation(Rule.ENDED_TWICE, operation.target, _told(operation))
            seen.add(operation.target)


def _out_of_order(history: Sequence[Operation]) -> Iterator[Violation]:
    lives = lifetimes(history)
    seen_ended, seen_paused = _first_refusals(history, lives)
    for operation in history:
        for token, good in sightings(operation):
            life, seen, pause = lives[token], seen_ended[token], lives[token].pause
            if good and pause and pause.holds(operation, pause.begun):
                gap = operation.invoked - pause.begun
                yield _violation(Rule.ACCEPTED_AFTER_END, token, operation, gap)
            elif good and pause and pause.holds(operation, seen_paused[token]):
                gap = operation.invoked - seen_paused[token]
                yield _violation(Rule.ACCEPTED_AFTER_REFUSAL, token, operation, gap)
            elif good and operation.invoked > life.latest:
                gap = operation.invoked - life.latest
                yield _violation(Rule.ACCEPTED_AFTER_END, token, operation, gap)
            elif good and operation.invoked > seen:
                gap = operation.invoked - seen
                yield _violation(Rule.ACCEPTED_AFTER_REFUSAL, token, operation, gap)
            elif good or (pause and pause.touches(operation)):
                continue
            elif operation.returned < life.earliest:
                gap = life.earliest - operation.returned
                yield _violation(Rule.LOST, token, operation, gap)


def _first_refusals(
    history: Sequence[Operation], lives: Mapping[int, Lifetime]
) -> tuple[Mapping[int, float], Mapping[int, float]]:
    """When each token was first known to have ended, because somebody had seen it so; and to be suspended, or ended."""
    ended = defaultdict[int, float](lambda: NEVER)
    paused = defaultdict[int, float](lambda: NEVER)
    for operation in history:
        for token, good in sightings(operation):
            pause = lives[token].pause
            if not good:
                first = paused if pause and pause.touches(operation) else ended
                first[token] = min(first[token], operation.returned)
    return ended, paused


def _issued(operation: Operation) -> bool:
    return operation.act is Act.ISSUE and operation.outcome is Outcome.DONE


def _violation(rule: Rule, token: int, operation: Operation, gap: float) -> Violation:
    return Violation(rule, token, f"{_told(operation)}, {gap * 1000:.3f} ms apart")


def _told(operation: Operation) -> str:
    return (
        f"client {operation.client}: {operation.act} {operation.outcome} at {operation.door}, "
        f"from {operation.invoked:.6f} to {operation.returned:.6f} {operation.said}"
    ).rstrip()
