"""The one error tree, and the codes that every face translates.

    PatqlError                 a code, one sentence, perhaps a hint
    ├── SqlError               knows the line and column in the statement
    ├── InvalidRequestError    knows every problem of a request, each with its field
    └── ServerRefusedError     knows the status and the reasons that a server gave

Codes are stable: scripts may match on them. Each face has one table from `Code` to what it says (an HTTP
status, an exit code), named `BY_CODE`; a test asserts that no code is missing from any of them.
"""

from enum import StrEnum

import msgspec

from patql.kernel.secrets import redact


class Code(StrEnum):
    """Stable names of what can go wrong."""

    # The statement
    SYNTAX = "syntax"
    UNKNOWN_NAME = "unknown_name"
    MISSING_PARAMETER = "missing_parameter"
    UNSUPPORTED = "unsupported"
    TYPE_MISMATCH = "type_mismatch"
    READ_ONLY = "read_only"
    UNBOUNDED = "unbounded"
    EVALUATION = "evaluation"

    # The server it was sent to
    UNREACHABLE = "unreachable"
    SERVER_REFUSED = "server_refused"
    BAD_RESPONSE = "bad_response"
    PAGES_CHANGED = "pages_changed"

    # A request that came to us
    INVALID = "invalid"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  (a code, not a secret)
    INSUFFICIENT_SCOPE = "insufficient_scope"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    TOO_MANY = "too_many"
    NOT_FOUND = "not_found"
    UNKNOWN_PATH = "unknown_path"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    MEDIA_TYPE = "media_type"
    INTERNAL = "internal"

    # The store
    UNAVAILABLE = "unavailable"
    SCHEMA = "schema"

    # The machine we run on
    USAGE = "usage"
    CREDENTIAL = "credential"
    EXPOSED = "exposed"
    OUTPUT = "output"
    CANCELLED = "cancelled"
    DECLINED = "declined"


class PatqlError(Exception):
    """Something a person can act on.

    Args:
        code: what kind of thing went wrong.
        message: one sentence: what is wrong, where, and what would be right.
        hint: a further line, if one helps.

    Anything of a token's shape is cut to its first 16 characters before it is stored.
    """

    def __init__(self, code: Code, message: str, *, hint: str | None = None) -> None:
        self.code = code
        self.message = redact(message)
        self.hint = redact(hint) if hint else None
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class SqlError(PatqlError):
    """A statement that can't be run as written; `line` and `column` count from 1, None where unknown."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.line = line
        self.column = column
        self._sentence = message
        place = f" (line {line}, column {column})" if line is not None else ""
        super().__init__(code, message + place, hint=hint)

    def moved(self, line: int, column: int) -> "SqlError":
        """The same error, of a statement that begins at that place of a script."""
        if self.line is None:
            return self
        beside = column - 1 if self.line == 1 else 0
        return SqlError(
            self.code,
            self._sentence,
            line=self.line + line - 1,
            column=None if self.column is None else self.column + beside,
            hint=self.hint,
        )


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a request: the reason, and the field it belongs to (None: the request as a whole)."""

    reason: str
    field: str | None = None


class InvalidRequestError(PatqlError):
    """A request with one or more problems, all of which are told at once."""

    def __init__(self, *problems: Problem, code: Code = Code.INVALID) -> None:
        self.problems = problems
        told = (f"{p.field}: {p.reason}" if p.field else p.reason for p in problems)
        super().__init__(code, "; ".join(told))


class ServerRefusedError(PatqlError):
    """A server answered with an error status; `reasons` are its own words."""

    def __init__(self, status: int, reasons: tuple[Problem, ...], request: str) -> None:
        self.status = status
        self.reasons = reasons
        told = "; ".join(
            f"{p.field}: {p.reason}" if p.field else p.reason for p in reasons
        )
        super().__init__(
            Code.SERVER_REFUSED,
            f"{request} answered {status}: {told or 'no reason given'}",
        )
