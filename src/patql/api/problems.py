"""What the API says when it refuses: a status for every code, and the body of an error.

    {"errors": [{"reason": "Length must be 1-100 characters", "field": "label"}]}

`field` is left out where a problem belongs to no field (Linode API v4, "Errors").
"""

from collections.abc import Iterable, Mapping

import msgspec

from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem
from patql.kernel.secrets import redact

BY_CODE: Mapping[Code, int] = {
    Code.SYNTAX: 400,
    Code.UNKNOWN_NAME: 400,
    Code.MISSING_PARAMETER: 400,
    Code.UNSUPPORTED: 400,
    Code.TYPE_MISMATCH: 400,
    Code.READ_ONLY: 400,
    Code.UNBOUNDED: 400,
    Code.EVALUATION: 400,
    Code.UNREACHABLE: 502,
    Code.SERVER_REFUSED: 502,
    Code.BAD_RESPONSE: 502,
    Code.PAGES_CHANGED: 409,
    Code.INVALID: 400,
    Code.INVALID_TOKEN: 401,
    Code.INSUFFICIENT_SCOPE: 401,
    Code.FORBIDDEN: 403,
    Code.CONFLICT: 409,
    Code.TOO_MANY: 429,
    Code.NOT_FOUND: 404,
    Code.UNKNOWN_PATH: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TOO_LARGE: 413,
    Code.MEDIA_TYPE: 415,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.SCHEMA: 500,
    Code.USAGE: 500,
    Code.CREDENTIAL: 500,
    Code.EXPOSED: 500,
    Code.OUTPUT: 500,
    Code.CANCELLED: 503,
    Code.DECLINED: 400,
}
"""The HTTP status of each code; an insufficient scope is 401, as at Linode."""

RETRY_AFTER = b"1"
"""What a 503 sends as Retry-After, in whole seconds: clients of Linode's read no other form."""

NOT_FOUND = "Not found"
INTERNAL = "Internal server error"
UNAVAILABLE = "Temporarily unavailable, please try again"


class _Error(msgspec.Struct, omit_defaults=True):
    reason: str
    field: str | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error]


def body(problems: Iterable[Problem]) -> bytes:
    """The JSON body of an error; each distinct problem once, secrets cut."""
    return msgspec.json.encode(
        _Errors([_Error(_safe(p.reason), p.field) for p in dict.fromkeys(problems)])
    )


def missing() -> PatqlError:
    """There is no such thing, or it isn't for the one who asks."""
    return PatqlError(Code.NOT_FOUND, NOT_FOUND)


def told(error: PatqlError) -> tuple[Problem, ...]:
    """What a client is told of an error: nothing of how the server is made."""
    status = BY_CODE[error.code]
    if status == BY_CODE[Code.UNAVAILABLE]:
        return (Problem(UNAVAILABLE),)
    if status >= BY_CODE[Code.INTERNAL]:
        return (Problem(INTERNAL),)
    if isinstance(error, InvalidRequestError):
        return error.problems
    return (Problem(error.message),)


def _safe(reason: str) -> str:
    """A reason without secrets, and without the lone surrogates that JSON can't hold."""
    return redact(reason).encode(errors="replace").decode()
