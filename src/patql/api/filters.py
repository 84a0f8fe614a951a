"""The `X-Filter` header: one JSON object that says which tokens or events, in which order, and how many.

    {"+and": [{"label": {"+contains": "ci"}}, {"created": {"+gte": "2027-01-01T00:00:00"}}], "+order_by": "label"}

Keys are attributes or operators; several in one object must all hold. An attribute's value is a scalar (equal to), or an
object of operators. `+order_by`, `+order` and `+limit` may stand in any object, since clients put them into elements of
`+and`; the last one given counts (Linode API v4, "Filtering and Sorting").
"""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from patql.api import json_text, moments
from patql.authority.listing import All, Any, Condition, Field, Listing, Op, Test
from patql.kernel.errors import Problem
from patql.kernel.http import Request

HEADER = "X-Filter"
DEPTH = 50
"""How many objects may stand inside one another."""
CONDITIONS = 1000
"""How many comparisons one filter may hold, since others wait while it runs."""

_OPERATORS = {
    "+eq": Op.EQ,
    "+neq": Op.NE,
    "+lt": Op.LT,
    "+lte": Op.LTE,
    "+gt": Op.GT,
    "+gte": Op.GTE,
    "+contains": Op.CONTAINS,
}
_TEXTS = frozenset({Field.LABEL, Field.ACTION, Field.KIND})
_NOTHING = Any(())
_EVERYTHING = All(())


class Filter(msgspec.Struct):
    """What the header asks for; `limit` is the most rows in all; None where it doesn't say."""

    where: Condition | None = None
    order: Field | None = None
    descending: bool | None = None
    limit: int | None = None

    def listing(self, offset: int, size: int, *, newest_first: bool = False) -> Listing:
        """The stretch of the rows that it asks for: from `offset` on, at most `size`.

        Args:
            offset: how many rows come before.
            size: of a page.
            newest_first: whether rows are in descending order where the header doesn't say.
        """
        descending = self.descending
        if descending is None:
            descending = newest_first and self.order is None
        most = size if self.limit is None else min(size, self.limit - offset)
        order = self.order or Field.ID
        return Listing(self.where, order, descending, max(most, 0), offset)

    def results(self, found: int) -> int:
        """How many rows there are in all, of those that were found."""
        return found if self.limit is None else min(found, self.limit)


def read(
    request: Request, fields: Mapping[str, Field], problems: list[Problem]
) -> Filter:
    """What a request's filter says, as `parse`; one without any asks for all."""
    given = [value for name, value in request.headers if name == b"x-filter"]
    if not given:
        return Filter()
    if len(given) > 1:
        problems.append(Problem("Must be given once", HEADER))
    return parse(given[0], fields, problems)


def parse(raw: bytes, fields: Mapping[str, Field], problems: list[Problem]) -> Filter:
    """What a filter says; whatever is wrong with it is added to `problems`.

    Args:
        raw: the header's value; blank is no filter.
        fields: the attributes that may be asked for, by their names on the wire.
        problems: takes one problem for each thing that is wrong.
    """
    if not raw.strip():
        return Filter()
    reader = _Reader(fields, problems)
    try:
        value = json_text.decode(raw)
    except ValueError as error:
        reader.wrong(str(error))
        return reader.found
    reader.found.where = reader.read(value, DEPTH)
    return reader.found


class _Reader:
    """One reading of one filter."""

    def __init__(self, fields: Mapping[str, Field], problems: list[Problem]) -> None:
        self.found = Filter()
        self._fields = fields
        self._problems = problems
        self._conditions = 0

    def wrong(self, reason: str) -> Condition:
        """Note a problem; stands for the condition that couldn't be read."""
        self._problems.append(Problem(reason, HEADER))
        return _EVERYTHING

    def read(self, value: object, depth: int) -> Condition | None:
        """The condition of a filter object; None where it has keys and none of them is about rows."""
        if not isinstance(value, dict):
            return self.wrong("A filter must be a JSON object")
        if depth == 0:
            return self.wrong(json_text.TOO_DEEP)
        members = cast("dict[str, object]", value)
        read = [self._member(key, part, depth) for key, part in members.items()]
        parts = [part for part in read if part is not None]
        return _all(parts) if parts or not members else None

    def _member(self, key: str, value: object, depth: int) -> Condition | None:
        if field := self._fields.get(key):
            return self._field(field, value, depth - 1)
        match key:
            case "+and" | "+or":
                return self._group(key, value, depth - 1)
            case "+order_by":
                self._order_by(value)
            case "+order":
                self._order(value)
            case "+limit":
                self._limit(value)
            case _:
                self.wrong(f"Cannot filter on {key}")
        return None

    def _group(self, key: str, value: object, depth: int) -> Condition | None:
        if not isinstance(value, list):
            return self.wrong(f"{key} must be an array of filters")
        elements = cast("list[object]", value)
        read = [self.read(element, depth) for element in elements]
        return _joined(key, read)

    def _field(self, field: Field, value: object, depth: int) -> Condition:
        if not isinstance(value, dict):
            return self._test(field, Op.EQ, value)
        if depth == 0:
            return self.wrong(json_text.TOO_DEEP)
        parts: list[Condition] = []
        for key, operand in cast("dict[str, object]", value).items():
            if key in ("+and", "+or"):
                parts.append(self._field_group(field, key, operand, depth - 1))
            elif op := _OPERATORS.get(key):
                parts.append(self._test(field, op, operand))
            else:
                self.wrong(f"Cannot filter on {field} by {key}")
        return _all(parts)

    def _field_group(
        self, field: Field, key: str, value: object, depth: int
    ) -> Condition:
        if not isinstance(value, list):
            return self.wrong(f"{key} must be an array")
        elements = cast("list[object]", value)
        parts = [self._field(field, element, depth) for element in elements]
        return _joined(key, parts) or _EVERYTHING

    def _test(self, field: Field, op: Op, value: object) -> Condition:
        self._conditions += 1
        if self._conditions > CONDITIONS:
            return self.wrong(f"A filter holds at most {CONDITIONS} conditions")
        if op is Op.CONTAINS and field not in _TEXTS:
            return self.wrong(f"+contains is for text, which {field} isn't")
        match field:
            case Field.LABEL | Field.ACTION | Field.KIND:
                if isinstance(value, str):
                    return Test(field, op, value)
                return self.wrong(f"{field} is compared with a string")
            case Field.ID | Field.TOKEN:
                if isinstance(value, int) and not isinstance(value, bool):
                    return Test(field, op, value)
                return self.wrong(f"{field} is compared with an integer")
            case Field.CREATED | Field.EXPIRY:
                return self._moment(field, op, value)

    def _moment(self, field: Field, op: Op, value: object) -> Condition:
        if value is None and field is Field.EXPIRY:
            return Test(field, op, None)
        moment = moments.parse(value) if isinstance(value, str) else None
        if moment is None:
            return self.wrong(
                f"{field} is compared with a date and time such as {moments.EXAMPLE}"
            )
        seconds, cut = moment
        return _between_seconds(field, op, seconds) if cut else Test(field, op, seconds)

    def _order_by(self, value: object) -> None:
        if not isinstance(value, str):
            self.wrong("+order_by must be the name of an attribute")
        elif field := self._fields.get(value):
            self.found.order = field
        else:
            self.wrong(f"Cannot order by {value}")

    def _order(self, value: object) -> None:
        if value not in ("asc", "desc"):
            self.wrong("+order must be asc or desc")
        self.found.descending = value == "desc"

    def _limit(self, value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            self.found.limit = value
        else:
            self.wrong("+limit must be an integer of at least 1")


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _joined(key: str, read: Sequence[Condition | None]) -> Condition | None:
    """What a group says, where elements that only order are no alternatives; None where nothing but those is in it."""
    parts = tuple(part for part in read if part is not None)
    if read and not parts:
        return None
    return All(parts) if key == "+and" else Any(parts)


def _between_seconds(field: Field, op: Op, below: int) -> Condition:
    """Compare whole seconds with an instant that lies between `below` and the next one."""
    match op:
        case Op.GT | Op.GTE:
            return Test(field, Op.GT, below)
        case Op.LT | Op.LTE:
            return Test(field, Op.LTE, below)
        case Op.NE:
            return _EVERYTHING
        case _:
            return _NOTHING
