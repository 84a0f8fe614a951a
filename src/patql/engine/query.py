"""The path of a query: parse, bind, plan, fetch, relate. Each stage takes what the one before gave."""

from collections.abc import Iterable

import arro3.core as arrow
import msgspec
from sqlglot import exp

from patql.engine.bind import Bound, bind, nearest
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.fetch import fetch
from patql.engine.instants import WIRE, compare_instants
from patql.engine.plan import Plan, make_plan
from patql.engine.projection import Chosen, chosen
from patql.engine.projection import answer as project
from patql.engine.relate import UnknownColumnError
from patql.engine.result import Result, ResultColumn
from patql.engine.state import State
from patql.engine.statement import NESTED
from patql.engine.views import publish, publish_empty
from patql.kernel.errors import Code, SqlError


class Prepared(msgspec.Struct, frozen=True):
    """A query that DuckDB has bound over its views.

    Attributes:
        steps: what fills the views.
        sql: its text.
        as_written: whether that is the text that was written.
        columns: what it will return.
        chosen: the columns of its one step that it chooses, if that is all it does.
    """

    steps: Plan
    sql: str
    as_written: bool
    columns: tuple[ResultColumn, ...]
    chosen: Chosen | None


def run(tree: exp.Query, state: State, text: str | None = None) -> Result:
    """Answer one query, as if every row of its resources had been in a table.

    Args:
        tree: the query; it is changed on the way.
        state: what it runs with.
        text: the query as it was written, which is what DuckDB is given if nothing in it had to change.

    Raises:
        SqlError: it can't be run as written; nothing was asked of a server then.
        PatqlError: a server didn't answer for all of it.
    """
    return ask(prepare(tree, state, text=text), state)


def ask(prepared: Prepared, state: State) -> Result:
    """Fetch the rows of a prepared query's steps, and run it over them.

    Raises:
        SqlError: it fails on the data.
        PatqlError: a server didn't answer for all of it.
    """
    if prepared.chosen is not None:
        result = project(prepared.chosen, prepared.columns, prepared.steps, state)
        if result is not None:
            return result
    tables = [
        fetch(step, state.transport, state.concurrency) for step in prepared.steps
    ]
    return answer(prepared, state, tables)


def prepare(
    tree: exp.Query,
    state: State,
    *,
    text: str | None = None,
    steps: Plan | None = None,
) -> Prepared:
    """Bind and plan a query, and check it; `steps` where the rows come from elsewhere than a plan would take them.

    Raises:
        SqlError: it can't be run as written.
    """
    try:
        return _prepare(tree, state, text, steps)
    except RecursionError:
        raise SqlError(Code.SYNTAX, NESTED) from None


def _prepare(
    tree: exp.Query, state: State, text: str | None, steps: Plan | None
) -> Prepared:
    constants = Constants(state.relational)
    bound = bind(tree, state.catalog, constants)
    plan = make_plan(bound) if steps is None else steps
    for step in plan:
        publish_empty(step, state.relational, state.now)
    compare_instants(bound, constants, state.relational)
    # DuckDB is given the statement as it was written wherever that can be: what isn't rewritten can't change.
    as_written = text is not None and not bound.changed and "`" not in text
    sql = text if text is not None and as_written else tree.sql(DIALECT, comments=False)
    columns = _check(sql, bound, state, as_written=as_written)
    return Prepared(plan, sql, as_written, columns, chosen(bound, plan))


def answer(prepared: Prepared, state: State, tables: Iterable[arrow.Table]) -> Result:
    """Run a prepared query over the rows of its steps.

    Raises:
        SqlError: it fails on the data.
    """
    for step, table in zip(prepared.steps, tables, strict=True):
        publish(step, table, state.relational, state.now)
    columns, rows = state.relational.run(prepared.sql, placed=prepared.as_written)
    return Result(columns, rows)


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
    return SqlError(
        Code.UNKNOWN_NAME, message, line=error.line, column=error.column, hint=hint
    )


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
