"""`/account/events`: what happened to the tokens of the one who asks, as Linode tells it (Linode API v4, "Events")."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from patql.api import filters, moments, pages
from patql.api.problems import missing
from patql.api.routes import Answer, number
from patql.authority.authority import Authority
from patql.authority.listing import Field
from patql.authority.model import Event, Granted
from patql.catalog.document import Method
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request


class Entity(msgspec.Struct, gc=False):
    """What an event happened to: a token."""

    id: int
    label: str
    type: str
    url: str


class View(msgspec.Struct, gc=False):
    """An event on the wire. What happens to a token takes no time, and nobody marks it as seen."""

    id: int
    action: str
    created: datetime
    username: str | None
    entity: Entity
    secondary_entity: None = None
    status: str = "notification"
    seen: bool = False
    read: bool = False
    percent_complete: int = 100
    rate: None = None
    time_remaining: None = None
    duration: int = 0
    message: None = None


class Detail(msgspec.Struct, gc=False):
    """What the audit says of a token, as far as its owner is told."""

    label: str = ""


_encode = msgspec.json.Encoder().encode
_detail = msgspec.json.Decoder(Detail).decode


class Events:
    """The operations on events.

    Args:
        authority: keeps them.
        listing: the document's method that lists; it says what may be filtered on, and how long pages are.
    """

    def __init__(self, authority: Authority, listing: Method) -> None:
        self._authority = authority
        self._sizes = pages.sizes(listing)
        filterable = (c.name for c in listing.columns if c.filterable)
        # Clients that wait for an event ask for those of a token, though no document says that they may.
        others = (Field.TOKEN, Field.KIND)
        self._fields: Mapping[str, Field] = {
            name: Field(name) for name in (*filterable, *others)
        }

    def page(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A page of events, newest first unless another order is asked for."""
        problems: list[Problem] = []
        page, size = pages.parse(request.query, self._sizes, problems)
        wanted = filters.read(request, self._fields, problems)
        if problems:
            raise InvalidRequestError(*problems)
        listing = wanted.listing(pages.offset(page, size), size, newest_first=True)
        found = self._authority.token_events(granted.user, listing)
        rows = [_view(event) for event in found.rows]
        results = wanted.results(found.results)
        return pages.answer(rows, page, size, results, found.version)

    def view(self, granted: Granted, _request: Request, item: str) -> Answer:
        """An event."""
        event = self._authority.token_event(granted.user, number(item))
        if event is None:
            raise missing()
        return Answer(_encode(_view(event)))


def _view(event: Event) -> View:
    token_id = event.token_id or 0
    url = f"/v4/profile/tokens/{token_id}"
    entity = Entity(token_id, _detail(event.detail).label, "token", url)
    created = moments.to_datetime(event.at)
    return View(event.id, event.action, created, event.actor, entity)
