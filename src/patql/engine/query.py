"""The path of a query: parse, bind, plan, fetch, relate. Each stage takes what the one before gave."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import arro3.core as arrow
import msgspec
from msgspec.structs import replace
from sqlglot import exp

from patql.engine.bind import Bound, bind
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.extracts import compare_extracts
from patql.engine.failures import UnknownColumnError
from patql.engine.fetch import ATTEMPTS, Fetch, WideningError, changing, count
from patql.engine.instants import WIRE, compare_instants
from patql.engine.listing import ChangedError
from patql.engine.names import nearest
from patql.engine.plan import make_plan
from patql.engine.projection import Chosen, chosen
from patql.engine.projection import answer as project
from patql.engine.reading import widening
from patql.engine.relate import quote
from patql.engine.result import Result, ResultColumn
from patql.engine.scope import place_of
from patql.engine.state import State
from patql.engine.statement import NESTED, Exec
from patql.engine.step import Plan
from patql.engine.stream import ReadAgainError, Stream
from patql.engine.views import never_from, publish, publish_empty
from patql.kernel.errors import Code, PatqlError, SqlError

T = TypeVar("T")


class Prepared(msgspec.Struct, frozen=True):
    """A statement that DuckDB has bound over its views.

    Attributes:
        steps: what fills the views.
        sql: its text.
        as_written: whether that is the text that was written.
        columns: what it will return; none where it isn't a query.
        chosen: the columns of its one step that it chooses, if that is all it does.
        counts: whether all it does is to count the rows of its one step.
    """

    steps: Plan
    sql: str
    as_written: bool
    columns: tuple[ResultColumn, ...]
    chosen: Chosen | None
    counts: bool


def run(
    tree: exp.Query,
    state: State,
    text: str | None = None,
    execs: Sequence[Exec] = (),
) -> Result:
    """Answer one query, as if every row of its resources had been in a table.

    Args:
        tree: the query.
        state: what it runs with.
        text: the query as it was written, which is what DuckDB is given if nothing in it had to change.
        execs: what the tables `exec#1`, `exec#2` and so on stand for.

    Raises:
        SqlError: it can't be run as written; nothing was asked of a server then.
        PatqlError: a server didn't answer for all of it.
    """
    return settled(
        lambda: ask(prepare(tree.copy(), state, text=text, execs=execs), state), state
    )


def settled(work: Callable[[], T], state: State) -> T:
    """What a piece of work gives once no value contradicts the types of its columns; it is begun again with wider ones.

    Raises:
        PatqlError: BAD_RESPONSE where that takes more than a few attempts.
    """
    for _ in range(ATTEMPTS):
        try:
            return work()
        except WideningError as found:
            described = {c.name: c for m in found.resource.methods for c in m.columns}
            for name, kind in found.wider.items():
                state.widened[found.resource.id, name] = kind
                note = widening(found.resource.id, described[name], kind)
                state.dialogue.note(note)
    try:
        return work()
    except WideningError as found:
        message = (
            f"{found.resource.id} sent values of {', '.join(found.wider)} that its document doesn't describe, "
            f"again after it was read with wider types {ATTEMPTS} times"
        )
        raise PatqlError(Code.BAD_RESPONSE, message) from None


def ask(
    prepared: Prepared, state: State, compute: Callable[[], Result] | None = None
) -> Result:
    """Fetch the rows of a prepared query's steps, and run it over them.

    Args:
        prepared: the query.
        state: what it runs with.
        compute: runs it otherwise than the relational engine would by itself, if that has to.

    Raises:
        SqlError: it fails on the data.
        PatqlError: a server didn't answer for all of it.
        WideningError: a value contradicts the type of its column.
    """
    if prepared.counts and (counted := _count(prepared, state)):
        return counted
    if prepared.chosen is not None:
        result = project(prepared.chosen, prepared.columns, prepared.steps, state)
        if result is not None:
            return result
    return over(prepared, state, compute or (lambda: _computed(prepared, state)))


def over(prepared: Prepared, state: State, work: Callable[[], T]) -> T:
    """What a piece of work gives over the views of a prepared statement's steps, filled as far as it reads them.

    Raises:
        SqlError: it fails on the data.
        PatqlError: a server didn't answer for all of it.
        WideningError: a value contradicts the type of its column.
    """
    steps = prepared.steps
    for _ in range(ATTEMPTS):
        try:
            return _streamed(steps, state, work)
        except ReadAgainError:
            steps = tuple(replace(step, streamed=False) for step in steps)
        except ChangedError:
            continue
    raise changing(prepared.steps[0].resource.id)


def _streamed(steps: Plan, state: State, work: Callable[[], T]) -> T:
    streams: list[Stream] = []
    fetches: list[Fetch] = []
    for step in steps:
        state.check()
        fetch = Fetch(step, state)
        fetches.append(fetch)
        if step.streamed:
            stream = Stream(fetch.schema, fetch.batches, state.relational.ask)
            streams.append(stream)
            publish(fetch.step, stream, state.relational, state.now)
        else:
            publish(fetch.step, fetch.table(), state.relational, state.now)
    state.check()
    try:
        result = work()
    except PatqlError:
        for stream in streams:
            if stream.error is not None:
                raise stream.error from None
        raise
    finally:
        for stream in streams:
            stream.close()
    for fetch in fetches:
        for note in fetch.notes():
            state.dialogue.note(note)
    return result


def answer(prepared: Prepared, state: State, tables: Sequence[arrow.Table]) -> Result:
    """Run a prepared query over the rows of its steps.

    Raises:
        SqlError: it fails on the data.
    """
    for step, table in zip(prepared.steps, tables, strict=True):
        publish(step, table, state.relational, state.now)
    return _computed(prepared, state)


def _computed(prepared: Prepared, state: State) -> Result:
    columns, rows = state.relational.run(prepared.sql, placed=prepared.as_written)
    return Result(columns, rows)


def _count(prepared: Prepared, state: State) -> Result | None:
    """The number of rows as the server tells it; None where it can't be trusted with that."""
    rows = count(prepared.steps[0], state)
    if rows is None:
        return None
    sql = f"SELECT CAST({rows} AS BIGINT) AS {quote(prepared.columns[0].name)}"
    return Result(*state.relational.run(sql, placed=False))


def prepare(
    tree: exp.Expr,
    state: State,
    *,
    text: str | None = None,
    steps: Plan | None = None,
    execs: Sequence[Exec] = (),
) -> Prepared:
    """Bind and plan a statement, and check it.

    Args:
        tree: the statement; it is changed on the way.
        state: what it runs with.
        text: as it was written.
        steps: where the rows come from elsewhere than a plan would take them.
        execs: what the tables `exec#1`, `exec#2` and so on stand for.

    Raises:
        SqlError: it can't be run as written.
    """
    try:
        return _prepare(tree, state, text, steps, execs)
    except RecursionError:
        raise SqlError(Code.SYNTAX, NESTED) from None


def _prepare(
    tree: exp.Expr,
    state: State,
    text: str | None,
    steps: Plan | None,
    execs: Sequence[Exec],
) -> Prepared:
    constants = Constants(state.relational)
    bound = bind(tree, state, constants, execs)
    if steps is None:
        plan = make_plan(bound, constants, never_from(state.now), state.widened)
    else:
        bound.rename_keys()
        plan = steps
    for step in plan:
        publish_empty(step, state.relational, state.now)
    compare_instants(bound, constants, state.relational)
    bound.changed |= compare_extracts(tree)
    # DuckDB is given the statement as it was written wherever that can be: what isn't rewritten can't change.
    as_written = text is not None and not bound.changed and "`" not in text
    sql = text if text is not None and as_written else tree.sql(DIALECT, comments=False)
    query = isinstance(tree, exp.Query)
    columns = _check(sql, bound, state, as_written=as_written) if query else ()
    counts = query and len(plan) == 1 and _counts(tree, plan)
    return Prepared(plan, sql, as_written, columns, chosen(bound, plan), counts)


def _counts(tree: exp.Expr, plan: Plan) -> bool:
    """Whether a whole query only counts the rows of its one step, which may be left to the server."""
    push, from_ = plan[0].push, tree.args.get("from_")
    if push is None or plan[0].values or plan[0].feed:
        return False
    return push.counts and bool(from_ and isinstance(from_.this, exp.Table))


def _check(
    sql: str, bound: Bound, state: State, *, as_written: bool
) -> tuple[ResultColumn, ...]:
    """Let DuckDB bind a query over its views, still empty, and say what is wrong in terms of the resources.

    Raises:
        SqlError: it doesn't bind.
    """
    try:
        return state.relational.describe(sql, placed=as_written)
    except UnknownColumnError as error:
        raise _with_names(error, bound) from None
    except SqlError as error:
        raise _with_cast(error, bound) from None


def _with_names(error: UnknownColumnError, bound: Bound) -> SqlError:
    known = {c.name: None for o in bound.occurrences for c in o.resource.columns}
    near = nearest(error.name, known)
    resources = " or ".join(dict.fromkeys(o.resource.id for o in bound.occurrences))
    # A column that is there, but not under that name where it was asked for: behind an alias, a subquery, another name.
    if not resources or error.name.casefold() in map(str.casefold, known):
        return error
    hint = (
        f"Did you mean {near[0]}?" if near else f"Its columns are {', '.join(known)}."
    )
    message = f"there is no column {error.name} in {resources}"
    named = (c for c in bound.tree.find_all(exp.Column) if c.name == error.name)
    line, column = error.line, error.column
    if line is None and (written := next(named, None)):
        line, column = place_of(written)
    return SqlError(Code.UNKNOWN_NAME, message, line=line, column=column, hint=hint)


def _with_cast(error: SqlError, bound: Bound) -> SqlError:
    if error.code is not Code.TYPE_MISMATCH or "type" not in error.message:
        return error
    instants = {
        c.name
        for o in bound.occurrences
        for c in o.resource.columns
        if c.format == WIRE
    }
    used = sorted(
        n for n in {c.name for c in bound.tree.find_all(exp.Column)} if n in instants
    )
    if not used:
        return error
    hint = (
        f"{used[0]} is text in the form 2026-03-01T09:30:00: write CAST({used[0]} AS TIMESTAMP) "
        "where a function or an operator needs a date."
    )
    return SqlError(error.code, error.message, hint=hint)
