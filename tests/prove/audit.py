"""Whether the audit tells what a history tells: a line for each acknowledged change, and none for what wasn't."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from tests.prove.checker import sightings
from tests.prove.history import NEVER, TRUSTED, Act, Line, Operation, Outcome
from tests.prove.lifetimes import HAPPENED, REVOKES, endings
from tests.prove.violation import Rule, Violation

_LABELLED = frozenset({Act.ISSUE, Act.RENAME, Act.SUSPEND, Act.RESUME})


def check_audit(history: Sequence[Operation], lines: Sequence[Line]) -> list[Violation]:
    """All that is wrong with the audit of a history; `lines` are all that there are."""
    labelled = [line for line in lines if line.act in _LABELLED]
    return [
        *_labelled(history, labelled),
        *_half_done(history, lines),
        *_ended(
            _identified(history, labelled),
            [line for line in lines if line.act in REVOKES],
        ),
    ]


def _identified(history: Sequence[Operation], lines: Sequence[Line]) -> list[Operation]:
    """The history, with the ids of tokens whose issue was done and its answer lost, as the audit knows them by label.

    Nobody has such a token. But it is revoked with the one that it descends from. A batch may have been sent again, so
    several operations can stand for one token: the first whose answer is unknown, where no answer came, is enough.
    """
    ids = {line.label: line.target for line in lines if line.act is Act.ISSUE}
    for operation in history:
        if operation.act is Act.ISSUE and operation.outcome is Outcome.DONE:
            ids.pop(operation.label, None)
    known = list[Operation]()
    for operation in history:
        if operation.act is Act.ISSUE and operation.outcome is Outcome.UNKNOWN:
            target = ids.pop(operation.label, operation.target)
            known.append(replace(operation, target=target))
        else:
            known.append(operation)
    return known


def _labelled(
    history: Sequence[Operation], lines: Sequence[Line]
) -> Iterator[Violation]:
    """All but revocations: each has a label of its own, by which its line is found."""
    possible = {
        (operation.act, operation.label): operation
        for operation in history
        if operation.act in _LABELLED and operation.outcome in HAPPENED
    }
    found = Counter((line.act, line.label) for line in lines)
    for key, operation in possible.items():
        if operation.outcome is Outcome.DONE and not found[key]:
            yield _missing(operation.target, operation)
    for line in lines:
        cause = possible.get((line.act, line.label))
        if cause is None or found[line.act, line.label] > 1:
            yield Violation(Rule.LINE_EXTRA, line.target, str(line))
        elif line.target != (cause.target or line.target) or not _is_by(line, cause):
            yield Violation(Rule.LINE_WRONG, line.target, str(line))


def _half_done(
    history: Sequence[Operation], lines: Sequence[Line]
) -> Iterator[Violation]:
    """A request about several tokens is in the audit with all of them, or with none.

    What several requests may have revoked tells nothing of one of them.
    """
    labels = {line.label for line in lines if line.act is Act.ISSUE}
    revoked = {line.target for line in lines if line.act in REVOKES}
    attempts = Counter(token for token, each in endings(history) if each.act in REVOKES)
    groups = defaultdict[int, list[Operation]](list)
    for operation in history:
        happened = operation.outcome in HAPPENED
        if operation.group and happened and attempts[operation.target] <= 1:
            groups[operation.group].append(operation)
    for parts in groups.values():
        done = {part.label in labels or part.target in revoked for part in parts}
        if len(done) > 1:
            told = f"a request of {len(parts)} parts at {parts[0].door}"
            yield Violation(Rule.HALF_DONE, parts[0].target, told)


def _ended(history: Sequence[Operation], lines: Sequence[Line]) -> Iterator[Violation]:
    """Revocations: one line a token, by one who may have revoked it; where somebody was told so, by that one."""
    attempts = defaultdict[int, list[Operation]](list)
    for token, operation in endings(history):
        if operation.act in REVOKES:
            attempts[token].append(operation)
    found = Counter(line.target for line in lines)
    for token in _surely_revoked(history, attempts):
        if not found[token]:
            yield _missing(token, attempts[token][0])
    for line in lines:
        causes = attempts[line.target]
        told = [cause for cause in causes if _did_it(cause, line.target)]
        if not causes or found[line.target] > 1:
            yield Violation(Rule.LINE_EXTRA, line.target, str(line))
        elif not any(_is_by(line, cause) for cause in told or causes):
            yield Violation(Rule.LINE_WRONG, line.target, str(line))


def _surely_revoked(
    history: Sequence[Operation], attempts: dict[int, list[Operation]]
) -> Iterator[int]:
    """Tokens that somebody was told to have revoked; and those that ended, and not because of their expiry or user."""
    expiring = {operation.target for operation in history if operation.expiry != NEVER}
    suspended = {t for t, each in endings(history) if each.act is Act.SUSPEND}
    seen_ended = {
        token
        for operation in history
        for token, good in sightings(operation)
        if not good and token not in suspended
    }
    for token, causes in attempts.items():
        ended = token in seen_ended or any(c.outcome is Outcome.DONE for c in causes)
        if any(_did_it(c, token) for c in causes) or (ended and token not in expiring):
            yield token


def _did_it(operation: Operation, token: int) -> bool:
    """Whether it was told that it, and nothing else, ended the token."""
    named = operation.act is Act.REVOKE and operation.target == token
    return named and operation.outcome is Outcome.DONE


def _is_by(line: Line, cause: Operation) -> bool:
    if cause.act is Act.SURRENDER:  # whoever has a token acts as it, or as nobody
        return line.by in {None, cause.target}
    return (line.by or TRUSTED) == cause.by


def _missing(token: int, cause: Operation) -> Violation:
    told = f"{cause.act} {cause.label} by client {cause.client} at {cause.door}"
    return Violation(Rule.LINE_MISSING, token, told)
