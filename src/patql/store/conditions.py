"""A listing's condition and order as SQL, with every value bound."""

from collections.abc import Callable, Mapping

import msgspec

from patql.authority.listing import All, Any, Condition, Field, Listing, Op, Test

NEVER = 2**63 - 1
"""A NULL expiry counts as the greatest value."""

_LARGEST = NEVER - 1

Bind = Callable[[int | str], str]
"""Takes a value and returns the placeholder for it."""


class Dialect(msgspec.Struct, frozen=True):
    """How a database says it.

    Attributes:
        columns: what each field is as an expression; text compares by code point.
        contains: whether a text field has a part, both case-folded; `{}` stands for the part's placeholder.
    """

    columns: Mapping[Field, str]
    contains: Mapping[Field, str]


def where(condition: Condition, bind: Bind, dialect: Dialect) -> str:
    """The condition as an expression.

    SQLite refuses expressions more than 1,000 deep, and `a AND b AND …` is as deep as it is long. So operands are
    joined as a balanced tree, and alternatives for one field become `IN`.
    """
    match condition:
        case Test():
            return _test(condition, bind, dialect)
        case All(parts):
            joined = [where(part, bind, dialect) for part in parts]
            return _join(joined, "AND", otherwise="TRUE")
        case Any(parts):
            return _join(_alternatives(parts, bind, dialect), "OR", otherwise="FALSE")


def order(listing: Listing, dialect: Dialect) -> str:
    """The ORDER BY terms: total, since ids are unique."""
    direction = "DESC" if listing.descending else "ASC"
    if listing.order is Field.ID:
        return f"id {direction}"
    return f"{dialect.columns[listing.order]} {direction}, id"


def _alternatives(
    parts: tuple[Condition, ...], bind: Bind, dialect: Dialect
) -> list[str]:
    equal = dict[Field, list[Test]]()
    others = list[Condition]()
    for part in parts:
        if isinstance(part, Test) and part.op is Op.EQ and not _has_nul(part):
            equal.setdefault(part.field, []).append(part)
        else:
            others.append(part)
    lists = [
        f"{dialect.columns[field]} IN ({', '.join(bind(_value(test)) for test in tests)})"
        for field, tests in equal.items()
    ]
    return lists + [where(part, bind, dialect) for part in others]


def _test(test: Test, bind: Bind, dialect: Dialect) -> str:
    if _has_nul(test):
        return _beside_nul(test, bind, dialect)
    if test.op is Op.CONTAINS:
        return dialect.contains[test.field].format(bind(str(test.value).casefold()))
    return f"{dialect.columns[test.field]} {test.op.value} {bind(_value(test))}"


def _has_nul(test: Test) -> bool:
    return isinstance(test.value, str) and "\0" in test.value


def _beside_nul(test: Test, bind: Bind, dialect: Dialect) -> str:
    """Compare with text that holds U+0000, which no text in a database does, and which PostgreSQL can't be asked for.

    Whatever begins with all that stands before the U+0000 is greater, but for that alone.
    """
    if test.op in {Op.EQ, Op.CONTAINS}:
        return "FALSE"
    if test.op is Op.NE:
        return "TRUE"
    compared = "<=" if test.op in {Op.LT, Op.LTE} else ">"
    before = bind(str(test.value).partition("\0")[0])
    return f"{dialect.columns[test.field]} {compared} {before}"


def _value(test: Test) -> int | str:
    """The value to compare with, brought into the range of 64-bit integers, which holds every field's."""
    if test.value is None:
        return NEVER
    if isinstance(test.value, int):
        return max(-_LARGEST, min(test.value, _LARGEST))
    return test.value


def _join(parts: list[str], word: str, *, otherwise: str) -> str:
    if not parts:
        return otherwise
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left = _join(parts[:middle], word, otherwise=otherwise)
    right = _join(parts[middle:], word, otherwise=otherwise)
    return f"({left} {word} {right})"
