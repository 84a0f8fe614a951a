"""Request bodies: one JSON object, of which only the known keys are looked at."""

from typing import cast

import msgspec

from patql.api import json_text, moments
from patql.kernel.errors import Code, InvalidRequestError, Problem
from patql.kernel.http import Request

LIMIT = 64 * 1024
"""The longest body, in bytes."""

_MEDIA_TYPE = b"application/json"


class Wanted(msgspec.Struct, frozen=True):
    """What a request says about a token; None where it doesn't.

    Where it says something that can't be read, a value stands that no authority accepts: so the authority, asked for
    the whole, refuses it, and tells what is wrong with the rest.

    Attributes:
        label: `""` where it can't be read.
        scopes: `:` where they can't be read.
        expiry: seconds since the epoch; 0 where it can't be read.
    """

    label: str | None
    scopes: str | None
    expiry: int | None


def parse(request: Request) -> dict[str, object]:
    """The members of the body; no body is an object without members.

    Raises:
        InvalidRequestError: TOO_LARGE, MEDIA_TYPE, or INVALID where it isn't a JSON object.
    """
    body = request.body
    if len(body) > LIMIT:
        reason = f"The body is longer than {LIMIT} bytes"
        raise InvalidRequestError(Problem(reason), code=Code.TOO_LARGE)
    if not body:
        return {}
    _check_media_type(request)
    try:
        value = json_text.decode(body)
    except ValueError as error:
        raise InvalidRequestError(Problem(str(error))) from None
    if not isinstance(value, dict):
        raise InvalidRequestError(Problem("The body must be a JSON object"))
    return cast("dict[str, object]", value)


def token(members: dict[str, object], problems: list[Problem]) -> Wanted:
    """What the members say about a token; those of a wrong type are added to `problems`."""
    return Wanted(
        _text(members, "label", "", problems),
        _text(members, "scopes", ":", problems),
        _instant(members, "expiry", 0, problems),
    )


def label(members: dict[str, object], problems: list[Problem]) -> str | None:
    """The label that the members give, None where they give none."""
    return _text(members, "label", "", problems)


def _check_media_type(request: Request) -> None:
    for name, value in request.headers:
        media_type = value.partition(b";")[0].strip().lower()
        if (name == b"content-type" and media_type != _MEDIA_TYPE) or (
            name == b"content-encoding" and media_type != b"identity"
        ):
            reason = "The body must be application/json, and not compressed"
            raise InvalidRequestError(Problem(reason), code=Code.MEDIA_TYPE)


def _text(
    members: dict[str, object], name: str, unreadable: str, problems: list[Problem]
) -> str | None:
    if name not in members:
        return None
    value = members[name]
    if isinstance(value, str):
        return value
    problems.append(Problem("Must be a string", name))
    return unreadable


def _instant(
    members: dict[str, object], name: str, unreadable: int, problems: list[Problem]
) -> int | None:
    value = members.get(name)
    if value is None:
        return None
    instant = moments.parse(value) if isinstance(value, str) else None
    if instant is None:
        reason = f"Must be a date and time such as {moments.EXAMPLE}, or null"
        problems.append(Problem(reason, name))
        return unreadable
    return instant[0]
