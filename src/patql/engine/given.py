"""What a query says of a parameter's value: constants that it allows, and expressions that give it."""

from collections.abc import Callable
from decimal import Decimal
from math import isfinite

from sqlglot import exp

from patql.catalog.document import Parameter
from patql.engine.constants import Constants
from patql.engine.scope import bare, conjuncts

Value = str | int | float | bool

Arguments = dict[str, Value]
"""Parameters of one request, with their values."""

Values = dict[str, tuple[Value, ...]]
"""Parameters with the values that each may have."""

_TRUTHS = {"true": True, "false": False}

IsIt = Callable[[exp.Expr], bool]
"""Whether an expression is the parameter, as a column."""


def values_of(
    condition: exp.Expr, parameter: Parameter, is_it: IsIt, constants: Constants
) -> tuple[Value, ...] | None:
    """The constants that a condition allows a parameter, each once; None where it doesn't bound it.

    Raises:
        SqlError: a constant can't be evaluated, or can't be compared with the parameter.
    """
    node = bare(condition)
    if isinstance(node, exp.And):
        found = (values_of(c, parameter, is_it, constants) for c in conjuncts(node))
        return next((values for values in found if values is not None), None)
    if isinstance(node, exp.Or):
        left = values_of(node.this, parameter, is_it, constants)
        right = values_of(node.expression, parameter, is_it, constants)
        if left is None or right is None:
            return None
        return tuple(dict.fromkeys(left + right))
    given = _compared(node, is_it)
    if not given or not all(map(constants.is_constant, given)):
        return None
    values = [constants.value(each) for each in given]
    arguments = [_argument(value, parameter, constants) for value in values]
    if any(
        a is None and not _is_met_by_none(v, parameter)
        for a, v in zip(arguments, values, strict=True)
    ):
        return None
    return tuple(dict.fromkeys(each for each in arguments if each is not None))


class Link:
    """A condition that gives a parameter the value of an expression, or those of a subquery.

    `place` is the argument of the condition's node in which the expression stands, since nodes are replaced.
    """

    def __init__(self, parameter: Parameter, node: exp.Expr, place: str) -> None:
        self.parameter = parameter
        self._node = node
        self._place = place

    @property
    def is_subquery(self) -> bool:
        """Whether the expression is a query whose rows are the values."""
        return self._place == "query"

    @property
    def expression(self) -> exp.Expr:
        """What gives the values: a query for a subquery's."""
        found: exp.Expr = self._node.args[self._place]
        return found


def link_of(condition: exp.Expr, parameter: Parameter, is_it: IsIt) -> Link | None:
    """The link that a condition is for a parameter, None where it is none."""
    node = bare(condition)
    place = _place(node, is_it)
    if place is None or (isinstance(node, exp.In) and place != "query"):
        return None
    return Link(parameter, node, place)


def _compared(node: exp.Expr, is_it: IsIt) -> list[exp.Expr]:
    """What an equality or an IN list compares the parameter with; empty for anything else."""
    place = _place(node, is_it)
    if place == "query" or place is None:
        return []
    return list(
        map(bare, node.expressions if place == "expressions" else [node.args[place]])
    )


def _place(node: exp.Expr, is_it: IsIt) -> str | None:
    """Where in an equality or an IN stands what the parameter is compared with, None where it isn't."""
    if isinstance(node, exp.In) and is_it(bare(node.this)):
        return "query" if node.args.get("query") else "expressions"
    if isinstance(node, exp.EQ):
        if is_it(bare(node.this)):
            return "expression"
        if is_it(bare(node.expression)):
            return "this"
    return None


def _is_met_by_none(value: object, parameter: Parameter) -> bool:
    """Whether no value of a parameter equals a constant that isn't one of its values: NULL, or a broken number."""
    broken = isinstance(value, (float, Decimal)) and not _is_whole(value)
    return value is None or (broken and parameter.type == "integer")


def _is_whole(number: float | Decimal) -> bool:
    return isfinite(number) and int(number) == number


def _argument(
    value: object, parameter: Parameter, constants: Constants
) -> Value | None:
    if parameter.type == "integer" and isinstance(value, str):
        value = constants.whole(value)
    if isinstance(value, (float, Decimal)) and parameter.type == "string":
        return None  # 7.0 equals more than one text
    return as_argument(parameter, value)


def as_argument(parameter: Parameter, value: object) -> Value | None:
    """A SQL value as a parameter's value, None where it can't be one."""
    if parameter.type == "boolean" and isinstance(value, str):
        return _TRUTHS.get(value.strip().casefold())
    if value is None or isinstance(value, bool) or parameter.type == "boolean":
        return (
            value if isinstance(value, bool) and parameter.type == "boolean" else None
        )
    if parameter.type != "integer":
        return str(value)
    if isinstance(value, (float, Decimal)):
        return int(value) if _is_whole(value) else None
    text = str(value).strip()
    return int(text) if text.lstrip("+-").isdecimal() and text.isascii() else None
