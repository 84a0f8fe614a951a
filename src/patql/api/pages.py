"""The pages of a list: which one a query string asks for, and how many there are."""

from urllib.parse import parse_qsl

import msgspec

from patql.catalog.document import Method
from patql.kernel.errors import Problem

DEFAULT_SIZE = 100
_HUGE = 10**18


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


def parse(query: str, limits: Sizes, problems: list[Problem]) -> tuple[int, int]:
    """The page, from 1, and the rows a page that a raw query string asks for; problems are added to `problems`."""
    if not query:
        return 1, DEFAULT_SIZE
    given = dict(parse_qsl(query, keep_blank_values=True))
    page = _whole(given.get("page", "1"))
    if page is None or page < 1:
        problems.append(Problem("Must be an integer of at least 1", "page"))
    size = _whole(given.get("page_size", str(DEFAULT_SIZE)))
    if size is None or not limits.minimum <= size <= limits.maximum:
        reason = f"Must be {limits.minimum}-{limits.maximum}"
        problems.append(Problem(reason, "page_size"))
    return page or 1, size or DEFAULT_SIZE


def count(results: int, size: int) -> int:
    """How many pages so many rows fill; an empty list is one page."""
    return -(-results // size) or 1


def _whole(text: str) -> int | None:
    """A non-negative decimal number, or None; any of more than 18 digits is as good as another."""
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= len(str(_HUGE)) - 1 else _HUGE
