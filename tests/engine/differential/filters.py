"""X-Filter as our API reads it, over any columns: written a second time, so that a mistake isn't made twice.

On a server of ours NULL counts as the greatest value of all, in comparison as in order, and text compares by code
point. Of others nobody says how they compare: here NULL is neither less nor greater, and text is compared without case.
`+contains` folds case on both.
"""

import json
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

Row = dict[str, Any]
"""A row, with the parameters that select it."""

Test = Callable[[Row], bool]

LONGEST = 8_000
"""Bytes of a filter; servers limit their headers to that or so."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "+eq": operator.eq,
    "+neq": operator.ne,
    "+lt": operator.lt,
    "+lte": operator.le,
    "+gt": operator.gt,
    "+gte": operator.ge,
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "num": (int, float),
    "text": (str,),
    "bool": (bool,),
}


class RefusedError(Exception):
    """What is wrong with a filter."""


class Filter:
    """What one header asks for.

    Args:
        header: its value.
        kinds: the columns that may be asked for, and what they hold.
        ours: whether the server is one of ours.
    """

    def __init__(self, header: bytes, kinds: Mapping[str, str], *, ours: bool) -> None:
        self._kinds = kinds
        self._ours = ours
        self._order: str | None = None
        self._descending = False
        self._limit: int | None = None
        if len(header) > LONGEST:
            raise RefusedError("the header is too long")
        try:
            asked = json.loads(header.decode("ascii"))
        except ValueError:
            raise RefusedError("the header isn't JSON") from None
        self._where = self._object(asked) or _everything

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Those that it selects, in its order."""
        found = [row for row in rows if self._where(row)]
        if self._order is not None:
            name = self._order
            found.sort(key=lambda row: _rank(row[name]), reverse=self._descending)
        elif self._descending:
            found.reverse()
        return found[: self._limit]

    def _object(self, asked: object) -> Test | None:
        if not isinstance(asked, dict):
            raise RefusedError("a filter is an object")
        members = cast("dict[str, Any]", asked)
        tests = [self._member(key, value) for key, value in members.items()]
        return _all(tests) if any(tests) or not members else None

    def _member(self, key: str, value: Any) -> Test | None:  # noqa: ANN401  (JSON)
        if key in self._kinds:
            return self._about(key, value)
        if key in ("+and", "+or"):
            if not isinstance(value, list):
                raise RefusedError(f"{key} takes an array")
            tests = [self._object(each) for each in cast("list[object]", value)]
            return _all(tests) if key == "+and" else _any(tests)
        if key == "+order_by" and value in self._kinds:
            self._order = value
        elif key == "+order" and value in ("asc", "desc"):
            self._descending = value == "desc"
        elif key == "+limit" and isinstance(value, int) and value > 0:
            self._limit = value
        else:
            raise RefusedError(f"cannot filter on {key}")
        return None

    def _about(self, name: str, value: Any) -> Test:  # noqa: ANN401
        if not isinstance(value, dict):
            return self._compare(name, "+eq", value)
        members = cast("dict[str, Any]", value)
        tests: list[Test | None] = []
        for key, operand in members.items():
            if key in ("+and", "+or") and isinstance(operand, list):
                elements = cast("list[object]", operand)
                parts: list[Test | None] = [
                    self._about(name, each) for each in elements
                ]
                tests.append(_all(parts) if key == "+and" else _any(parts))
            else:
                tests.append(self._compare(name, key, operand))
        return _all(tests)

    def _compare(self, name: str, key: str, operand: Any) -> Test:  # noqa: ANN401
        kind = self._kinds[name]
        if key == "+contains":
            if kind != "text" or not isinstance(operand, str):
                raise RefusedError(f"+contains is for text, which {name} isn't")
            folded = operand.casefold()
            return lambda row: row[name] is not None and folded in row[name].casefold()
        compare = _OPERATORS.get(key)
        if compare is None or (kind == "bool" and key not in ("+eq", "+neq")):
            raise RefusedError(f"cannot filter on {name} by {key}")
        value = self._value(name, kind, operand)
        if self._ours:
            return lambda row: compare(_rank(row[name]), _rank(value))
        if value is None:
            return lambda row: compare(row[name] is None, True)
        return lambda row: (
            row[name] is not None and compare(_folded(row[name]), _folded(value))
        )

    def _value(self, name: str, kind: str, operand: Any) -> Any:  # noqa: ANN401
        if operand is None:
            return None
        if kind == "time":
            try:
                return datetime.fromisoformat(operand).isoformat()
            except (TypeError, ValueError):
                raise RefusedError(f"{name} is compared with a date") from None
        fits = isinstance(operand, _PYTHON[kind])
        if not fits or (kind != "bool" and isinstance(operand, bool)):
            raise RefusedError(f"{name} isn't compared with {operand!r}")
        return operand


def _rank(value: object) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _folded(value: Any) -> Any:  # noqa: ANN401  (of any type)
    return value.casefold() if isinstance(value, str) else value


def _everything(_row: Row) -> bool:
    return True


def _all(tests: list[Test | None]) -> Test:
    given = [test for test in tests if test]
    return lambda row: all(test(row) for test in given)


def _any(tests: list[Test | None]) -> Test | None:
    given = [test for test in tests if test]
    if tests and not given:
        return None
    return lambda row: any(test(row) for test in given)
