"""`/profile/tokens`: the seven methods' five operations, on the tokens of the one who asks."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from patql.api import bodies, filters, headers, moments, pages
from patql.api.routes import Answer
from patql.authority.authority import Authority
from patql.authority.listing import Field, Listing
from patql.authority.model import Granted, Token
from patql.catalog.document import Method
from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem
from patql.kernel.http import Request

NOT_FOUND = "Not found"


class View(msgspec.Struct, gc=False):
    """A token on the wire, keys in Linode's order; datetimes are naive, so that they are written without a zone."""

    id: int
    scopes: str
    created: datetime
    label: str
    token: str
    expiry: datetime | None


class Envelope(msgspec.Struct, gc=False):
    """A page on the wire."""

    data: list[View]
    page: int
    pages: int
    results: int


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
        number, size = pages.parse(request.query, self._sizes, problems)
        wanted = self._filter(request, problems)
        if problems:
            raise InvalidRequestError(*problems)
        offset = (number - 1) * size
        most = size if wanted.limit is None else min(size, wanted.limit - offset)
        page = self._authority.page(
            granted.user,
            Listing(
                wanted.where,
                wanted.order,
                wanted.descending,
                max(most, 0),
                min(offset, 2**62),
            ),
        )
        results = (
            page.results if wanted.limit is None else min(page.results, wanted.limit)
        )
        of = pages.count(results, size)
        if number > of:
            raise PatqlError(Code.NOT_FOUND, NOT_FOUND)
        rows = [_view(token, token.shown) for token in page.tokens]
        version = (headers.LIST_VERSION, page.version.encode("ascii"))
        return Answer(_encode(Envelope(rows, number, of, results)), headers=[version])

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
            fields = {problem.field for problem in unreadable}
            others = (p for p in error.problems if p.field not in fields)
            raise InvalidRequestError(*unreadable, *others, code=error.code) from None
        note = headers.note(issued.note) if issued.note else []
        body = _encode(_view(issued.token, issued.secret.reveal()))
        return Answer(body, headers=note)

    def view(self, granted: Granted, _request: Request, item: str) -> Answer:
        """One of the user's active tokens."""
        return _one(self._authority.get(granted.user, _id(item)))

    def update(self, granted: Granted, request: Request, item: str) -> Answer:
        """Rename a token; every other key is ignored, as Linode does."""
        number = _id(item)
        problems: list[Problem] = []
        label = bodies.label(bodies.parse(request), problems)
        if problems:
            raise InvalidRequestError(*problems)
        if label is None:
            return _one(self._authority.get(granted.user, number))
        return _one(self._authority.rename(granted.user, number, label, acting=granted))

    def delete(self, granted: Granted, _request: Request, item: str) -> Answer:
        """Revoke a token; once this has returned, nobody accepts it."""
        if not self._authority.revoke(granted.user, _id(item), acting=granted):
            raise PatqlError(Code.NOT_FOUND, NOT_FOUND)
        return Answer(b"{}")

    def _filter(self, request: Request, problems: list[Problem]) -> filters.Filter:
        given = [value for name, value in request.headers if name == b"x-filter"]
        if not given:
            return filters.Filter()
        if len(given) > 1:
            problems.append(Problem("Must be given once", filters.HEADER))
        return filters.parse(given[0], self._fields, problems)


def _id(item: str) -> int:
    """A token's id from a path; what can't be one is the id of no token."""
    if item.isascii() and item.isdigit() and len(item) < 19:
        return int(item)
    raise PatqlError(Code.NOT_FOUND, NOT_FOUND)


def _one(token: Token | None) -> Answer:
    if token is None:
        raise PatqlError(Code.NOT_FOUND, NOT_FOUND)
    return Answer(_encode(_view(token, token.shown)))


def _view(token: Token, text: str) -> View:
    expiry = token.expiry
    return View(
        token.id,
        token.scopes,
        moments.to_datetime(token.created),
        token.label,
        text,
        None if expiry is None else moments.to_datetime(expiry),
    )
