"""A question about one user's tokens: which, in what order, and which stretch of them. Plain values."""

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from patql.authority.model import Token
from patql.kernel.errors import InvalidRequestError, Problem

T = TypeVar("T")

MAX_TESTS = 5_000
"""Tests in one condition. The time to prepare a query grows with their square."""

MAX_HEIGHT = 250
"""Height of a condition, written with `and` and `or` between two operands each. Databases limit that of expressions."""


class Op(StrEnum):
    """How a field is compared. Text compares by code point; CONTAINS folds case (`str.casefold`)."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LTE = "<="
    GT = ">"
    GTE = ">="
    CONTAINS = "contains"


class Field(StrEnum):
    """The fields that can be asked for: of tokens, all before ACTION; of events about tokens, ID, CREATED and the rest.

    ACTION is what was done, TOKEN the id of the token that it was done to, and KIND what that is: `token`.
    """

    ID = "id"
    CREATED = "created"
    EXPIRY = "expiry"
    LABEL = "label"
    ACTION = "action"
    TOKEN = "entity.id"  # noqa: S105  (a field's name)
    KIND = "entity.type"


class Test(msgspec.Struct, frozen=True):
    """`field op value`: an int for id and token, seconds since the epoch for created and expiry (None: never), else text.

    CONTAINS is for text only. A NULL expiry counts as the greatest value of all, in comparison as in order.
    """

    field: Field
    op: Op
    value: int | str | None


class All(msgspec.Struct, frozen=True):
    """True where every part is; of no parts, true."""

    parts: tuple["Condition", ...]


class Any(msgspec.Struct, frozen=True):
    """True where some part is; of no parts, false."""

    parts: tuple["Condition", ...]


Condition = Test | All | Any


def check_size(condition: Condition) -> None:
    """Refuse a condition that a store could not run.

    Raises:
        InvalidRequestError: it has more than MAX_TESTS tests, or nests beyond MAX_HEIGHT.
    """
    tests = 0
    waiting = [(condition, 0)]
    while waiting:
        part, height = waiting.pop()
        if isinstance(part, Test):
            tests += 1
        else:
            below = height + max(1, (len(part.parts) - 1).bit_length())
            waiting += [(inner, below) for inner in part.parts]
        if tests > MAX_TESTS:
            raise InvalidRequestError(Problem("Filter has too many conditions"))
        if height > MAX_HEIGHT:
            raise InvalidRequestError(Problem("Filter nests too deep"))


class Listing(msgspec.Struct, frozen=True):
    """The active tokens, or events, that meet `where`, ordered, ties by id ascending, `limit` of them from `offset` on."""

    where: Condition | None = None
    order: Field = Field.ID
    descending: bool = False
    limit: int = 100
    offset: int = 0


class Page(msgspec.Struct, frozen=True):
    """A stretch of a listing, read in one snapshot.

    Attributes:
        tokens: the stretch.
        results: how many tokens meet the condition in all.
        version: equal for two pages if and only if nothing of the user's tokens changed between them: the id of the
            user's last audit event, and the number of active tokens, so that an expiry changes it too.
    """

    tokens: tuple[Token, ...]
    results: int
    version: str


class Stretch(msgspec.Struct, Generic[T], frozen=True):
    """A stretch of a list of users, tokens or events, read in one snapshot.

    Attributes:
        rows: the stretch.
        results: how many there are in all.
        version: equal for two stretches only if no row was added or changed between them, last use aside.
    """

    rows: tuple[T, ...]
    results: int
    version: str
