"""Tokens made: what is granted of what was asked for, and the rows, each with its audit line in the same transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from patql.authority import acting as acts
from patql.authority import scopes, tokens, users
from patql.authority.model import Granted, Issued, Role, Token, User, UserState
from patql.authority.policy import Policy
from patql.authority.ports import NewToken, Transaction
from patql.authority.text import label_problems
from patql.kernel.clock import to_wire
from patql.kernel.errors import InvalidRequestError, Problem

LATEST = 253402300799
"""The last second that the wire's form can say, 9999-12-31T23:59:59 UTC, in seconds since the epoch."""


class Wanted(msgspec.Struct, frozen=True):
    """A token that is asked for, as `Authority.issue` takes it; None: omitted."""

    label: str | None = None
    scopes: str | None = None
    expiry: datetime | int | None = None


class Draft(msgspec.Struct, frozen=True):
    """A token to be made, with everything about it decided but its id; `label` None becomes `token-<id>`."""

    label: str | None
    scopes: str
    expiry: int | None
    note: str | None = None


def draft(wanted: Wanted, acting: Granted | None, policy: Policy, now: float) -> Draft:
    """What is granted of what was asked for.

    Raises:
        InvalidRequestError: with all that is wrong at once.
    """
    problems = label_problems(wanted.label)
    bound = None if acting is None else acting.scopes
    asked = scopes.EVERY if wanted.scopes is None else wanted.scopes
    granted, scope_problems = _granted(asked, bound, policy)
    instant = _seconds(wanted.expiry)
    problems += [*scope_problems, *_expiry_problems(instant, acting, policy, now)]
    if problems:
        raise InvalidRequestError(*problems)
    return Draft(wanted.label, granted, instant, _note(asked, granted, bound))


def drafts(
    wanted: Sequence[Wanted], acting: Granted | None, policy: Policy, now: float
) -> list[Draft]:
    """The same for many; a problem's field says which one it is about: `tokens[3].label`."""
    made, problems = list[Draft](), list[Problem]()
    for number, one in enumerate(wanted):
        try:
            made.append(draft(one, acting, policy, now))
        except InvalidRequestError as error:
            problems += [
                Problem(p.reason, f"tokens[{number}].{p.field}") for p in error.problems
            ]
    if problems:
        raise InvalidRequestError(*problems)
    return made


def create(
    at: Transaction,
    user: str,
    wanted: Sequence[Draft],
    acting: Granted | None,
    policy: Policy,
    now: float,
    action: str = "token_create",
) -> tuple[Issued, ...]:
    """Make tokens as drafted, and their user where that one is new: an ordinary one, who administers nothing.

    Raises:
        InvalidRequestError: where the user is suspended or removed, or the acting token isn't active any more.
    """
    acts.check(at, acting, now)
    owner = at.user(user) or users.add(at, user, role=Role.USER, acting=acting, now=now)
    if owner.state is not UserState.ACTIVE:
        reason = f"The user {user!r} is {owner.state}"
        raise InvalidRequestError(Problem(reason, "username"))
    made = _mint(at, owner, wanted, acting, policy, now)
    at.audit(
        [
            acts.event(action, user, one.token.id, acting, now, _detail(one.token))
            for one in made
        ]
    )
    return made


def _mint(
    at: Transaction,
    owner: User,
    wanted: Sequence[Draft],
    acting: Granted | None,
    policy: Policy,
    now: float,
) -> tuple[Issued, ...]:
    parent = acting.token_id if acting else None
    ids = at.next_token_ids(len(wanted))
    made = dict[int, Issued]()
    while len(made) < len(ids):  # until each handle is one that no token has
        drawn = [
            _draw(token_id, one, policy, now)
            for token_id, one in zip(ids, wanted, strict=True)
            if token_id not in made
        ]
        taken = at.add_tokens([_row(one, owner, parent) for one in drawn])
        made |= {one.token.id: one for one in drawn if one.token.shown not in taken}
    return tuple(made[token_id] for token_id in ids)


def _draw(token_id: int, wanted: Draft, policy: Policy, now: float) -> Issued:
    handle, secret = tokens.mint(policy.prefix)
    label = f"token-{token_id}" if wanted.label is None else wanted.label
    token = Token(token_id, handle, label, wanted.scopes, int(now), wanted.expiry)
    return Issued(token, secret, wanted.note)


def _row(issued: Issued, owner: User, parent: int | None) -> NewToken:
    return NewToken(issued.token, tokens.digest(issued.secret), owner, parent)


def _detail(token: Token) -> dict[str, str | int | bool | None]:
    expiry = None if token.expiry is None else to_wire(token.expiry)
    return {"label": token.label, "scopes": token.scopes, "expiry": expiry}


def _granted(
    asked: str, bound: str | None, policy: Policy
) -> tuple[str, list[Problem]]:
    """What is granted of scopes, within those of the acting token; and what is wrong with them."""
    canonical, problems = scopes.read(asked, policy)
    if bound is None:
        return canonical, problems
    if canonical == scopes.EVERY:
        return bound, problems
    return canonical, problems + scopes.beyond(bound, canonical)


def _note(asked: str, granted: str, bound: str | None) -> str | None:
    """Where `*`, or nothing in particular, was asked for and the acting token's scopes are narrower."""
    if bound is None or granted == scopes.EVERY:
        return None
    if scopes.EVERY not in scopes.words(asked):
        return None
    return f"granted the acting token's scopes, which are narrower than `*`: {granted or 'none'}"


def _seconds(expiry: datetime | int | None) -> int | None:
    if not isinstance(expiry, datetime):
        return expiry
    aware = expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)
    return int(aware.replace(microsecond=0).timestamp())


def _expiry_problems(
    expiry: int | None, acting: Granted | None, policy: Policy, now: float
) -> list[Problem]:
    if expiry is not None and expiry <= now:
        return [Problem("Must be in the future", "expiry")]
    if expiry is not None and expiry > LATEST:
        return [Problem("Must be before the year 10000", "expiry")]
    cap = acting.expiry if acting and policy.lifetime_cap else None
    if cap is not None and (expiry is None or expiry > cap):
        reason = f"Must not be later than the acting token's expiry, {to_wire(cap)}"
        return [Problem(reason, "expiry")]
    return []
