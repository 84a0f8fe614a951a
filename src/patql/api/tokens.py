"""`/profile/tokens`: the seven methods' five operations, on the tokens of the one who asks."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from patql.api import bodies, filters, headers, moments, pages, queries
from patql.api.problems import missing
from patql.api.routes import Answer, number
from patql.authority.authority import Authority
from patql.authority.listing import Field
from patql.authority.model import Granted, Token
from patql.catalog.document import Method
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request


class View(msgspec.Struct, gc=False):
    """A token on the wire, keys in Linode's order; datetimes are naive, so that they are written without a zone."""

    id: int
    scopes: str
    created: datetime
    label: str
    token: str
    expiry: datetime | None


_encode = msgspec.json.Encoder().encode


class Tokens:
    """The operations on tokens.

    Args:
        authority: keeps the tokens.
        listing: the document's method that lists; it says what may be filtered on, and how long pages are.
    """

    def __init__(self, authority: Authority, listing: Method) -> None:
        self._authority = authority
        self._sizes = pages.sizes(listing)
        self._fields: Mapping[str, Field] = {
            column.name: Field(column.name)
            for column in listing.columns
            if column.filterable or column.filterable_extension
        }

    def page(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A page of the user's active tokens, with the list's version in a header."""
        problems: list[Problem] = []
        page, size = pages.parse(request.query, self._sizes, problems)
        wanted = filters.read(request, self._fields, problems)
        if problems:
            raise InvalidRequestError(*problems)
        listing = wanted.listing(pages.offset(page, size), size)
        found = self._authority.page(granted.user, listing)
        rows = [view(token, token.shown) for token in found.tokens]
        results = wanted.results(found.results)
        return pages.answer(rows, page, size, results, found.version)

    def create(self, granted: Granted, request: Request, _item: str) -> Answer:
        """A new token, whole: the only answer that ever holds its secret."""
        unreadable: list[Problem] = []
        wanted = bodies.token(bodies.parse(request), unreadable)
        try:
            issued = self._authority.issue(
                granted.user,
                label=wanted.label,
                scopes=wanted.scopes,
                expiry=wanted.expiry,
                acting=granted,
            )
        except InvalidRequestError as error:
            raise bodies.joined(unreadable, error) from None
        note = headers.note(issued.note) if issued.note else []
        body = _encode(view(issued.token, issued.secret.reveal()))
        return Answer(body, headers=note)

    def view(self, granted: Granted, _request: Request, item: str) -> Answer:
        """One of the user's active tokens."""
        return _one(self._authority.get(granted.user, number(item)))

    def update(self, granted: Granted, request: Request, item: str) -> Answer:
        """Rename a token; every other key is ignored, as Linode does."""
        token_id = number(item)
        problems: list[Problem] = []
        label = bodies.label(bodies.parse(request), problems)
        if problems:
            raise InvalidRequestError(*problems)
        if label is None:
            return _one(self._authority.get(granted.user, token_id))
        renamed = self._authority.rename(granted.user, token_id, label, acting=granted)
        return _one(renamed)

    def delete(self, granted: Granted, request: Request, item: str) -> Answer:
        """Revoke a token, with all that descend from it where asked to; once this has returned, nobody accepts it."""
        cascade = queries.flag(request.query, "cascade")
        if not self._authority.revoke(
            granted.user, number(item), cascade=cascade, acting=granted
        ):
            raise missing()
        return Answer(b"{}")


def view(token: Token, text: str) -> View:
    """A token on the wire.

    Args:
        token: the token.
        text: as much of it as is to be seen.
    """
    expiry = token.expiry
    return View(
        token.id,
        token.scopes,
        moments.to_datetime(token.created),
        token.label,
        text,
        None if expiry is None else moments.to_datetime(expiry),
    )


def _one(token: Token | None) -> Answer:
    if token is None:
        raise missing()
    return Answer(_encode(view(token, token.shown)))
