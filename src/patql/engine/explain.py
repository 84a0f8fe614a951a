"""EXPLAIN: what a statement would do, step by step; EXPLAIN ANALYZE: what a query has done.

EXPLAIN asks no server for anything.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

from sqlglot import exp

from patql.catalog.document import Column, Method, Resource
from patql.engine import local, query
from patql.engine.batch import MOST, is_ours, usable
from patql.engine.call import calling
from patql.engine.change import Changing, deleting, looker
from patql.engine.describe import describe, describe_method
from patql.engine.dryrun import MASK
from patql.engine.extensions import Extension, undecided
from patql.engine.insert import Making
from patql.engine.insert import prepare as prepare_source
from patql.engine.lines import texts
from patql.engine.operators import (
    Operator,
    computing,
    measured,
    outlined,
    planned,
    returned,
    scans,
)
from patql.engine.outline import at_once, listed, made, reading, request, values
from patql.engine.projection import fits
from patql.engine.quantities import duration, number
from patql.engine.query import Prepared
from patql.engine.result import Result
from patql.engine.show import show
from patql.engine.state import State
from patql.engine.statement import (
    Delete,
    Describe,
    DescribeMethod,
    Exec,
    Explain,
    Insert,
    Local,
    Query,
    Runnable,
    Show,
    ShowInsert,
    Update,
    Use,
)
from patql.engine.step import Step
from patql.engine.target import Target
from patql.engine.template import show_insert
from patql.kernel.errors import Code, SqlError

_LEFT = "compute: nothing"
_QUOTED = re.compile(r"'(?:''|[^'])*(?:'|$)")
"""A text in an expression, which may have been cut short."""


def explain(statement: Explain, state: State) -> Result:
    """The plan of a statement, one line a row; of a query that is run, with what each step has taken.

    Raises:
        SqlError: the statement can't be run as written; UNSUPPORTED for ANALYZE of anything but a query.
        PatqlError: where it is run, a server didn't answer for all of it.
    """
    inner = statement.statement
    if not statement.analyze:
        told = _Told(state)
        lines = [*_planned(inner, told), *told.scopes()]
    elif isinstance(inner, Query):
        lines = list(_analyzed(inner, state))
    else:
        message = "EXPLAIN ANALYZE runs the statement, and does so for a SELECT alone: this one may change something"
        hint = "EXPLAIN tells what it would do; --dry-run tells the requests."
        raise SqlError(Code.UNSUPPORTED, message, hint=hint)
    return texts(("plan",), [(line,) for line in lines])


class _Told:
    """What the parts of a plan have in common: the state, and the methods that are called."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._methods: list[Method] = []

    def calls(self, *methods: Method | None) -> None:
        """These may be called."""
        self._methods += (method for method in methods if method is not None)

    def scopes(self) -> Iterator[str]:
        """The scopes that all of it needs."""
        if self._methods:
            scopes = sorted({scope for m in self._methods for scope in m.scopes})
            yield f"scopes: {', '.join(scopes) if scopes else 'none, any token will do'}"


def _planned(statement: Runnable, told: _Told) -> Iterator[str]:
    state = told.state
    match statement:
        case Query():
            tree, text = statement.tree.copy(), statement.text
            prepared = query.prepare(tree, state, text=text, execs=statement.execs)
            yield from _read(prepared, told)
        case Local():
            yield from _local(statement, told)
        case Insert():
            yield from _insert(statement, told)
        case Update():
            changing = Changing(statement, state)
            verb = "replace" if statement.replaces else "update"
            reads = changing.target.reads(changing.selected)
            for prepared in reads:
                yield from _read(prepared, told, changing.fields)
            yield from _changed(verb, changing.target, told, _sets(changing.fields))
        case Delete():
            target, selected = deleting(statement, state)
            for prepared in target.reads(selected):
                yield from _read(prepared, told)
            last = _last(target.resource, state)
            yield from _changed("delete", target, told, last)
        case Exec():
            yield from _exec(statement, told)
        case _:
            _check(statement, state)
            yield "no request: the documents tell it"


def _check(
    statement: Show | ShowInsert | Describe | DescribeMethod | Use, state: State
) -> None:
    """What the documents tell can be told.

    Raises:
        SqlError: otherwise.
    """
    match statement:
        case Show():
            show(statement, state)
        case ShowInsert():
            show_insert(statement, state)
        case Describe():
            describe(statement, state)
        case DescribeMethod():
            describe_method(statement, state)
        case Use():
            pass


def _read(
    prepared: Prepared, told: _Told, sets: Sequence[Column] = ()
) -> Iterator[str]:
    """The steps of a query, then what is left to the relational engine; while the views are its own.

    Args:
        prepared: the query.
        told: what is known of the whole.
        sets: fields that its rows are the values of; texts in it may be secret by their schema.
    """
    operators = planned(_asked("FORMAT JSON", prepared, told.state))
    for step in prepared.steps:
        told.calls(step.method, step.instead.method if step.instead else None)
        yield from _step(step, prepared, operators, told.state)
    if prepared.chosen is not None and fits(prepared.chosen, prepared.columns):
        yield _LEFT
    else:
        secret = any(column.secret for column in sets)
        lines = outlined(operators)
        yield "compute"
        yield from _indented(map(_masked, lines) if secret else lines)


def _masked(line: str) -> str:
    return _QUOTED.sub(f"'{MASK}'", line)


def _step(
    step: Step, prepared: Prepared, operators: tuple[Operator, ...], state: State
) -> Iterator[str]:
    unread = step.streamed and not scans(operators)
    return reading(step, state, counts=prepared.counts, unread=unread)


def _asked(how: str, prepared: Prepared, state: State) -> str:
    """What the relational engine tells of a prepared statement."""
    relational = state.relational
    with relational.accepting("EXPLAIN"):
        sql = f"EXPLAIN ({how}) {prepared.sql}"
        _, rows = relational.run(sql, placed=False)
        return str(rows.fetchall()[0][1])


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _local(statement: Local, told: _Told) -> Iterator[str]:
    local.check(statement, told.state)
    with local.accepting(statement, told.state):
        prepared = local.prepare(statement, told.state)
    if prepared is None:
        yield f"{statement.kind}: done here, no request"
    else:
        yield from _read(prepared, told)


def _insert(statement: Insert, told: _Told) -> Iterator[str]:
    state = told.state
    making = Making(statement, state)
    fields = list(making.fields.values())
    source, method = statement.source, making.method
    rows = _rows(source)
    if source is not None:
        prepared = prepare_source(statement, source, state)
        if rows is None or prepared.steps:
            yield from _read(prepared, told, fields)
    told.calls(method)
    yield f"insert into {making.resource.id}"
    yield f"  method: {method.name}"
    yield f"  calls: {request(method)}"
    yield from _indented(_sets(fields))
    resource = making.resource
    yield from _indented(_sent(method, resource, rows, "row of the query", state))
    if method.secrets:
        yield f"  shown once: {listed(method.secrets)}"


def _sent(
    method: Method, resource: Resource, rows: int | None, each: str, state: State
) -> Iterator[str]:
    """The requests for some rows: how many there are, None where `each` is all that is known of that."""
    how = at_once(state)
    alone = f"one for each {each}, {how}" if rows is None else _many(rows, how)
    batch = usable(method, resource, state) if rows is None or rows > 1 else None
    if batch is None:
        yield f"requests: {alone}"
        return
    yield f"or for several: {batch.verb} {batch.path}"
    if rows is None:
        many = f"one for up to {MOST:,} of them, all or none"
        single = f"one for a single {each}, else {many}"
    else:
        count = -(-rows // MOST)
        many = single = f"{count:,}, all or none{'' if count == 1 else ' of each'}"
    if is_ours(resource, state):
        yield f"requests: {single}"
    else:
        yield f"requests: {alone}; of a server of ours {many}"


def _many(requests: int, how: str) -> str:
    return f"{requests:,}, {how}" if requests > 1 else f"{requests}"


def _rows(source: exp.Query | None) -> int | None:
    """How many rows a source has, where that is written: those of VALUES."""
    if source is None:
        return 1
    from_ = source.args.get("from_")
    values = from_.this if from_ else None
    plain = {key for key, value in source.args.items() if value} <= {
        "expressions",
        "from_",
        "kind",
    }
    return len(values.expressions) if plain and isinstance(values, exp.Values) else None


def _sets(fields: Sequence[Column]) -> Iterator[str]:
    if fields:
        yield f"sets: {listed([field.name for field in fields])}"


def _changed(
    verb: str, target: Target, told: _Told, more: Iterable[str]
) -> Iterator[str]:
    method, by, state = target.method, target.addressed, told.state
    told.calls(method, _reader(target.undecided))
    yield f"{verb} rows of {target.resource.id}"
    yield f"  method: {method.name}"
    yield f"  calls: {request(method)}"
    if by is None:
        sent = _sent(method, target.resource, None, "row found", state)
    elif by.queries:
        each = f"value that WHERE gives {listed(by.names)}"
        sent = _sent(method, target.resource, None, each, state)
    else:
        arguments = by.arguments()
        for name in by.names:
            given = dict.fromkeys(each[name] for each in arguments)
            yield from _indented(f"with: {text}" for text in values({name: [*given]}))
        sent = _sent(method, target.resource, len(arguments), "", state)
    yield from _indented((*sent, *_asked_first(target.undecided), *more))


def _reader(extension: Extension | None) -> Method | None:
    return extension.reader if extension else None


def _asked_first(extension: Extension | None) -> Iterator[str]:
    """How it is found out whether the server takes what only a server of ours does."""
    if extension is not None:
        told = f"whether the server is one of ours, which alone take {extension.name}"
        yield f"before: 1 by {extension.reader.name}, for {told}"


def _last(resource: Resource, state: State) -> Iterator[str]:
    """What becomes of the token that makes the request."""
    acting = state.transport_of(resource).acting
    if acting is not None and any(column.once for column in resource.columns):
        yield f"last: {acting}…, the token that this session itself uses, where it is among them"


def _exec(statement: Exec, told: _Told) -> Iterator[str]:
    state = told.state
    resource, method, arguments, _ = calling(statement, state)
    before = None
    if method.verb == "DELETE" and state.transport_of(resource).acting is not None:
        before = looker(resource, arguments)
    extension = undecided(method, arguments, resource, state)
    told.calls(before, method, _reader(extension))
    yield f"call {resource.id}"
    yield f"  method: {method.name}, since EXEC names it"
    yield f"  calls: {request(method)}"
    for text in values({name: [value] for name, value in arguments.items()}):
        yield f"  with: {text}"
    if isinstance(statement.body, dict) and statement.body:
        yield f"  sets: {listed([*statement.body])}"
    yield "  requests: 1"
    yield from _indented(_asked_first(extension))
    if before is not None:
        yield f"  before: 1 by {before.name}, for the session's own token may be meant"


def _analyzed(statement: Query, state: State) -> Iterator[str]:
    """A query's plan with what it has taken; its rows aren't kept."""
    begun = perf_counter()
    analysis = query.settled(lambda: _Analysis(statement, state), state)
    taken = perf_counter() - begun
    told = _Told(state)
    prepared, operators = analysis.prepared, analysis.operators
    for step, lines in zip(prepared.steps, analysis.steps, strict=True):
        told.calls(step.method, step.instead.method if step.instead else None)
        yield from lines
        meters = [meter for meter in state.meters if meter.view == step.view]
        if meters and meters[-1].method != step.method.name:
            yield f"  read by: {meters[-1].method}"
        yield f"  made: {made(meters)}"
    if operators:
        yield "compute"
        yield from _indented(outlined(operators))
        yield f"computed in: {duration(computing(operators))}"
    elif prepared.steps:
        yield _LEFT
    yield f"returned: {number(analysis.rows, 'row')} after {duration(taken)}"
    yield from told.scopes()


class _Analysis:
    """What came of running a query.

    Attributes:
        prepared: the query.
        steps: the lines about its steps, as they were planned.
        operators: what the relational engine did, as far as it was needed and can tell.
        rows: how many were returned.
    """

    def __init__(self, statement: Query, state: State) -> None:
        tree, text = statement.tree.copy(), statement.text
        self.prepared = prepared = query.prepare(
            tree, state, text=text, execs=statement.execs
        )
        before = planned(_asked("FORMAT JSON", prepared, state))
        self.steps = [
            list(_step(step, prepared, before, state)) for step in prepared.steps
        ]
        self.operators: tuple[Operator, ...] = ()
        self._state = state
        result = query.ask(prepared, state, self._compute)
        rows = sum(map(len, result.batches()))
        self.rows = returned(self.operators) if self.operators else rows

    def _compute(self) -> Result:
        told = _asked("ANALYZE, FORMAT JSON", self.prepared, self._state)
        self.operators = measured(told)
        if self.operators:
            return Result()
        sql, placed = self.prepared.sql, self.prepared.as_written
        return Result(*self._state.relational.run(sql, placed=placed))
