"""Constant expressions: what they are, and their value as the relational engine gives it."""

from datetime import datetime
from decimal import Decimal

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
        "ALL",  # not a function, but sqlglot takes ALL of a list for one
    }
)

_INSTANTS = ("DATE", "TIMESTAMP", "VARCHAR")
_FIRST = "TIMESTAMP '0001-01-01'"
_LAST = "TIMESTAMP '9999-12-31 23:59:59.999999'"

_NO_CONSTANTS = (
    *(exp.Column, exp.Query, exp.Star, exp.AggFunc, exp.Window),  # they depend on rows
    *(exp.Any, exp.All, exp.Collate),  # they mean something only beside a comparison
)


def is_steady(expression: exp.Expr) -> bool:
    """Whether an expression has the same value each time for the same row."""
    return not any(
        isinstance(node, (exp.Rand, exp.Uuid, exp.TableSample))
        or (isinstance(node, exp.Anonymous) and node.name.upper() in _VARYING)
        for node in expression.walk()
    )


class Constants:
    """Evaluates what doesn't depend on any row."""

    def __init__(self, relational: Relational) -> None:
        self._relational = relational

    def is_constant(self, expression: exp.Expr) -> bool:
        """Whether an expression has one value for the whole statement."""
        return not expression.find(*_NO_CONSTANTS) and is_steady(expression)

    def value(self, expression: exp.Expr) -> object:
        """The value of a constant expression, as DuckDB gives it to Python.

        Raises:
            SqlError: it has none.
        """
        if isinstance(expression, exp.Literal):
            return expression.this if expression.is_string else _number(expression.this)
        return self._relational.value(expression.sql(DIALECT))

    def is_text(self, expression: exp.Expr) -> bool:
        """Whether a constant is text, and not something that is only written as text.

        Raises:
            SqlError: the constant can't be evaluated.
        """
        if isinstance(expression, exp.Literal):
            return bool(expression.is_string)
        kind: object = self._relational.value(f"typeof({expression.sql(DIALECT)})")
        return kind == "VARCHAR"

    def instant(self, expression: exp.Expr) -> datetime | None:
        """The instant, in UTC, that a constant date, time or text stands for; None where it stands for none.

        What lies outside the years 1 to 9999 becomes the first or the last instant of them, which no row has: a
        server can't write what lies beyond.

        Raises:
            SqlError: the constant can't be evaluated.
        """
        sql = expression.sql(DIALECT)
        kind = (
            "VARCHAR"
            if expression.is_string
            else str(self._relational.value(f"typeof({sql})"))
        )
        if not kind.startswith(_INSTANTS) or kind.endswith("]"):
            return None
        at = f"CAST(TRY_CAST({sql} AS TIMESTAMPTZ) AS TIMESTAMP)"
        bounded = f"CASE WHEN {at} IS NOT NULL THEN greatest(least({at}, {_LAST}), {_FIRST}) END"
        found = self._relational.value(bounded)
        return found if isinstance(found, datetime) else None

    def whole(self, text: str) -> int:
        """A text as an integer, as the relational engine would compare it with one.

        Raises:
            SqlError: it can't be one.
        """
        return int(self._relational.value("CAST(? AS BIGINT)", text))


def _number(text: str) -> int | float | Decimal:
    if text.isdecimal():
        return int(text)
    return float(text) if "e" in text.casefold() else Decimal(text)
