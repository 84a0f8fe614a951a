"""Bound names to steps: which method answers for each resource, with which arguments and columns, and in what order."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Column, Method, Parameter, Resource
from patql.engine.bind import Bound, Occurrence, names_output
from patql.engine.constants import Constants
from patql.engine.feed import Feed, dependencies
from patql.engine.given import Arguments, Link, Values
from patql.engine.pushdown import Push, Translator
from patql.engine.scope import TABLE, bare, has_only
from patql.kernel.errors import Code, SqlError


class Step(msgspec.Struct, frozen=True):
    """One fetch, published to the relational engine as a view.

    Attributes:
        view: the view's name: provider, service, resource.
        method: the operation that is called.
        arguments: its parameters that have one value; a page given here is the only one read.
        columns: what is read of each row.
        given: parameters that are columns of each row, with their one value.
        key: the column whose values must differ from row to row of a list, None where the resource has none.
        resource: what is read.
        values: parameters that have several values, each asked for by a request of its own, or none at all.
        feed: the query that gives the values of further parameters, None where there are none.
        fed: parameters of `values` and `feed` that are columns of each row.
        shown: the names of the parameters that are columns of each row, in the document's order.
        push: what may be left to the server, None where nothing may.
        instead: the list to read where it takes fewer requests than asking for each row of `values` or `feed`.
        streamed: whether rows may be read once, as they come, since nothing else reads them.
        types: wider types of columns than the document's, by name.
    """

    view: tuple[str, ...]
    method: Method
    arguments: Arguments
    columns: tuple[Column, ...]
    given: Arguments
    key: str | None
    resource: Resource
    values: Values = {}
    feed: Feed | None = None
    fed: tuple[Parameter, ...] = ()
    shown: tuple[str, ...] = ()
    push: Push | None = None
    instead: "Step | None" = None
    streamed: bool = False
    types: Mapping[str, str] = {}


Planned = tuple[Step, list[Occurrence]]
"""A step, and the tables that read its rows."""

Plan = tuple[Step, ...]
"""The steps in the order in which they run; then the query, over their views."""


def make_plan(
    bound: Bound,
    constants: Constants,
    horizon: str,
    widened: Mapping[tuple[str, str], str],
) -> Plan:
    """The fewest requests that answer for every resource of a query.

    Tables that ask the same of a resource share one step, which reads what any of them needs. A resource whose
    parameters come from the rows of others comes after those.

    Args:
        bound: the query.
        constants: evaluates what depends on no row.
        horizon: the date from which on dates mean "never", in the wire's form.
        widened: wider types of columns than the document's, by resource and name.

    Raises:
        SqlError: MISSING_PARAMETER where no method of a resource can be called.
    """
    planned: list[Planned] = []
    for occurrence, links in _in_order(bound):
        step = _step(occurrence, links, bound, constants, horizon)
        _join(planned, step, [occurrence])
    for step, readers in planned.copy():
        if step.instead and any(_is_twin(s, step.instead) for s, _ in planned):
            _read_with_list(planned, step, step.instead, readers)
    for step, readers in planned:
        for occurrence in readers:
            _check_parameters(occurrence, step, bound)
            _settle_hidden(occurrence, step, bound)
    bound.rename_keys()
    return tuple(
        _published(step, readers, n, planned, bound, widened)
        for n, (step, readers) in enumerate(planned)
    )


def _read_with_list(
    planned: list[Planned], step: Step, listed: Step, readers: list[Occurrence]
) -> None:
    """Read a step's rows from a list that is read anyway, as early as either: what they feed comes after both."""
    own = next(at for at, (other, _) in enumerate(planned) if other is step)
    twin = next(at for at, (other, _) in enumerate(planned) if _is_twin(other, listed))
    other, others = planned[twin]
    planned[min(own, twin)] = (_merged(other, listed), [*others, *readers])
    del planned[max(own, twin)]


def _join(planned: list[Planned], step: Step, readers: list[Occurrence]) -> None:
    """Plan one step more, as part of one that asks for the same where there is one."""
    for at, (twin, others) in enumerate(planned):
        if _is_twin(twin, step):
            planned[at] = (_merged(twin, step), [*others, *readers])
            return
    planned.append((step, readers))


def _published(
    step: Step,
    readers: list[Occurrence],
    at: int,
    planned: list[Planned],
    bound: Bound,
    widened: Mapping[tuple[str, str], str],
) -> Step:
    """A step under the name of its view, to which the tables that read it are pointed."""
    *path, name = step.view
    taken = sum(before.resource.id == step.resource.id for before, _ in planned[:at])
    view = (*path, f"{name}#{taken + 1}") if taken else step.view
    for occurrence in readers:
        bound.point(occurrence, view)
    types = {c: kind for (r, c), kind in widened.items() if r == step.resource.id}
    return replace(
        step,
        view=view,
        types=types,
        instead=step.instead and replace(step.instead, view=view, types=types),
        streamed=_is_read_once(readers, planned, bound),
    )


def _in_order(bound: Bound) -> Iterable[tuple[Occurrence, dict[str, Link]]]:
    """The occurrences, each after those that give its parameters, with the links that can give them then."""
    pending = dict(enumerate(bound.occurrences))
    needs = {
        id(link): dependencies(link, bound)
        for occurrence in bound.occurrences
        for links in occurrence.links.values()
        for link in links
    }
    while pending:
        ready = {n: _usable(o, needs, pending) for n, o in pending.items()}
        at = _next(pending, ready, needs)
        occurrence = pending.pop(at)
        yield occurrence, ready[at]


def _next(
    pending: dict[int, Occurrence],
    ready: dict[int, dict[str, Link]],
    needs: dict[int, set[int] | None],
) -> int:
    """Which occurrence to plan next: one that waits for nothing, else one that can be asked for as it is."""
    for at, occurrence in pending.items():
        waiting = (
            needs[id(link)] is not None and at not in (needs[id(link)] or ())
            for name, links in occurrence.links.items()
            if name not in ready[at] and name not in occurrence.values
            for link in links
        )
        if not any(waiting):
            return at
    for at, occurrence in pending.items():
        given = {*occurrence.values, *ready[at]}
        if any(given.issuperset(m.required) for m in occurrence.readers):
            return at
    return next(iter(pending))


def _usable(
    occurrence: Occurrence,
    needs: dict[int, set[int] | None],
    pending: Collection[int],
) -> dict[str, Link]:
    """For each parameter without a constant the first link that reads nothing which is still to be planned."""
    usable: dict[str, Link] = {}
    for name, links in occurrence.links.items():
        for link in links:
            need = needs[id(link)]
            met = need is not None and need.isdisjoint(pending)
            if met and name not in occurrence.values:
                usable.setdefault(name, link)
    return usable


def choose(
    resource: Resource, methods: Sequence[Method], given: Collection[str]
) -> Method:
    """The most specific method whose required parameters are all given, whatever the document's order.

    Raises:
        SqlError: MISSING_PARAMETER, listing each method with what it lacks; UNSUPPORTED where there is no method, or
            none that can be called rightly.
    """
    if not methods:
        raise SqlError(
            Code.UNSUPPORTED, f"{resource.id} has no method for this statement"
        )
    fitting = [m for m in methods if all(name in given for name in m.required)]
    if not fitting:
        lacking = "; ".join(
            f"{m.name} needs {', '.join(n for n in m.required if n not in given)}"
            for m in methods
        )
        message = f"{resource.id} can't be reached without more parameters: {lacking}"
        raise SqlError(Code.MISSING_PARAMETER, message)
    plain = [name for name in given if not _is_key(methods, name)]
    best = max(
        fitting,
        key=lambda m: (
            not m.unsupported,
            sum(m.parameter(n) is not None for n in plain),
            len(m.required),
        ),
    )
    if best.unsupported:
        message = f"{best.name} of {resource.id} can't be called: {best.unsupported[0]}"
        raise SqlError(Code.UNSUPPORTED, message)
    return best


def _is_key(methods: Iterable[Method], name: str) -> bool:
    found = (method.parameter(name) for method in methods)
    return any(parameter is not None and parameter.key_column for parameter in found)


def _step(
    occurrence: Occurrence,
    links: dict[str, Link],
    bound: Bound,
    constants: Constants,
    horizon: str,
) -> Step:
    resource, readers = occurrence.resource, occurrence.readers
    method = choose(resource, readers, [*occurrence.values, *links])
    step = _called(occurrence, method, links, bound)
    instead = _list_instead(step, occurrence, links, bound)
    if instead is not None:
        push = _push(occurrence, instead, bound, constants, horizon)
        instead = replace(instead, push=push)
    push = _push(occurrence, step, bound, constants, horizon)
    return replace(step, push=push, instead=instead)


def _list_instead(
    step: Step, occurrence: Occurrence, links: dict[str, Link], bound: Bound
) -> Step | None:
    """The list that has the rows which a step asks for one by one, by several keys; None where there is none."""
    keys = {p.name for p in step.method.parameters if p.key_column}
    if not keys:
        return None
    given = {name for name in (*occurrence.values, *links) if name not in keys}
    lists = [
        m
        for m in occurrence.readers
        if m.paging
        and not m.unsupported
        and given.issuperset(m.required)
        and all(m.parameter(name) for name in given)
    ]
    if not lists:
        return None
    listed = _called(occurrence, lists[0], links, bound)
    shows = (listed.given.keys(), listed.fed, _names(listed))
    return listed if shows == (step.given.keys(), step.fed, _names(step)) else None


def _names(step: Step) -> list[str]:
    return [column.name for column in step.columns]


def _links(step: Step) -> tuple[Link, ...]:
    return step.feed.links if step.feed else ()


def _called(
    occurrence: Occurrence, method: Method, links: dict[str, Link], bound: Bound
) -> Step:
    """The step that calls a method, with the parameters that it takes of those that are given."""
    taken = {n: v for n, v in occurrence.values.items() if method.parameter(n)}
    for name in occurrence.values:
        if name not in taken and not _is_key(occurrence.readers, name):
            message = f"{method.name}, which answers for {occurrence.resource.id} here, takes no {name}"
            raise SqlError(Code.UNSUPPORTED, message)
    wanted = [
        link
        for name, link in links.items()
        if (p := method.parameter(name))
        and (p.required or _is_no_column(p, occurrence))
    ]
    shown = [p for p in method.parameters if _is_no_column(p, occurrence)]
    several = {n: v for n, v in taken.items() if len(v) != 1}
    arguments = {n: v[0] for n, v in taken.items() if len(v) == 1}
    asked = {*several, *(link.parameter.name for link in wanted)}
    read = tuple(column for column in method.columns if occurrence.needs(column.name))
    return Step(
        view=tuple(occurrence.resource.id.split(".")),
        method=method,
        arguments=arguments,
        columns=read or method.columns[:1],  # something must be read to count the rows
        given={p.name: arguments[p.name] for p in shown if p.name in arguments},
        key=occurrence.resource.key if method.paging or method.cursor else None,
        resource=occurrence.resource,
        values=several,
        feed=Feed(wanted, bound) if wanted else None,
        fed=tuple(p for p in shown if p.name in asked),
        shown=tuple(p.name for p in shown if p.name in arguments or p.name in asked),
    )


def _is_no_column(parameter: Parameter, occurrence: Occurrence) -> bool:
    """Whether a parameter is a column of the rows only because it is given."""
    return parameter.key_column is None and occurrence.column(parameter.name) is None


def _push(
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


def _is_twin(one: Step, other: Step) -> bool:
    fed = one.feed or other.feed
    asked = (one.method, one.arguments, one.values)
    return not fed and asked == (other.method, other.arguments, other.values)


def _merged(one: Step, other: Step) -> Step:
    """One step for both: what either reads, and nothing left to the server that the other needs."""
    wider = tuple(
        c for c in one.method.columns if c in one.columns or c in other.columns
    )
    push = one.push if one.push == other.push else None
    instead = one.instead and replace(one.instead, columns=wider, push=None)
    return replace(one, columns=wider, push=push, instead=instead)


def _check_parameters(occurrence: Occurrence, step: Step, bound: Bound) -> None:
    """Each parameter that the query names as a column is one.

    Raises:
        SqlError: UNSUPPORTED for the first that isn't.
    """
    shown = {*step.given, *(parameter.name for parameter in step.fed)}
    for column in bound.tree.find_all(exp.Column):
        if bound.owner(column) is not occurrence:
            continue
        parameter = occurrence.parameter(column.name)
        if parameter is None or parameter.key_column or parameter.name in shown:
            continue
        if not names_output(column):
            message = (
                f"{parameter.name} is a parameter of {occurrence.resource.id}: give it as {parameter.name} = value, "
                f"{parameter.name} IN (…), or by a join"
            )
            raise SqlError(Code.UNSUPPORTED, message)


def _settle_hidden(occurrence: Occurrence, step: Step, bound: Bound) -> None:
    """Where a column of nested values has a required parameter's name, the server alone can check the parameter.

    `WHERE owner = 'ada'` asks for the rows of an owner, and the rows' column `owner` is an object.

    Raises:
        SqlError: UNSUPPORTED where that isn't one condition by itself, which the column would have to be compared for.
    """
    for parameter in step.method.parameters:
        name = parameter.name
        column = occurrence.column(name)
        hidden = column is not None and column.type in ("object", "array")
        if not hidden or not parameter.required:
            continue
        conditions = occurrence.conditions.get(name, [])
        named = {
            c.name.casefold() for each in conditions for c in each.find_all(exp.Column)
        }
        if name in occurrence.links or len(conditions) != 1 or len(named) != 1:
            message = (
                f"{name} is both a parameter of {occurrence.resource.id} and a column of nested values, "
                f"so it is given by one constant or a list of them: {name} = 'value', or {name} IN (…)"
            )
            raise SqlError(Code.UNSUPPORTED, message)
        conditions[0].replace(exp.true())
        bound.changed = True


def _is_read_once(
    readers: list[Occurrence], planned: Iterable[Planned], bound: Bound
) -> bool:
    """Whether one table alone reads a step's rows, once, and no feed does."""
    if len(readers) != 1:
        return False
    table = readers[0].table
    if table.find_ancestor(exp.CTE, exp.Lateral):
        return False
    at = bound.occurrences.index(readers[0])
    feeding = (
        dependencies(link, bound) or set[int]()
        for step, _ in planned
        for link in _links(step)
    )
    return all(at not in needed for needed in feeding)
