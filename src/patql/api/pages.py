"""The pages of a list: which one a query string asks for, how many there are, and how one is sent."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

import msgspec

from patql.api import headers, problems
from patql.api.routes import Answer
from patql.catalog.document import Method
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request

DEFAULT_SIZE = 100
_HUGE = 10**18
_FARTHEST = 2**62


class Envelope(msgspec.Struct, gc=False):
    """A page on the wire."""

    data: Sequence[msgspec.Struct]
    page: int
    pages: int
    results: int


_encode = msgspec.json.Encoder().encode


class Sizes(msgspec.Struct, frozen=True):
    """How many rows a page may hold."""

    minimum: int
    maximum: int


def sizes(method: Method) -> Sizes:
    """The limits that a list method's document sets for `page_size`."""
    size = method.parameter("page_size")
    minimum = size.minimum if size else None
    maximum = size.maximum if size else None
    return Sizes(minimum or 1, maximum or DEFAULT_SIZE)


def parse(query: str, limits: Sizes, wrong: list[Problem]) -> tuple[int, int]:
    """The page, from 1, and the rows a page that a raw query string asks for; problems are added to `wrong`."""
    if not query:
        return 1, DEFAULT_SIZE
    given = dict(parse_qsl(query, keep_blank_values=True))
    page = _whole(given.get("page", "1"))
    if page is None or page < 1:
        wrong.append(Problem("Must be an integer of at least 1", "page"))
    size = _whole(given.get("page_size", str(DEFAULT_SIZE)))
    if size is None or not limits.minimum <= size <= limits.maximum:
        reason = f"Must be {limits.minimum}-{limits.maximum}"
        wrong.append(Problem(reason, "page_size"))
    return page or 1, size or DEFAULT_SIZE


def unfiltered(request: Request, limits: Sizes) -> tuple[int, int]:
    """The page and the rows a page that a request asks for, of a list that is only ever sent whole.

    Raises:
        InvalidRequestError: for pages that can't be, and for a filter, which would seem to have been heeded.
    """
    wrong: list[Problem] = []
    asked = parse(request.query, limits, wrong)
    if (request.header(b"x-filter") or b"").strip() not in {b"", b"{}"}:
        wrong.append(Problem("This list can't be filtered", "X-Filter"))
    if wrong:
        raise InvalidRequestError(*wrong)
    return asked


def offset(page: int, size: int) -> int:
    """How many rows come before a page; of one beyond all rows, as many as any store can count to."""
    return min((page - 1) * size, _FARTHEST)


def answer(
    rows: Sequence[msgspec.Struct], number: int, size: int, results: int, version: str
) -> Answer:
    """A page of a list, with the list's version in a header.

    Raises:
        PatqlError: NOT_FOUND, beyond the last page.
    """
    of = count(results, size)
    if number > of:
        raise problems.missing()
    body = _encode(Envelope(rows, number, of, results))
    return Answer(body, headers=[(headers.LIST_VERSION, version.encode("ascii"))])


def count(results: int, size: int) -> int:
    """How many pages so many rows fill; an empty list is one page."""
    return -(-results // size) or 1


def _whole(text: str) -> int | None:
    """A non-negative decimal number, or None; any of more than 18 digits is as good as another."""
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= len(str(_HUGE)) - 1 else _HUGE
