"""The query string of a request, beside what asks for a page."""

from urllib.parse import parse_qsl

from patql.kernel.errors import InvalidRequestError, Problem

_FLAGS = {"true": True, "false": False}


def flag(query: str, name: str) -> bool:
    """Whether a raw query string says `true` of a parameter; the last one counts.

    Raises:
        InvalidRequestError: where it says anything but `true` or `false`.
    """
    given = dict(parse_qsl(query, keep_blank_values=True)).get(name, "false")
    if given not in _FLAGS:
        raise InvalidRequestError(Problem("Must be true or false", name))
    return _FLAGS[given]
