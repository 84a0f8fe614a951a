"""A predicate over rows of texts that are there already, evaluated by the relational engine."""

from collections.abc import Sequence

from sqlglot import exp

from patql.engine.dialect import DIALECT
from patql.engine.failures import UnknownColumnError
from patql.engine.state import State
from patql.engine.statement import NESTED
from patql.kernel.errors import Code, SqlError

Texts = tuple[str, ...]


def matching(
    predicate: exp.Expr, headings: Texts, rows: Sequence[Texts], state: State
) -> list[Texts]:
    """The rows for which the predicate is true, in their order.

    Raises:
        SqlError: the predicate names something else than the headings, or can't be evaluated.
    """
    # VALUES takes no fewer than one row, and a predicate is checked even where there is nothing to select from.
    table = exp.values(rows or [("",) * len(headings)], "shown", headings)
    try:
        sql = exp.select("*").from_(table).where(predicate).sql(DIALECT, comments=False)
    except RecursionError:
        raise SqlError(Code.SYNTAX, NESTED) from None
    try:
        _, found = state.relational.run(sql, placed=False)
    except UnknownColumnError as error:
        raise _unknown(error.name, predicate, headings) from None
    kept = set(found.fetchall())
    return [row for row in rows if row in kept]


def _unknown(name: str, predicate: exp.Expr, headings: Texts) -> SqlError:
    named = (c.this for c in predicate.find_all(exp.Column) if c.name == name)
    place = next((i.meta for i in named if "line" in i.meta), None)
    return SqlError(
        Code.UNKNOWN_NAME,
        f"there is no column {name} here",
        line=place["line"] if place else None,
        column=place["col"] - (place["end"] - place["start"]) if place else None,
        hint=f"The columns are {', '.join(headings)}.",
    )
