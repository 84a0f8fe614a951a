"""Exit codes: 0 all statements succeeded, 1 a statement failed, 2 wrong usage, 130 interrupted, 141 nobody reads on."""

from collections.abc import Mapping

from patql.kernel.errors import Code

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130
UNREAD = 141  # as a shell tells of a program that SIGPIPE has ended

BY_CODE: Mapping[Code, int] = {
    Code.SYNTAX: FAILED,
    Code.UNKNOWN_NAME: FAILED,
    Code.MISSING_PARAMETER: FAILED,
    Code.UNSUPPORTED: FAILED,
    Code.TYPE_MISMATCH: FAILED,
    Code.READ_ONLY: FAILED,
    Code.UNBOUNDED: FAILED,
    Code.EVALUATION: FAILED,
    Code.UNREACHABLE: FAILED,
    Code.SERVER_REFUSED: FAILED,
    Code.BAD_RESPONSE: FAILED,
    Code.PAGES_CHANGED: FAILED,
    Code.INVALID: FAILED,
    Code.INVALID_TOKEN: FAILED,
    Code.INSUFFICIENT_SCOPE: FAILED,
    Code.FORBIDDEN: FAILED,
    Code.CONFLICT: FAILED,
    Code.TOO_MANY: FAILED,
    Code.NOT_FOUND: FAILED,
    Code.UNKNOWN_PATH: FAILED,
    Code.METHOD_NOT_ALLOWED: FAILED,
    Code.TOO_LARGE: FAILED,
    Code.MEDIA_TYPE: FAILED,
    Code.INTERNAL: FAILED,
    Code.UNAVAILABLE: FAILED,
    Code.SCHEMA: FAILED,
    Code.USAGE: USAGE,
    Code.CREDENTIAL: FAILED,
    Code.EXPOSED: FAILED,
    Code.OUTPUT: FAILED,
    Code.CANCELLED: INTERRUPTED,
    Code.DECLINED: FAILED,
}
"""What the process ends with."""
