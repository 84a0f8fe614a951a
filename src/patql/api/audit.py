"""`/patql/events`: the audit of the authority, for its admins."""

from datetime import datetime

import msgspec

from patql.api import moments, pages
from patql.api.routes import Answer
from patql.authority.acting import require_admin
from patql.authority.authority import Authority
from patql.authority.model import Event, Granted
from patql.catalog.document import Method
from patql.kernel.http import Request


class View(msgspec.Struct, gc=False):
    """A line of the audit on the wire; datetimes are naive, so that they are written without a zone."""

    id: int
    created: datetime
    action: str
    username: str
    token_id: int | None
    actor: str | None
    actor_token: int | None
    detail: msgspec.Raw
    writer: str
    sequence: int


class Audit:
    """The operations on the audit; each is for admins only.

    Args:
        authority: keeps the audit.
        listing: the document's method that lists; it says how long pages are.
    """

    def __init__(self, authority: Authority, listing: Method) -> None:
        self._authority = authority
        self._sizes = pages.sizes(listing)

    def page(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A page of all lines, newest first."""
        require_admin(self._authority.user(granted.user))
        page, size = pages.unfiltered(request, self._sizes)
        offset = pages.offset(page, size)
        found = self._authority.admin.events(None, offset, size)
        rows = [_view(event) for event in found.rows]
        return pages.answer(rows, page, size, found.results, found.version)


def _view(event: Event) -> View:
    return View(
        event.id,
        moments.to_datetime(event.at),
        event.action,
        event.user,
        event.token_id,
        event.actor,
        event.actor_token,
        msgspec.Raw(event.detail.encode()),
        event.writer,
        event.sequence,
    )
