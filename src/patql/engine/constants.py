"""Constant expressions: what they are, and their value as the relational engine gives it."""

from datetime import datetime

from sqlglot import exp

from patql.engine.dialect import DIALECT
from patql.engine.relate import Relational

_VARYING = frozenset(
    {
        "RANDOM",
        "UUID",
        "GEN_RANDOM_UUID",
        "UUIDV4",
        "UUIDV7",
        "NEXTVAL",
        "CURRVAL",
        "SETSEED",
    }
)


class Constants:
    """Evaluates what doesn't depend on any row."""

    def __init__(self, relational: Relational) -> None:
        self._relational = relational

    def is_constant(self, expression: exp.Expr) -> bool:
        """Whether an expression has one value for the whole statement."""
        for node in expression.walk():
            if isinstance(
                node, (exp.Column, exp.Query, exp.Star, exp.AggFunc, exp.Window)
            ):
                return False
            if isinstance(node, (exp.Rand, exp.Uuid)):
                return False
            if isinstance(node, exp.Anonymous) and node.name.upper() in _VARYING:
                return False
        return True

    def value(self, expression: exp.Expr) -> object:
        """The value of a constant expression, as DuckDB gives it to Python.

        Raises:
            SqlError: it has none.
        """
        if isinstance(expression, exp.Literal):
            return expression.this if expression.is_string else _number(expression.this)
        return self._relational.value(expression.sql(DIALECT))

    def instant(self, text: str) -> datetime | None:
        """The instant that a text reads as, zones applied and UTC where it has none; None where it reads as none."""
        found = self._relational.value("TRY_CAST(? AS TIMESTAMPTZ)", text)
        return found if isinstance(found, datetime) else None


def _number(text: str) -> int | float:
    return int(text) if text.isdecimal() else float(text)
