"""Who acts: checked again inside the change's transaction, since all may have changed since the token was verified."""

from collections.abc import Mapping

import msgspec

from patql.authority.model import Event, Granted, Role, User, UserState
from patql.authority.ports import Transaction
from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem


def check(at: Transaction, acting: Granted | None, now: float) -> None:
    """Refuse a token that was revoked, or has expired, since it was verified, and a user who was suspended.

    Raises:
        InvalidRequestError: INVALID_TOKEN.
    """
    if acting is None:
        return
    if acting.token_id is None:
        user = at.user(acting.user)
        active = user is None or user.state is UserState.ACTIVE
    else:
        active = at.is_active(acting.token_id, now)
    if not active:
        raise InvalidRequestError(Problem("Invalid Token"), code=Code.INVALID_TOKEN)


def check_admin(at: Transaction, acting: Granted | None, now: float) -> None:
    """Refuse whoever isn't an admin; scopes never make one.

    Raises:
        InvalidRequestError: INVALID_TOKEN, as `check`.
        PatqlError: FORBIDDEN.
    """
    check(at, acting, now)
    if acting is not None:
        user = at.user(acting.user)
        require_admin(user)


def require_admin(user: User | None) -> None:
    """Refuse a user who isn't an admin.

    Raises:
        PatqlError: FORBIDDEN.
    """
    if user is None or user.role is not Role.ADMIN:
        raise PatqlError(Code.FORBIDDEN, "This needs a user with the role admin")


def event(
    action: str,
    user: str,
    token_id: int | None,
    acting: Granted | None,
    now: float,
    detail: Mapping[str, str | int | bool | None],
) -> Event:
    """A line for the audit."""
    return Event(
        id=0,
        at=int(now),
        action=action,
        user=user,
        token_id=token_id,
        actor=acting.user if acting else None,
        actor_token=acting.token_id if acting else None,
        detail=msgspec.json.encode(detail).decode(),
    )
