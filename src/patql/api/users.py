"""`/patql/users`: the users of the authority, for its admins."""

from datetime import datetime

import msgspec

from patql.api import bodies, moments, pages
from patql.api.problems import missing
from patql.api.routes import Answer
from patql.authority.acting import require_admin
from patql.authority.authority import Authority
from patql.authority.model import Granted, Role, User, UserState
from patql.catalog.document import Method
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request

_STATES = {UserState.ACTIVE.value: False, UserState.SUSPENDED.value: True}


class View(msgspec.Struct, gc=False):
    """A user on the wire; datetimes are naive, so that they are written without a zone."""

    username: str
    uid: int
    email: str
    role: Role
    restricted: bool
    created: datetime
    state: UserState
    suspended_at: datetime | None


_encode = msgspec.json.Encoder().encode


class Users:
    """The operations on users; each is for admins only.

    Args:
        authority: keeps the users.
        listing: the document's method that lists; it says how long pages are.
    """

    def __init__(self, authority: Authority, listing: Method) -> None:
        self._authority = authority
        self._sizes = pages.sizes(listing)

    def page(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A page of all users, removed ones included."""
        self._check(granted)
        page, size = pages.unfiltered(request, self._sizes)
        found = self._authority.admin.users(pages.offset(page, size), size)
        rows = [_view(user) for user in found.rows]
        return pages.answer(rows, page, size, found.results, found.version)

    def view(self, granted: Granted, _request: Request, item: str) -> Answer:
        """A user."""
        self._check(granted)
        return _one(self._authority.user(item))

    def create(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A new user, who has no token yet."""
        self._check(granted)
        problems: list[Problem] = []
        members = bodies.parse(request)
        username = bodies.text(members, "username", problems)
        if username is None:
            problems.append(Problem("Must be given", "username"))
        email = bodies.text(members, "email", problems)
        role = _role(members, problems)
        restricted = members.get("restricted", False)
        if not isinstance(restricted, bool):
            problems.append(Problem("Must be true or false", "restricted"))
        if problems or username is None:
            raise InvalidRequestError(*problems)
        return _one(
            self._authority.admin.add(
                username,
                email=email,
                role=role,
                restricted=restricted is True,
                acting=granted,
            )
        )

    def update(self, granted: Granted, request: Request, item: str) -> Answer:
        """Suspend or resume a user, or give them another role or email; every other key is ignored."""
        self._check(granted)
        problems: list[Problem] = []
        members = bodies.parse(request)
        email = bodies.text(members, "email", problems)
        role = _role(members, problems)
        suspended = _suspended(members, problems)
        if problems:
            raise InvalidRequestError(*problems)
        changed = self._authority.admin.change(
            item, email=email, role=role, suspended=suspended, acting=granted
        )
        if changed is None and self._authority.user(item) is not None:
            raise InvalidRequestError(Problem("Was removed, and stays so", "username"))
        return _one(changed)

    def delete(self, granted: Granted, _request: Request, item: str) -> Answer:
        """Remove a user, or leave them removed; once this has returned, nobody accepts a token of theirs."""
        self._check(granted)
        removed = self._authority.admin.remove(item, acting=granted)
        if removed is None and self._authority.user(item) is None:
            raise missing()
        return Answer(b"{}")

    def _check(self, granted: Granted) -> None:
        require_admin(self._authority.user(granted.user))


def _role(members: dict[str, object], problems: list[Problem]) -> Role | None:
    if "role" not in members:
        return None
    value = members["role"]
    if isinstance(value, str) and value in [*Role]:
        return Role(value)
    problems.append(Problem("Must be user, verifier or admin", "role"))
    return None


def _suspended(members: dict[str, object], problems: list[Problem]) -> bool | None:
    if "state" not in members:
        return None
    value = members["state"]
    if isinstance(value, str) and value in _STATES:
        return _STATES[value]
    problems.append(Problem("Must be active or suspended", "state"))
    return None


def _one(user: User | None) -> Answer:
    if user is None:
        raise missing()
    return Answer(_encode(_view(user)))


def _view(user: User) -> View:
    since = user.suspended_at if user.state is UserState.SUSPENDED else None
    return View(
        user.username,
        user.uid,
        user.email,
        user.role,
        user.restricted,
        moments.to_datetime(user.created),
        user.state,
        None if since is None else moments.to_datetime(since),
    )
