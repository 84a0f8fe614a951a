"""Bound names to steps: which method answers for each resource, with which arguments and columns, and in what order."""

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Method, Parameter
from patql.engine.bind import Bound, Occurrence, names_output
from patql.engine.constants import Constants
from patql.engine.feed import Feed, dependencies
from patql.engine.given import Link, Value
from patql.engine.narrowing import push_of
from patql.engine.scope import bare
from patql.engine.step import Plan, Step, choose, is_key
from patql.kernel.errors import Code, SqlError

Planned = tuple[Step, list[Occurrence]]
"""A step, and the tables that read its rows."""


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
        _join(planned, _as_twin(step, planned, bound), [occurrence])
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


def _as_twin(step: Step, planned: list[Planned], bound: Bound) -> Step:
    """A step that is fed by the parameters of one that is planned, as the same request; else the step as it is.

    `a.org = b.org AND a.org = 'blue'` asks for blue's rows once: those of `a` can feed `b` nothing else.
    """
    arguments, values, given = {**step.arguments}, {**step.values}, {**step.given}
    for link in _links(step):
        name = link.parameter.name
        found = _known(link, step, planned, bound)
        if found is None:
            return step
        if len(found) != 1:
            values[name] = found
            continue
        arguments[name] = found[0]
        if any(parameter.name == name for parameter in step.fed):
            given[name] = found[0]
    fed = tuple(parameter for parameter in step.fed if parameter.name in values)
    twin = replace(
        step, arguments=arguments, values=values, given=given, feed=None, fed=fed
    )
    return twin if any(_is_twin(other, twin) for other, _ in planned) else step


def _known(
    link: Link, step: Step, planned: list[Planned], bound: Bound
) -> tuple[Value, ...] | None:
    """The constants that the parameter to which a link leads was given, where that is the same one of another table."""
    column, name = bare(link.expression), link.parameter.name
    owner = bound.owner(column) if isinstance(column, exp.Column) else None
    parameter = owner.parameter(column.name) if owner else None
    if parameter is None or parameter.key_column or parameter.name != name:
        return None
    for other, readers in planned:
        if other.resource is step.resource and any(r is owner for r in readers):
            argument = other.arguments.get(name)
            return other.values.get(name) if argument is None else (argument,)
    return None


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


def _step(
    occurrence: Occurrence,
    links: dict[str, Link],
    bound: Bound,
    constants: Constants,
    horizon: str,
) -> Step:
    resource, readers = occurrence.resource, occurrence.readers
    try:
        method = choose(resource, readers, [*occurrence.values, *links])
    except SqlError as error:
        error.hint = error.hint or _apart(occurrence, bound)
        raise
    step = _called(occurrence, method, links, bound)
    instead = _list_instead(step, occurrence, links, bound)
    if instead is not None:
        push = push_of(occurrence, instead, bound, constants, horizon)
        instead = replace(instead, push=push)
    push = push_of(occurrence, step, bound, constants, horizon)
    return replace(step, push=push, instead=instead)


def _apart(occurrence: Occurrence, bound: Bound) -> str | None:
    """What would give parameters that are compared together, which gives none of them a value; None where none are."""
    for together in bound.tree.find_all(exp.Tuple):
        for column in together.expressions:
            own = isinstance(column, exp.Column) and bound.owner(column) is occurrence
            if own and (parameter := occurrence.parameter(column.name)):
                name = parameter.name
                return f"Compare each by itself: {name} = value, {name} IN (…), or in a join with rows that have all of them."
    return None


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
        if name not in taken and not is_key(occurrence.readers, name):
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
            full = any(join.side == "FULL" for join in bound.tree.find_all(exp.Join))
            but = " other than FULL" if full else ""
            message = (
                f"{parameter.name} is a parameter of {occurrence.resource.id}: give it as {parameter.name} = value, "
                f"{parameter.name} IN (…), or by a join{but}"
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
