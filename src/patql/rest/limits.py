"""What a server says of waiting, in the headers of an answer. Nothing here reads a clock."""

import re

from patql.kernel.http import Response

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]+)?")
_LIMITS = (
    (b"x-ratelimit-remaining", b"x-ratelimit-reset"),
    (b"ratelimit-remaining", b"ratelimit-reset"),
)
_EPOCH = 1_000_000_000
"""Larger numbers of seconds are an instant, smaller ones a while: both are in use for when a limit is reset."""


def asked_pause(response: Response, now: float) -> float | None:
    """Seconds to wait, as Retry-After says in seconds or as a date (RFC 9110, section 10.2.3); None where it doesn't.

    Args:
        response: of any status.
        now: seconds since the epoch, where the server doesn't say what time it has.
    """
    text = _text(response, b"retry-after")
    if _NUMBER.fullmatch(text):
        return float(text)
    then = _instant(text)
    return None if then is None else max(0.0, then - _server_time(response, now))


def exhausted_for(response: Response, now: float) -> float | None:
    """Seconds until requests remain again, None where some do or nothing is said.

    `X-RateLimit-Remaining` and `X-RateLimit-Reset` as Linode and GitHub send them, in seconds since the epoch, and
    `RateLimit-*` as in the drafts of the standard, in seconds from now.
    """
    for remaining, until in _LIMITS:
        if response.header(remaining) != b"0":
            continue
        reset = _text(response, until)
        if _NUMBER.fullmatch(reset):
            seconds = float(reset)
            passed = _server_time(response, now) if seconds > _EPOCH else 0.0
            return max(0.0, seconds - passed)
    return None


def _server_time(response: Response, now: float) -> float:
    """Its own Date where it sends one, so that it doesn't matter whose clock is wrong."""
    said = _instant(_text(response, b"date"))
    return now if said is None else said


def _instant(text: str) -> float | None:
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _text(response: Response, name: bytes) -> str:
    return (response.header(name) or b"").decode("latin-1").strip()
