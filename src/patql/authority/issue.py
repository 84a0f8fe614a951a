"""Changes: users and tokens made, renamed and revoked, each with its audit line in the same transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from patql.authority import scopes, tokens
from patql.authority.model import Event, Granted, Issued, Role, Token, User
from patql.authority.policy import Policy
from patql.authority.ports import NewToken, Transaction
from patql.kernel.clock import to_wire
from patql.kernel.errors import Code, InvalidRequestError, Problem

LATEST = 253402300799
"""The last second that the wire's form can say, 9999-12-31T23:59:59 UTC, in seconds since the epoch."""

LABEL_LENGTH = 100
"""The greatest length of a label, in characters."""


class Draft(msgspec.Struct, frozen=True):
    """A token to be made, with everything about it decided but its id; `label` None becomes `token-<id>`."""

    label: str | None
    scopes: str
    expiry: int | None
    note: str | None = None


def draft(
    label: str | None,
    scopes_asked: str | None,
    expiry: datetime | int | None,
    acting: Granted | None,
    policy: Policy,
    now: float,
) -> Draft:
    """What is granted of what was asked for.

    Raises:
        InvalidRequestError: with all that is wrong at once.
    """
    problems = label_problems(label)
    granted, scope_problems = _scopes(scopes_asked, acting, policy)
    instant = _seconds(expiry)
    problems += scope_problems + _expiry_problems(instant, acting, policy, now)
    if problems:
        raise InvalidRequestError(*problems)
    return Draft(label, granted, instant, _note(scopes_asked, granted, acting))


def create(
    at: Transaction,
    user: str,
    wanted: Draft,
    acting: Granted | None,
    policy: Policy,
    now: float,
    action: str = "token_create",
) -> Issued:
    """Make a token as drafted, and its user where that one is new."""
    check_acting(at, acting, now)
    owner = at.user(user) or add_user(at, user, acting=acting, now=now)
    token_id = at.next_token_id()
    label = f"token-{token_id}" if wanted.label is None else wanted.label
    while True:  # until the handle is one that no token has
        handle, secret = tokens.mint(policy.prefix)
        token = Token(token_id, handle, label, wanted.scopes, int(now), wanted.expiry)
        parent = acting.token_id if acting else None
        if at.add_token(NewToken(token, tokens.digest(secret), owner, parent)):
            break
    expiry = None if token.expiry is None else to_wire(token.expiry)
    detail = {"label": label, "scopes": token.scopes, "expiry": expiry}
    _audit(at, action, owner, token_id, acting, now, detail)
    return Issued(token, secret, wanted.note)


def rename(
    at: Transaction,
    user: str,
    token_id: int,
    label: str,
    acting: Granted | None,
    now: float,
) -> Token | None:
    """Give the user's active token another label; None where there is no such token."""
    check_acting(at, acting, now)
    owner, token = at.user(user), at.token(user, token_id, now)
    if owner is None or token is None:
        return None
    at.rename(token_id, label)
    detail = {"label": label, "was": token.label}
    _audit(at, "token_update", owner, token_id, acting, now, detail)
    return msgspec.structs.replace(token, label=label)


def revoke(
    at: Transaction, user: str, token_id: int, acting: Granted | None, now: float
) -> bool:
    """Revoke the user's active token, and none of those that it created; False where there is no such token."""
    check_acting(at, acting, now)
    owner, token = at.user(user), at.token(user, token_id, now)
    if owner is None or token is None:
        return False
    at.revoke(token_id, int(now))
    detail = {"label": token.label, "scopes": token.scopes}
    _audit(at, "token_delete", owner, token_id, acting, now, detail)
    return True


def add_user(
    at: Transaction,
    username: str,
    *,
    now: float,
    email: str = "",
    restricted: bool = False,
    role: Role | None = None,
    acting: Granted | None = None,
) -> User:
    """A new user. The first of all is an admin."""
    first = at.is_empty()
    if at.user(username) is not None:
        raise InvalidRequestError(Problem("Already exists", "username"))
    if first and role not in {None, Role.ADMIN}:
        raise InvalidRequestError(Problem("The first user must be an admin", "role"))
    given = role or (Role.ADMIN if first else Role.USER)
    user = at.add_user(username, email, given, restricted=restricted, at=int(now))
    detail = {"role": given.value, "restricted": restricted}
    _audit(at, "user_create", user, None, acting, now, detail)
    return user


def check_acting(at: Transaction, acting: Granted | None, now: float) -> None:
    """Refuse a token that was revoked, or has expired, since it was verified."""
    if acting is not None and not at.is_active(acting.token_id, now):
        raise InvalidRequestError(Problem("Invalid Token"), code=Code.INVALID_TOKEN)


def label_problems(label: str | None) -> list[Problem]:
    """What is wrong with a label; None, for "choose one", is right."""
    if label is None:
        return []
    if not 1 <= len(label) <= LABEL_LENGTH:
        return [Problem(f"Length must be 1-{LABEL_LENGTH} characters", "label")]
    return text_problems(label, "label")


def text_problems(text: str, field: str) -> list[Problem]:
    """What is wrong with text as such: half a surrogate pair can't be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return [Problem("Must be valid Unicode", field)]
    return []


def _scopes(
    asked: str | None, acting: Granted | None, policy: Policy
) -> tuple[str, list[Problem]]:
    asked = scopes.EVERY if asked is None else asked
    canonical, problems = scopes.read(asked, policy)
    if acting is None:
        return canonical, problems
    if canonical == scopes.EVERY:
        return acting.scopes, problems
    return canonical, problems + scopes.beyond(acting.scopes, canonical)


def _note(asked: str | None, granted: str, acting: Granted | None) -> str | None:
    """Where `*`, or nothing in particular, was asked for and the acting token's scopes are narrower."""
    if acting is None or granted == scopes.EVERY:
        return None
    if asked is not None and scopes.EVERY not in scopes.words(asked):
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


def _audit(
    at: Transaction,
    action: str,
    user: User,
    token_id: int | None,
    acting: Granted | None,
    now: float,
    detail: Mapping[str, str | bool | None],
) -> None:
    event = Event(
        id=0,
        at=int(now),
        action=action,
        user=user.username,
        token_id=token_id,
        actor=acting.user if acting else None,
        actor_token=acting.token_id if acting else None,
        detail=msgspec.json.encode(detail).decode(),
    )
    at.audit(event, user.uid)
