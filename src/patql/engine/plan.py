"""Bound names to steps: which method answers for each resource, with which arguments and columns."""

from collections.abc import Iterable, Sequence

import msgspec

from patql.catalog.document import Column, Method, Resource
from patql.engine.bind import Bound, Occurrence, Value
from patql.kernel.errors import Code, SqlError


class Step(msgspec.Struct, frozen=True):
    """One fetch, published to the relational engine as a view.

    Attributes:
        view: the view's name: provider, service, resource.
        method: the operation that is called.
        arguments: its parameters; a page given here is the only one read.
        columns: what is read of each row.
        given: parameters that are columns of each row, with their value.
        key: the column whose values must differ from row to row, None where the resource has none.
    """

    view: tuple[str, ...]
    method: Method
    arguments: dict[str, Value]
    columns: tuple[Column, ...]
    given: dict[str, Value]
    key: str | None


Plan = tuple[Step, ...]
"""The steps in the order in which they run; then the query, over their views."""


def make_plan(bound: Bound) -> Plan:
    """The fewest requests that answer for every resource of a query.

    Tables that ask the same of a resource share one step, which reads what any of them needs.

    Raises:
        SqlError: MISSING_PARAMETER where no method of a resource can be called.
    """
    steps: list[Step] = []
    for occurrence in bound.occurrences:
        method = choose(occurrence.resource, occurrence.readers, occurrence.arguments)
        step = _step(occurrence, method)
        twin = next(
            (s for s in steps if s.method is method and s.arguments == step.arguments),
            None,
        )
        if twin is not None:
            wider = tuple(
                c for c in method.columns if c in twin.columns or c in step.columns
            )
            steps[steps.index(twin)] = msgspec.structs.replace(twin, columns=wider)
            step = twin
        else:
            step = msgspec.structs.replace(step, view=_free_name(step.view, steps))
            steps.append(step)
        bound.point(occurrence, step.view)
    return tuple(steps)


def choose(
    resource: Resource, methods: Sequence[Method], given: dict[str, Value]
) -> Method:
    """The most specific method whose required parameters are all given, whatever the document's order.

    Raises:
        SqlError: MISSING_PARAMETER, listing each method with what it lacks; UNSUPPORTED where there is no method.
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
    return max(
        fitting,
        key=lambda m: (sum(m.parameter(n) is not None for n in plain), len(m.required)),
    )


def _is_key(methods: Iterable[Method], name: str) -> bool:
    found = (method.parameter(name) for method in methods)
    return any(parameter is not None and parameter.key_column for parameter in found)


def _step(occurrence: Occurrence, method: Method) -> Step:
    arguments = {n: v for n, v in occurrence.arguments.items() if method.parameter(n)}
    for name in occurrence.arguments:
        if name not in arguments and not _is_key(occurrence.readers, name):
            message = f"{method.name}, which answers for {occurrence.resource.id} here, takes no {name}"
            raise SqlError(Code.UNSUPPORTED, message)
    read = tuple(column for column in method.columns if occurrence.needs(column.name))
    return Step(
        tuple(occurrence.resource.id.split(".")),
        method,
        arguments,
        read or method.columns[:1],  # something must be read to count the rows
        {n: v for n, v in arguments.items() if not _is_key([method], n)},
        occurrence.resource.key if method.paging else None,
    )


def _free_name(view: tuple[str, ...], steps: Sequence[Step]) -> tuple[str, ...]:
    taken = sum(
        step.view[:2] == view[:2] and step.view[2].partition("#")[0] == view[2]
        for step in steps
    )
    return (*view[:2], f"{view[2]}#{taken + 1}") if taken else view
