"""Exit codes: 0 all statements succeeded, 1 a statement failed, 2 wrong usage, 130 interrupted."""

from collections.abc import Mapping

from patql.kernel.errors import Code

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130

BY_CODE: Mapping[Code, int] = dict.fromkeys(Code, FAILED) | {
    Code.USAGE: USAGE,
    Code.CANCELLED: INTERRUPTED,
}
"""What the process ends with."""
