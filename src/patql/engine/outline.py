"""What a step will ask a server for, in words: the method and why it, how many requests, what is left to the server."""

import json
from collections.abc import Iterator, Mapping, Sequence
from math import prod

from patql.catalog.document import Access, Method
from patql.engine.given import Value
from patql.engine.meter import Meter
from patql.engine.pushdown import Filter
from patql.engine.quantities import duration, number, size
from patql.engine.request import written
from patql.engine.state import State
from patql.engine.step import Step
from patql.kernel.secrets import redact

NAMED = 5
"""How many values of a parameter, or other methods, are named."""

LONGEST = 200
"""Characters of a filter that are shown."""

_OURS = "a server of ours"
_MOST = "at most "
_NONE = "none, since no row can be wanted"


def reading(
    step: Step, state: State, *, counts: bool = False, unread: bool = False
) -> Iterator[str]:
    """The lines about a step: what it reads, then, indented, how.

    Args:
        step: the step.
        state: what the statement runs with.
        counts: whether only the number of rows is wanted.
        unread: whether no row will be, since none can meet the conditions.
    """
    view = ".".join(step.view)
    name = step.resource.id
    yield f"read {name}" if view == name else f"read {name}, as {view}"
    told = [
        ("method", f"{step.method.name}, {_why(step, state)}"),
        *(("not", text) for text in _others(step)),
        ("calls", request(step.method)),
        *(("with", text) for text in _given(step)),
        ("requests", _NONE if unread else _requests(step, state, counts=counts)),
        *_instead(step, state),
        *_pushed(step, state),
        ("columns", _columns(step)),
        ("rows", _kept(step, state)),
    ]
    for heading, text in told:
        yield f"  {heading}: {redact(text)}"
    if any(_OURS in heading or _OURS in text for heading, text in told):
        yield f"  note: its first answer tells whether it is {_OURS}, which is asked anew then"


def request(method: Method) -> str:
    """The request that calls a method, its parameters by name."""
    return f"{method.verb} {method.server or ''}{method.path}"


def values(given: Mapping[str, Sequence[Value]]) -> Iterator[str]:
    """Parameters, each with the values that it is given."""
    for name, several in given.items():
        more = len(several) - NAMED
        told = [written(value) for value in several[:NAMED]]
        told += [f"{more:,} more"] if more > 0 else []
        each = "" if len(told) == 1 else "each of "
        yield f"{name} = {each}{listed(told) if told else 'no value'}"


def made(meters: Sequence[Meter]) -> str:
    """What was asked for a step, each time that it was read."""
    return ", ".join(
        [
            number(sum(m.requests for m in meters), "request"),
            size(sum(m.bytes for m in meters)),
            number(sum(m.rows for m in meters), "row"),
            f"{sum(m.retries for m in meters):,} sent again",
            f"{duration(sum(m.waited for m in meters))} waiting",
            duration(sum(m.seconds for m in meters)),
        ]
    )


def at_once(state: State) -> str:
    """How many requests may be under way."""
    return f"at most {state.concurrency} at once"


def listed(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last


def _why(step: Step, state: State) -> str:
    readers = step.resource.by_access(Access.SELECT)
    if step.resource is not state.catalog.resource(*step.resource.id.split(".")):
        return "since EXEC names it"
    constant = [*step.arguments, *step.values]
    reasons = [f"the query gives {listed(constant)}"] if constant else []
    if step.feed is not None:
        fed = listed([link.parameter.name for link in step.feed.links])
        tables = step.feed.tables() or ["the query itself"]
        reasons.append(f"rows of {listed(tables)} give {fed}")
    if reasons:
        return f"since {listed(reasons)}"
    free = [m for m in readers if not m.required]
    if len(readers) == 1:
        return "the only method that reads"
    return f"the {'only' if len(free) == 1 else 'first'} method that needs no parameter"


def _others(step: Step) -> Iterator[str]:
    """Why it isn't another method."""
    given = {*step.arguments, *step.values, *_fed(step)}
    readers = step.resource.by_access(Access.SELECT)
    others = [m for m in readers if m.name != step.method.name]
    for other in others[:NAMED]:
        lacking = [name for name in other.required if name not in given]
        if other.unsupported:
            yield f"{other.name}, which can't be called"
        elif lacking:
            yield f"{other.name}, which needs {listed(lacking)}"
        elif given:
            yield f"{other.name}, which takes less of what the query gives"
    if len(others) > NAMED:
        yield number(len(others) - NAMED, "other method")


def _fed(step: Step) -> list[str]:
    return [link.parameter.name for link in step.feed.links] if step.feed else []


def _given(step: Step) -> Iterator[str]:
    """The values of the parameters, or what will give them."""
    given = {name: (value,) for name, value in step.arguments.items()}
    yield from values({**given, **step.values})
    if step.feed is not None:
        yield f"{listed(_fed(step))} = each of {step.feed.sql()}"


def _requests(step: Step, state: State, *, counts: bool) -> str:
    calls = prod(len(values) for values in step.values.values())
    if not calls:
        return _NONE
    pages, is_one = _pages(step, state)
    if counts and (counted := _counted(step, state)):
        return counted
    several: list[str] = []
    if calls > 1:
        several.append(f"each of {calls:,} values of {listed([*step.values])}")
    if step.feed is not None:
        several.append(f"each distinct value of {listed(_fed(step))}")
    if not several:
        is_few = is_one or pages.startswith(_MOST)
        told = pages if is_few else f"{pages}, {_pace(step, state)}"
        return f"{told}{_fewer(step, state)}"
    times = f"for {listed(several)}"
    if is_one and step.feed is None:
        return f"{calls:,}, one {times}, {at_once(state)}"
    each = f"one {times}" if is_one else f"{times} {pages}"
    return f"{each}, {at_once(state)}"


def _pace(step: Step, state: State) -> str:
    return at_once(state) if step.method.paging else "one after the other"


def _pages(step: Step, state: State) -> tuple[str, bool]:
    """How many requests one list takes, and whether that is one."""
    paging, cursor = step.method.paging, step.method.cursor
    if paging is None or paging.page in step.arguments:
        if cursor is None:
            return "1", True
        return "1, and one for each further page that an answer names", False
    rows = step.arguments.get(paging.size or "", paging.size_maximum)
    whole = f"1, and one for each further page{f' of {rows:,} rows' if rows else ''}"
    push = step.push
    if push is None or not isinstance(rows, int):
        return whole, False
    known = _is_ours(step, state)
    limit = push.rows(own=known)
    if limit is None:
        return whole, False
    most = _most(limit, rows)
    return ("1", True) if most == 1 else (f"{_MOST}{most:,}", False)


def _fewer(step: Step, state: State) -> str:
    """How many requests are enough where the server turns out to be one of ours."""
    paging, push = step.method.paging, step.push
    if paging is None or push is None or _is_ours(step, state):
        return ""
    rows = step.arguments.get(paging.size or "", paging.size_maximum)
    limit = push.rows(own=True)
    if push.rows(own=False) is not None or limit is None or not isinstance(rows, int):
        return ""
    most = _most(limit, rows) + 1  # its first page is asked for anew
    return f"; of {_OURS} {_MOST}{most:,}"


def _most(limit: int, rows: int) -> int:
    return max(1, -(-limit // rows))


def _counted(step: Step, state: State) -> str:
    """How many requests it takes to be told the number of rows; empty where that can't be."""
    push = step.push
    if push is None:
        return ""
    known = _is_ours(step, state)
    if push.filter(own=known).exact:
        return "1, whose answer tells how many rows there are"
    if known or not push.own.exact:
        return ""
    return f"{_pages(step, state)[0]}; of {_OURS} 2, since its answer tells how many rows there are"


def _instead(step: Step, state: State) -> Iterator[tuple[str, str]]:
    """The list that is read where it is shorter."""
    calls = prod(len(values) for values in step.values.values())
    listing = step.instead
    if listing is None or (step.feed is None and calls <= state.concurrency):
        return
    several = f"there are more than {state.concurrency} of these and "
    if step.feed is None:
        several = ""
    shorter = f"where {several}its first page tells that it has fewer pages"
    yield "or", f"{listing.method.name} ({request(listing.method)}), {shorter}"
    for heading, text in _pushed(listing, state):
        yield f"or with {heading}", text


def _pushed(step: Step, state: State) -> Iterator[tuple[str, str]]:
    """What the server leaves out, orders or stops at."""
    push = step.push
    if push is None:
        return
    known = _is_ours(step, state)
    if known or push.anywhere == push.own:
        yield from _filter("filter", push.own)
    else:
        yield from _filter("filter for any server", push.anywhere)
        yield from _filter(f"filter for {_OURS}", push.own)
    if push.order is not None and push.limit is not None:
        name, down = push.order
        whose = "" if known else f", by {_OURS}"
        yield "order", f"{name}, {'descending' if down else 'ascending'}{whose}"
    if push.limit is not None and push.rows(own=True) is not None:
        everywhere = known or push.rows(own=False) is not None
        whose = "" if everywhere else f", of {_OURS}"
        yield "limit", f"{number(push.limit, 'row')}{whose}"


def _filter(heading: str, filter_: Filter) -> Iterator[tuple[str, str]]:
    if filter_.json is not None:
        how = "exactly" if filter_.exact else "coarsely, and checked again"
        asked = json.dumps(filter_.json)
        yield heading, f"{_shortened(asked)} {how}"
    elif not filter_.exact:
        yield heading, "none, every condition is checked here"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _columns(step: Step) -> str:
    every, read = len(step.method.columns), [column.name for column in step.columns]
    if len(read) == every:
        return f"all {every}"
    return f"{', '.join(read)} (of {every})"


def _kept(step: Step, state: State) -> str:
    if not step.streamed:
        return "kept, since they are read more than once"
    one = not step.values and step.feed is None and _pages(step, state)[1]
    return "kept" if one else "streamed"


def _is_ours(step: Step, state: State) -> bool:
    """Whether the server is known to be one of ours."""
    return state.transport_of(step.resource).target in state.versioned
