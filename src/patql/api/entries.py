"""`/patql/tokens`: everybody's tokens, in whatever state, for admins; for others their own."""

from datetime import datetime

import msgspec

from patql.api import moments, pages, queries
from patql.api.problems import missing
from patql.api.routes import Answer, number
from patql.authority.acting import require_admin
from patql.authority.authority import Authority
from patql.authority.model import Entry, Granted, Role, TokenState
from patql.catalog.document import Method
from patql.kernel.http import Request


class View(msgspec.Struct, gc=False):
    """A token on the wire; datetimes are naive, so that they are written without a zone."""

    id: int
    username: str
    handle: str
    label: str
    scopes: str
    created: datetime
    expiry: datetime | None
    parent: int | None
    last_used: datetime | None
    last_used_from: str | None
    revoked_at: datetime | None
    state: TokenState


_encode = msgspec.json.Encoder().encode


class Entries:
    """The operations on everybody's tokens.

    Args:
        authority: keeps the tokens.
        listing: the document's method that lists; it says how long pages are.
    """

    def __init__(self, authority: Authority, listing: Method) -> None:
        self._authority = authority
        self._sizes = pages.sizes(listing)

    def page(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A page of all tokens, or of the user's own."""
        page, size = pages.unfiltered(request, self._sizes)
        admin, now = self._authority.admin, self._authority.admin.now
        offset = pages.offset(page, size)
        found = admin.tokens(self._whose(granted), offset, size)
        rows = [_view(entry, now) for entry in found.rows]
        return pages.answer(rows, page, size, found.results, found.version)

    def view(self, granted: Granted, _request: Request, item: str) -> Answer:
        """A token."""
        whose = self._whose(granted)
        entry = self._authority.admin.token(number(item))
        if entry is None or whose not in {None, entry.user}:
            raise missing()
        return Answer(_encode(_view(entry, self._authority.admin.now)))

    def delete(self, granted: Granted, request: Request, item: str) -> Answer:
        """Revoke a token, or leave it revoked, with all that descend from it where asked to; for admins only."""
        require_admin(self._authority.user(granted.user))
        token_id = number(item)
        cascade = queries.flag(request.query, "cascade")
        admin = self._authority.admin
        revoked = admin.revoke((token_id,), cascade=cascade, acting=granted)
        if not revoked and admin.token(token_id) is None:
            raise missing()
        return Answer(b"{}")

    def _whose(self, granted: Granted) -> str | None:
        """Whose tokens may be read; None: everybody's."""
        user = self._authority.user(granted.user)
        is_admin = user is not None and user.role is Role.ADMIN
        return None if is_admin else granted.user


def _view(entry: Entry, now: float) -> View:
    token = entry.token
    return View(
        token.id,
        entry.user,
        token.shown,
        token.label,
        token.scopes,
        moments.to_datetime(token.created),
        _moment(token.expiry),
        entry.parent,
        _moment(entry.last_used),
        entry.last_used_from,
        _moment(entry.revoked_at),
        entry.state(now),
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else moments.to_datetime(seconds)
