"""A listing's condition and order as SQL, with every value bound."""

from collections.abc import Callable, Mapping

from patql.authority.listing import All, Any, Condition, Field, Listing, Op, Test

_NEVER = 2**63 - 1  # a NULL expiry counts as the greatest value
_LARGEST = _NEVER - 1

Columns = Mapping[Field, str]
"""What each field is as an expression."""

TOKENS: Columns = {
    Field.ID: "id",
    Field.CREATED: "created",
    Field.EXPIRY: f"coalesce(expiry, {_NEVER})",
    Field.LABEL: "label",
}
EVENTS: Columns = {
    Field.ID: "id",
    Field.CREATED: "at",
    Field.ACTION: "action",
    Field.TOKEN: "token_id",
    Field.KIND: "'token'",
}

Bind = Callable[[int | str], str]
"""Takes a value and returns the placeholder for it."""


def where(condition: Condition, bind: Bind, columns: Columns = TOKENS) -> str:
    """The condition as an expression.

    SQLite refuses expressions more than 1,000 deep, and `a AND b AND …` is as deep as it is long. So operands are
    joined as a balanced tree, and alternatives for one field become `IN`.
    """
    match condition:
        case Test():
            return _test(condition, bind, columns)
        case All(parts):
            joined = [where(part, bind, columns) for part in parts]
            return _join(joined, "AND", otherwise="1")
        case Any(parts):
            return _join(_alternatives(parts, bind, columns), "OR", otherwise="0")


def order(listing: Listing, columns: Columns = TOKENS) -> str:
    """The ORDER BY terms: total, since ids are unique."""
    direction = "DESC" if listing.descending else "ASC"
    if listing.order is Field.ID:
        return f"id {direction}"
    return f"{columns[listing.order]} {direction}, id"


def _alternatives(
    parts: tuple[Condition, ...], bind: Bind, columns: Columns
) -> list[str]:
    equal = dict[Field, list[Test]]()
    others = list[Condition]()
    for part in parts:
        if isinstance(part, Test) and part.op is Op.EQ:
            equal.setdefault(part.field, []).append(part)
        else:
            others.append(part)
    lists = [
        f"{columns[field]} IN ({', '.join(bind(_value(test)) for test in tests)})"
        for field, tests in equal.items()
    ]
    return lists + [where(part, bind, columns) for part in others]


def _test(test: Test, bind: Bind, columns: Columns) -> str:
    if test.op is Op.CONTAINS:
        folded = str(test.value).casefold()
        return f"contains_folded({columns[test.field]}, {bind(folded)})"
    return f"{columns[test.field]} {test.op.value} {bind(_value(test))}"


def _value(test: Test) -> int | str:
    """The value to compare with, brought into the range of SQLite's integers, which holds every field's."""
    if test.value is None:
        return _NEVER
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
