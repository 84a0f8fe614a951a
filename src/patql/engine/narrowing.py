"""What a query leaves to the server of one list: conditions, an order, how many rows, or their number alone."""

from collections.abc import Iterator

from msgspec.structs import replace
from sqlglot import exp

from patql.engine.bind import Bound, Occurrence, names_output
from patql.engine.constants import Constants
from patql.engine.pushdown import Push, Translator
from patql.engine.scope import TABLE, bare, has_only
from patql.engine.step import Step


def push_of(
    occurrence: Occurrence,
    step: Step,
    bound: Bound,
    constants: Constants,
    horizon: str,
) -> Push | None:
    """What a list's server can do of the query.

    Any server's list can be left off early. Filters are sent only where the document names the header of the list's
    version, as ours does.
    """
    paging, table = step.method.paging, occurrence.table
    if not (paging or step.method.cursor) or (paging and paging.page in step.arguments):
        return None

    def is_own(node: exp.Expr) -> bool:
        return isinstance(node, exp.Column) and bound.owner(node) is occurrence

    filterable = step.method.columns if paging and paging.version_header else ()
    translator = Translator(filterable, constants, horizon, is_own)
    settled = {id(c) for c in _settled(occurrence, step)}
    conditions = [c for c in bound.scope.conditions_of(table) if id(c) not in settled]
    anywhere, own = translator.filters(
        conditions, outer=bound.scope.outer_joined(table)
    )
    push = Push(anywhere, own)
    select = table.find_ancestor(exp.Select)
    if select is not None and _is_alone(select, table):
        push = _narrowed(push, select, translator, constants)
    counted = paging is not None and paging.results_key is not None
    return push if counted else replace(push, counts=False)


def _settled(occurrence: Occurrence, step: Step) -> Iterator[exp.Expr]:
    """Conditions that all rows of a step meet, since their parameters are what was asked for."""
    for name, conditions in occurrence.conditions.items():
        if name in step.shown:
            yield from (c for c in conditions if isinstance(bare(c), (exp.EQ, exp.In)))


def _is_alone(select: exp.Select, table: exp.Table) -> bool:
    """Whether a SELECT reads nothing but a table, and gives each of its rows that meets WHERE, once."""
    clauses = {"expressions", "from_", "where", "order", "limit", "offset"}
    plain = has_only(select, clauses) and has_only(table, TABLE)
    if not plain or table.alias_column_names:
        return False
    from_ = select.args.get("from_")
    if not from_ or from_.this is not table:
        return False
    # A function that isn't known may give several rows or none, and REPLACE gives another value the column's name.
    several = (exp.Unnest, exp.Explode, exp.Anonymous, exp.Window, exp.Query)
    if any(p.find(*several) or _renames(p) for p in select.expressions):
        return False
    aggregates = (p.find(exp.AggFunc) for p in select.expressions)
    return all(isinstance(node, exp.Count | None) for node in aggregates)


def _renames(projection: exp.Expr) -> bool:
    star = projection.find(exp.Star)
    return bool(star and (star.args.get("replace") or star.args.get("rename")))


def _narrowed(
    push: Push, select: exp.Select, translator: Translator, constants: Constants
) -> Push:
    """The same with the order and the number of rows, or with the count, that the SELECT wants."""
    counted = [p.unalias() for p in select.expressions if p.find(exp.AggFunc)]
    if counted:
        alone = len(select.expressions) == 1 and _counts_rows(counted[0])
        cut = select.args.get("limit") or select.args.get("offset")
        return replace(push, counts=alone and not cut)
    wanted = _rows_wanted(select, constants)
    order = select.args.get("order")
    if wanted is None or (order and len(order.expressions) != 1):
        return push
    by = _ordered_by(order.expressions[0], translator) if order else None
    return push if order and by is None else replace(push, order=by, limit=wanted)


def _ordered_by(
    ordered: exp.Ordered, translator: Translator
) -> tuple[str, bool] | None:
    """The field that the server can order by, and whether downwards; None where that isn't what the query means."""
    column = bare(ordered.this)
    if isinstance(column, exp.Column) and names_output(column):
        return None
    return translator.order(ordered)


def _counts_rows(projection: exp.Expr) -> bool:
    star = isinstance(projection, exp.Count) and projection.this
    return isinstance(star, exp.Star) and not any(star.args.values())


def _rows_wanted(select: exp.Select, constants: Constants) -> int | None:
    """LIMIT and OFFSET together, None where there is no LIMIT of so many rows."""
    limit, offset = select.args.get("limit"), select.args.get("offset")
    if not isinstance(limit, exp.Limit) or not has_only(limit, {"expression"}):
        return None
    given = [limit.expression, *([offset.expression] if offset else [])]
    if not all(constants.is_constant(each) for each in given):
        return None
    counts = [constants.value(each) for each in given]
    whole = [n for n in counts if isinstance(n, int) and not isinstance(n, bool)]
    return sum(whole) if len(whole) == len(counts) else None
