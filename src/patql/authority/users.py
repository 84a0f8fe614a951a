"""Changes to users, each with its audit line in the same transaction."""

from msgspec.structs import replace

from patql.authority import acting as acts
from patql.authority.model import Granted, Role, User, UserState
from patql.authority.ports import Transaction
from patql.kernel.errors import InvalidRequestError, Problem


def add(
    at: Transaction,
    username: str,
    *,
    now: float,
    role: Role,
    email: str = "",
    restricted: bool = False,
    acting: Granted | None = None,
) -> User:
    """A new user."""
    there = at.user(username)
    if there is not None:
        gone = there.state is UserState.REMOVED
        reason = "Was removed; names aren't used again" if gone else "Already exists"
        raise InvalidRequestError(Problem(reason, "username"))
    user = at.add_user(username, email, role, restricted=restricted, at=int(now))
    detail = {"role": role.value, "restricted": restricted}
    at.audit([acts.event("user_create", username, None, acting, now, detail)])
    return user


def first_role(at: Transaction, role: Role | None) -> Role:
    """The role of a user whom somebody adds by name: the first of all is an admin, others are ordinary users.

    Raises:
        InvalidRequestError: the first user is to be anything but an admin.
    """
    if not at.is_empty():
        return role or Role.USER
    if role not in {None, Role.ADMIN}:
        raise InvalidRequestError(Problem("The first user must be an admin", "role"))
    return Role.ADMIN


def change(
    at: Transaction,
    username: str,
    *,
    now: float,
    email: str | None = None,
    role: Role | None = None,
    acting: Granted | None = None,
) -> User | None:
    """Give a user another email or role (None: leave it); None where there is no such user."""
    user = _living(at, username)
    if user is None:
        return None
    after = replace(
        user, email=user.email if email is None else email, role=role or user.role
    )
    if after.role is not Role.ADMIN:
        _check_others(at, user)
    if after != user:
        at.change_user(after)
        detail = {"role": after.role.value, "email_changed": after.email != user.email}
        at.audit([acts.event("user_update", username, None, acting, now, detail)])
    return after


def suspend(
    at: Transaction, username: str, acting: Granted | None, now: float
) -> User | None:
    """Disable all of a user's tokens until the user is resumed; None where there is no such user."""
    user = _living(at, username)
    if user is None or user.state is UserState.SUSPENDED:
        return user
    _check_others(at, user)
    after = replace(user, suspended_at=int(now))
    at.change_user(after)
    at.disable(user.uid, int(now))
    at.audit([acts.event("user_suspend", username, None, acting, now, {})])
    return after


def resume(
    at: Transaction, username: str, acting: Granted | None, now: float
) -> User | None:
    """End a suspension: tokens are good again, those that were revoked or expired meanwhile aside."""
    user = _living(at, username)
    if user is None or user.state is UserState.ACTIVE:
        return user
    after = replace(user, suspended_at=None)
    at.change_user(after)
    at.disable(user.uid, None)
    at.audit([acts.event("user_resume", username, None, acting, now, {})])
    return after


def remove(
    at: Transaction, username: str, acting: Granted | None, now: float
) -> User | None:
    """Disable all of a user's tokens for ever. The row, the name and the audit stay; None where there is no such user."""
    user = _living(at, username)
    if user is None:
        return None
    _check_others(at, user)
    after = replace(user, removed_at=int(now))
    at.change_user(after)
    at.disable(user.uid, int(now))
    at.audit([acts.event("user_remove", username, None, acting, now, {})])
    return after


def _living(at: Transaction, username: str) -> User | None:
    user = at.user(username)
    return None if user is None or user.state is UserState.REMOVED else user


def _check_others(at: Transaction, user: User) -> None:
    """Refuse to leave an authority without anyone who administers it."""
    if (
        user.role is Role.ADMIN
        and user.state is UserState.ACTIVE
        and at.is_only_admin(user.uid)
    ):
        raise InvalidRequestError(
            Problem("Is the only active admin; make another one first", "username")
        )
