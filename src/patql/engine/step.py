"""One fetch: the method that is called, what it is called with, and what is read of its rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from patql.catalog.document import Column, Method, Parameter, Resource
from patql.engine.feed import Feed
from patql.engine.given import Arguments, Values
from patql.engine.pushdown import Push
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


Plan = tuple[Step, ...]
"""The steps in the order in which they run; then the query, over their views."""


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
    plain = [name for name in given if not is_key(methods, name)]
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


def is_key(methods: Iterable[Method], name: str) -> bool:
    """Whether a parameter of that name selects a row by its key."""
    found = (method.parameter(name) for method in methods)
    return any(parameter is not None and parameter.key_column for parameter in found)
