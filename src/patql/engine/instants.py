"""Dates and times against columns that hold them as text.

The API writes an instant as `YYYY-MM-DDTHH:MM:SS`, and the columns are VARCHAR in that form. Text in one form of fixed
width orders as the instants do, so in a comparison it is the other side that is turned into text: once, where it is
constant. Where it isn't, and DuckDB says that it is a DATE or a TIMESTAMP, the column is cast instead.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from sqlglot import exp

from patql.catalog.document import Column
from patql.engine.bind import Bound
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.relate import Relational
from patql.engine.scope import bare, passed_on
from patql.kernel.errors import SqlError

_COMPARISONS = (
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
)
_SIDES = ("expression", "low", "high", "query", "field")
"""Where sqlglot keeps the other operands of comparisons, BETWEEN and IN; the values of a list stand in `expressions`."""

_TEMPORAL = ("DATE", "TIMESTAMP")
WIRE = "date-time-local"
"""The format of columns in the wire's form (OpenAPI format registry)."""


def compare_instants(
    bound: Bound, constants: Constants, relational: Relational
) -> None:
    """Rewrite each comparison, BETWEEN and IN of a date-time column so that both sides are of one form.

    Raises:
        SqlError: a constant side can't be evaluated.
    """
    for operands in _comparisons(bound.tree):
        texts = [operand for operand in operands if _is_text(bound, constants, operand)]
        if not texts:
            continue
        constant = [operand for operand in operands if constants.is_constant(operand)]
        if any(
            _is_temporal(operand, relational)
            for operand in operands
            if operand not in texts and operand not in constant
        ):
            changes: list[tuple[exp.Expr, exp.Expr]] = [
                (text, exp.cast(text.copy(), "TIMESTAMP", dialect=DIALECT))
                for text in texts
            ]
        else:
            constant += [
                each
                for text in texts
                for each in passed_on(text)
                if constants.is_constant(each)
            ]
            wires = [(side, wire_form(constants.instant(side))) for side in constant]
            changes = [(s, exp.Literal.string(w)) for s, w in wires if w is not None]
        for node, changed in changes:
            _keep_heading(bound, node)
            node.replace(changed)
            bound.changed = True


def is_instant(bound: Bound, column: exp.Column) -> bool:
    """Whether a column passes on a date-time of a resource, as text."""
    origins = bound.scope.origins(column)
    if origins is None:
        beside = bound.scope.tables_beside(column) if not column.table else []
        found = [c for t in beside if (c := _column(bound, t, column.name))]
        return any(c.format == WIRE for c in found)
    described = [_column(bound, *origin) for origin in origins]
    return all(c is not None and c.format == WIRE for c in described)


def wire_form(value: object) -> str | None:
    """A date or a time as the API writes it, with a fraction only where it has one; None for anything else.

    A fraction makes the text longer than any that the server sends, and text then still orders as instants do.
    """
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return naive.isoformat()
    return f"{value.isoformat()}T00:00:00" if isinstance(value, date) else None


def _is_text(bound: Bound, constants: Constants, operand: exp.Expr) -> bool:
    """Whether an operand is an instant as the API writes it."""
    given = [each for each in passed_on(operand) if not constants.is_constant(each)]
    return bool(given) and all(
        isinstance(each, exp.Column) and is_instant(bound, each) for each in given
    )


def _comparisons(tree: exp.Expr) -> list[list[exp.Expr]]:
    """What is compared with one another in each comparison, BETWEEN, IN and CASE.

    From the inside out: the types that a subquery gives are known once its own comparisons are of one form.
    """
    depths = dict[int, int]()
    found: list[tuple[int, list[exp.Expr]]] = []
    for node in tree.walk():
        depth = depths.get(id(node.parent), 0) + isinstance(node, exp.Select)
        depths[id(node)] = depth
        if isinstance(node, (*_COMPARISONS, exp.Between, exp.In)):
            sides = [node.this, *(node.args.get(place) for place in _SIDES)]
            given = [bare(s) for s in (*sides, *node.expressions) if s is not None]
            found += ((depth, operands) for operands in _aligned(given))
        elif isinstance(node, exp.Case) and node.this:
            tests = (branch.this for branch in node.args["ifs"])
            found.append((depth, [bare(each) for each in (node.this, *tests)]))
    found.sort(key=lambda each: each[0], reverse=True)
    return [operands for _, operands in found]


def _aligned(operands: list[exp.Expr]) -> Iterator[list[exp.Expr]]:
    """Rows position by position; the elements of a list that one side is compared with; else the operands."""
    if all(isinstance(operand, exp.Tuple) for operand in operands):
        for row in zip(*(operand.expressions for operand in operands), strict=False):
            yield from _aligned([bare(operand) for operand in row])
        return
    spread: list[exp.Expr] = []
    for operand in operands:
        among = bare(_quantified(operand))
        elements = among.expressions if isinstance(among, exp.Array) else [among]
        spread += [bare(element) for element in elements]
    yield spread


def _quantified(operand: exp.Expr) -> exp.Expr:
    """What stands in ANY or ALL; sqlglot takes ALL of a list for a function of that name."""
    inner: exp.Expr = operand
    if isinstance(operand, (exp.Any, exp.All)):
        inner = operand.this
    elif isinstance(operand, exp.Anonymous) and operand.name.upper() == "ALL":
        inner = operand.expressions[0] if operand.expressions else operand
    return inner


def _column(bound: Bound, table: exp.Table, name: str) -> Column | None:
    found = (o.column(name) for o in bound.occurrences if o.table is table)
    return next(found, None)


def _is_temporal(side: exp.Expr, relational: Relational) -> bool:
    """Whether DuckDB says that an expression, where it stands, is a DATE or a TIMESTAMP."""
    select = side.find_ancestor(exp.Select)
    if select is None:
        return False
    probe = exp.select(side.copy())
    for clause in ("from_", "joins"):
        probe.set(clause, _copied(select.args.get(clause)))
    probe.set("with_", _ctes_around(side))
    _drop_conditions(probe)
    try:
        (described,) = relational.describe(probe.sql(DIALECT))
    except (SqlError, ValueError):
        return False  # correlated with something outside; DuckDB itself will say what doesn't fit
    return described.type.startswith(_TEMPORAL)


def _ctes_around(node: exp.Expr) -> exp.With | None:
    """All that can be named where an expression stands, the outer ones first."""
    found: list[exp.CTE] = []
    recursive = False
    parent = node.parent
    while parent is not None:
        if with_ := parent.args.get("with_"):
            hidden = {cte.alias.casefold() for cte in found}
            outer = [c for c in with_.expressions if c.alias.casefold() not in hidden]
            found = [*outer, *found]
            recursive = recursive or bool(with_.recursive)
        parent = parent.parent
    copies = [cte.copy() for cte in found]
    return exp.With(expressions=copies, recursive=recursive) if copies else None


def _drop_conditions(probe: exp.Select) -> None:
    """Types don't depend on conditions, and some may not be of one form yet."""
    for select in probe.find_all(exp.Select):
        for clause in ("where", "having", "qualify"):
            select.set(clause, None)
    for join in probe.find_all(exp.Join):
        if join.args.get("on"):
            join.set("on", exp.true())
            join.set("method", None)


def _copied(
    clause: exp.Expr | list[exp.Expr] | None,
) -> exp.Expr | list[exp.Expr] | None:
    if isinstance(clause, list):
        return [node.copy() for node in clause]
    return clause.copy() if clause else None


def _keep_heading(bound: Bound, operand: exp.Expr) -> None:
    """A projection that is about to be rewritten keeps the heading that it would have had."""
    node = operand
    while node.parent and not isinstance(node.parent, exp.Select):
        node = node.parent
    projected = node.parent is not None and node.arg_key == "expressions"
    if projected and not isinstance(node, (exp.Alias, exp.Column)):
        alias = exp.Alias(alias=exp.to_identifier(node.sql(DIALECT), quoted=True))
        node.replace(alias)
        alias.set("this", node)
