"""Request bodies: one JSON object, of which only the known keys are looked at."""

from collections.abc import Sequence
from typing import cast

import msgspec

from patql.api import json_text, moments
from patql.api.routes import PREFIXES
from patql.kernel.errors import Code, InvalidRequestError, Problem
from patql.kernel.http import Request

LIMIT = 64 * 1024
"""The longest body, in bytes, but for that of a batch."""
BATCH_LIMIT = 8 * 1024 * 1024
"""The longest body of a batch, in bytes."""
ENTRIES = 10_000
"""The most entries of a batch."""
BATCH = "/patql/batch"

_BATCHES = frozenset(prefix + BATCH for prefix in PREFIXES)
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


def limit(path: str) -> int:
    """The longest body that a request to a path may have, in bytes."""
    return BATCH_LIMIT if path in _BATCHES else LIMIT


def parse(request: Request) -> dict[str, object]:
    """The members of the body; no body is an object without members.

    Raises:
        InvalidRequestError: TOO_LARGE, MEDIA_TYPE, or INVALID where it isn't a JSON object.
    """
    body = request.body
    most = limit(request.path)
    if len(body) > most:
        reason = f"The body is longer than {most} bytes"
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


def entries(members: dict[str, object], name: str) -> list[object]:
    """The entries of a batch.

    Raises:
        InvalidRequestError: where there are none, or too many.
    """
    value = members.get(name)
    if (
        not isinstance(value, list)
        or not 1 <= len(cast("list[object]", value)) <= ENTRIES
    ):
        reason = f"Must be an array of 1 to {ENTRIES} entries"
        raise InvalidRequestError(Problem(reason, name))
    return cast("list[object]", value)


def joined(
    unreadable: Sequence[Problem], error: InvalidRequestError
) -> InvalidRequestError:
    """The error of an authority that was asked for the whole, with what couldn't be read in place of what stood for it."""
    fields = {problem.field for problem in unreadable}
    others = (
        p
        for p in error.problems
        if p.field not in fields and (p.field or "").partition(".")[0] not in fields
    )
    return InvalidRequestError(*unreadable, *others, code=error.code)


def text(members: dict[str, object], name: str, problems: list[Problem]) -> str | None:
    """The text of a member, None where there is none; one that is anything else is added to `problems`."""
    return _text(members, name, "", problems)


def label(members: dict[str, object], problems: list[Problem]) -> str | None:
    """The label that the members give, None where they give none."""
    return _text(members, "label", "", problems)


def _check_media_type(request: Request) -> None:
    for name, value in request.headers:
        if (name == b"content-type" and _type(value) != _MEDIA_TYPE) or (
            name == b"content-encoding" and _type(value) != b"identity"
        ):
            reason = "The body must be application/json, and not compressed"
            raise InvalidRequestError(Problem(reason), code=Code.MEDIA_TYPE)


def _type(value: bytes) -> bytes:
    """A header's value without its parameters."""
    return value.partition(b";")[0].strip().lower()


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
