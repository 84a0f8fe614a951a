"""A question about one user's tokens: which, in what order, and which stretch of them. Plain values."""

from enum import StrEnum

import msgspec

from patql.authority.model import Token


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
    """The fields that can be asked for."""

    ID = "id"
    CREATED = "created"
    EXPIRY = "expiry"
    LABEL = "label"


class Test(msgspec.Struct, frozen=True):
    """`field op value`: an int for id, seconds since the epoch for created and expiry (None: never), text for label.

    A NULL expiry counts as the greatest value of all, in comparison as in order.
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


class Listing(msgspec.Struct, frozen=True):
    """The active tokens that meet `where`, ordered, ties by id ascending, `limit` of them from `offset` on."""

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
