"""What a list's server can leave out itself: conditions as an `X-Filter`, the order, and how many rows are wanted.

Each row is checked again by the relational engine, so a filter may let more through than its condition; it is exact
where it lets nothing more through. Only our own server is known to compare text as the relational engine does, to take
a date that isn't there for the latest, and to filter by the fields that others don't.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlglot import exp

from patql.catalog.document import Column
from patql.engine.constants import Constants
from patql.engine.given import IsIt, Value
from patql.engine.instants import WIRE, wire_form
from patql.engine.nulls import rejects_null
from patql.engine.scope import bare, conjuncts

Json = dict[str, Any]

CONDITIONS = 100
"""Comparisons that one filter may hold: our server takes more, and headers have limits on the way."""

LENGTH = 4_000
"""Bytes that one filter may have."""

_OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "+eq",
    exp.NEQ: "+neq",
    exp.LT: "+lt",
    exp.LTE: "+lte",
    exp.GT: "+gt",
    exp.GTE: "+gte",
}
_FLIPPED = {"+lt": "+gt", "+lte": "+gte", "+gt": "+lt", "+gte": "+lte"}
_RUN = re.compile(r"[^%_\\]+")


class Part(msgspec.Struct, frozen=True):
    """A condition as a filter: `exact` where it lets nothing more through, `anywhere` where every server takes it."""

    filter: Json
    exact: bool
    anywhere: bool


class Filter(msgspec.Struct, frozen=True):
    """What a server is asked for: the header's JSON (None: everything), and whether nothing else need be checked."""

    json: Json | None
    exact: bool


class Push(msgspec.Struct, frozen=True):
    """What may be left to the server that answers for one table.

    Attributes:
        anywhere: the filter for any server.
        own: the filter for a server of ours.
        order: the field to order by, and whether downwards; for a server of ours.
        limit: rows wanted, where the filter is exact and the order, if there is one, is the server's; None for all.
        counts: whether only the number of rows is wanted, where the filter is exact.
    """

    anywhere: Filter
    own: Filter
    order: tuple[str, bool] | None = None
    limit: int | None = None
    counts: bool = False

    def filter(self, *, own: bool) -> Filter:
        """The filter for the server."""
        return self.own if own else self.anywhere

    def rows(self, *, own: bool) -> int | None:
        """How many rows are wanted of that server; None for all."""
        if (self.order is not None and not own) or not self.filter(own=own).exact:
            return None
        return self.limit

    def header(self, *, own: bool) -> bytes:
        """The value of `X-Filter`; empty where there is nothing to ask for."""
        asked = dict(self.filter(own=own).json or {})
        if self.order and self.rows(own=own) is not None:
            field, down = self.order
            asked |= {"+order_by": field, "+order": "desc" if down else "asc"}
        return json.dumps(asked).encode() if asked else b""


class Translator:
    """Conditions on one table as filters.

    Args:
        columns: those of the list's rows, by lower-case name.
        constants: evaluates what the columns are compared with.
        horizon: the date from which on dates mean "never", in the wire's form.
        is_own: whether an expression is a column of the table.
    """

    def __init__(
        self,
        columns: Iterable[Column],
        constants: Constants,
        horizon: str,
        is_own: IsIt,
    ) -> None:
        filterable = (c for c in columns if c.filterable or c.filterable_extension)
        self._columns = {column.name.casefold(): column for column in filterable}
        self._constants = constants
        self._horizon = horizon
        self._is_own = is_own

    def filters(
        self, conditions: Iterable[exp.Expr], *, outer: bool
    ) -> tuple[Filter, Filter]:
        """The filters for any server, and for ours, that stand for all of the conditions.

        Args:
            conditions: joined by AND.
            outer: whether only conditions that NULL doesn't meet may be left to the server.
        """
        parts: list[Part] = []
        whole = True
        size = 0
        for condition in conditions:
            part = (
                self._part(condition) if not outer or rejects_null(condition) else None
            )
            length = len(json.dumps(part.filter)) if part else 0
            if part is None or size + length > LENGTH:
                whole = False
                continue
            size += length
            parts.append(part)
        anywhere = [part for part in parts if part.anywhere]
        return (
            _all(anywhere, exact=not parts and whole),
            _all(parts, exact=whole and all(part.exact for part in parts)),
        )

    def order(self, ordered: exp.Ordered) -> tuple[str, bool] | None:
        """The field, and whether downwards, where a server of ours orders as the relational engine does."""
        column = self._column(bare(ordered.this))
        if column is None:
            return None
        down = bool(ordered.args.get("desc"))
        nulls_first = bool(ordered.args.get("nulls_first"))
        fits = nulls_first == down if column.nullable else True
        return (column.name, down) if fits else None

    def _part(self, condition: exp.Expr) -> Part | None:
        node = bare(condition)
        match node:
            case exp.And():
                parts = [self._part(each) for each in conjuncts(node)]
                known = [part for part in parts if part is not None]
                return _joined("+and", known, whole=len(known) == len(parts))
            case exp.Or():
                parts = [self._part(each) for each in _alternatives(node)]
                known = [part for part in parts if part is not None]
                return _joined("+or", known) if len(known) == len(parts) else None
            case exp.Between() if not node.args.get("symmetric"):
                low = self._compared(node.this, "+gte", node.args["low"])
                high = self._compared(node.this, "+lte", node.args["high"])
                known = [part for part in (low, high) if part is not None]
                return _joined("+and", known, whole=len(known) == 2)
            case exp.In() if not node.args.get("query"):
                parts = [self._compared(node.this, "+eq", e) for e in node.expressions]
                known = [part for part in parts if part is not None]
                return _joined("+or", known) if len(known) == len(parts) else None
            case exp.Like() if not node.args.get("negate"):
                return self._like(node)
            case exp.Is():
                return (
                    self._absent(node.this, negated=False) if _is_null(node) else None
                )
            case exp.Not() if isinstance(inner := bare(node.this), exp.Is):
                return (
                    self._absent(inner.this, negated=True) if _is_null(inner) else None
                )
            case _ if operator := _OPERATORS.get(type(node)):
                flipped = _FLIPPED.get(operator, operator)
                return self._compared(
                    node.this, operator, node.expression
                ) or self._compared(node.expression, flipped, node.this)
            case _:
                return None

    def _column(self, node: exp.Expr) -> Column | None:
        if not isinstance(node, exp.Column) or not self._is_own(node):
            return None
        return self._columns.get(node.name.casefold())

    def _compared(self, side: exp.Expr, operator: str, other: exp.Expr) -> Part | None:
        column, constant = self._column(bare(side)), bare(other)
        if column is None or not self._constants.is_constant(constant):
            return None
        value = self._operand(column, constant)
        if isinstance(value, str) and column.format == WIRE:
            value, operator = _in_seconds(value, operator)
        if value is None:
            return None
        ordered = operator != "+eq"
        lets_null = operator in ("+neq", "+gt", "+gte")  # NULL is the greatest of all
        part = Part(
            {column.name: value if operator == "+eq" else {operator: value}},
            exact=not (lets_null and column.nullable and not column.never),
            anywhere=column.filterable
            and (not ordered or column.type != "string" or column.format == WIRE),
        )
        if not column.never or operator in ("+eq", "+lt", "+lte"):
            return part
        ending = Part({column.name: {"+lt": self._horizon}}, exact=True, anywhere=False)
        return _joined("+and", [part, ending])

    def _operand(self, column: Column, constant: exp.Expr) -> Value | None:
        """The constant as the field is compared with it; None where the comparison isn't the server's."""
        if column.format == WIRE:
            wire = wire_form(self._constants.instant(constant))
            late = wire is not None and column.never and wire >= self._horizon
            return None if late else wire
        value = self._constants.value(constant)
        if isinstance(value, int) and not isinstance(value, bool):
            fits = column.type == "integer" and abs(value) < 2**63
            return value if fits else None
        text = column.type == "string" and isinstance(value, str)
        return str(value) if text and self._constants.is_text(constant) else None

    def _like(self, node: exp.Like) -> Part | None:
        """The longest piece of a pattern without wildcards, which the text must contain."""
        column, pattern = self._column(bare(node.this)), bare(node.expression)
        if column is None or column.type != "string" or column.format == WIRE:
            return None
        if not pattern.is_string or "\\" in pattern.name:
            return None
        run = max(_RUN.findall(pattern.name), key=len, default="")
        contains = {column.name: {"+contains": run}}
        return Part(contains, exact=False, anywhere=column.filterable) if run else None

    def _absent(self, side: exp.Expr, *, negated: bool) -> Part | None:
        column = self._column(bare(side))
        if column is None or not column.never:
            return None
        operator = "+lt" if negated else "+gte"
        return Part(
            {column.name: {operator: self._horizon}}, exact=True, anywhere=False
        )


def _in_seconds(wire: str, operator: str) -> tuple[str | None, str]:
    """An instant to the second, as the rows' are, and how they compare with it; None where a fraction forbids that."""
    whole, _, fraction = wire.partition(".")
    if not fraction:
        return whole, operator
    told = {"+lt": "+lte", "+lte": "+lte", "+gt": "+gt", "+gte": "+gt"}.get(operator)
    return (whole, told) if told else (None, operator)


def _alternatives(node: exp.Expr) -> Iterator[exp.Expr]:
    node = bare(node)
    if isinstance(node, exp.Or):
        yield from _alternatives(node.this)
        yield from _alternatives(node.expression)
    else:
        yield node


def _is_null(node: exp.Is) -> bool:
    return isinstance(bare(node.expression), exp.Null)


def _joined(word: str, parts: list[Part], *, whole: bool = True) -> Part | None:
    if not parts:
        return None
    filters = [part.filter for part in parts]
    return Part(
        filters[0] if len(filters) == 1 else {word: filters},
        exact=whole and all(part.exact for part in parts),
        anywhere=all(part.anywhere for part in parts),
    )


def _all(parts: list[Part], *, exact: bool) -> Filter:
    joined = _joined("+and", parts)
    return Filter(joined.filter if joined else None, exact)
