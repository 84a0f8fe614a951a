"""One statement to its results: which of the engine's verbs does it. Verbs are imported when they are first used."""

from collections.abc import Iterator
from typing import assert_never

import msgspec
from msgspec.structs import replace
from sqlglot import exp

from patql.engine import query
from patql.engine.lookup import service_named
from patql.engine.mutation import of_resource, target_of
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import (
    Delete,
    Describe,
    DescribeMethod,
    Exec,
    Explain,
    Insert,
    Json,
    Local,
    Query,
    Runnable,
    Scalar,
    Show,
    ShowInsert,
    Statement,
    Update,
    Use,
    Variable,
)
from patql.kernel.errors import Code, SqlError


def execute(statement: Statement, state: State) -> Iterator[Result]:
    """Run one statement.

    Raises:
        PatqlError: it failed; what it did before is given first.
    """
    if isinstance(statement, Explain):
        from patql.engine.explain import explain

        inner = resolve(statement.statement, state)
        yield explain(replace(statement, statement=inner), state)
    else:
        yield from _run(resolve(statement, state), state)


def _run(statement: Runnable, state: State) -> Iterator[Result]:
    match statement:
        case Query():
            yield query.run(statement.tree, state, statement.text, statement.execs)
        case Local():
            from patql.engine import local

            yield local.run(statement, state)
        case Insert():
            from patql.engine.insert import insert

            yield from insert(statement, state)
        case Update():
            from patql.engine.change import update

            yield from update(statement, state)
        case Delete():
            from patql.engine.change import delete

            yield from delete(statement, state)
        case Exec():
            from patql.engine.call import call

            yield from call(statement, state)
        case Show():
            from patql.engine.show import show

            yield show(statement, state)
        case ShowInsert():
            from patql.engine.template import show_insert

            yield show_insert(statement, state)
        case Describe():
            from patql.engine.describe import describe

            yield describe(statement, state)
        case DescribeMethod():
            from patql.engine.describe import describe_method

            yield describe_method(statement, state)
        case Use():
            yield use(statement, state)
        case _:
            assert_never(statement)


def use(statement: Use, state: State) -> Result:
    """USE: set what names may leave out.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names; what was set before stays.
    """
    first, *more = statement.name
    provider = state.catalog.provider(first).name
    services = [service_named(statement.name, state).name] if more else []
    state.default = (provider, *services)
    return Result(message=f"names may leave out {'.'.join(state.default)}")


def resolve(statement: Runnable, state: State) -> Runnable:
    """The statement with names completed by USE, and variables in EXEC replaced by their values.

    Raises:
        SqlError: a name means both a local table and a resource, or a body isn't JSON.
    """
    if isinstance(statement, Exec):
        return _resolve_exec(statement, state)
    if isinstance(statement, Local):
        statement = _resolve_target(statement, state)
    if isinstance(statement, (Query, Insert, Update, Delete, Local)):
        execs = tuple(_resolve_exec(each, state) for each in statement.execs)
        return replace(statement, execs=execs)
    return statement


def _resolve_target(statement: Local, state: State) -> Runnable:
    """A change of a resource, where USE completes the target's name to one."""
    whole = state.complete(statement.target)
    if len(whole) == len(statement.target) or not isinstance(
        statement.tree, (exp.Insert, exp.Update, exp.Delete)
    ):
        return statement
    tree = statement.tree.copy()
    target = target_of(tree)
    for key, name in zip(("catalog", "db", "this"), whole, strict=True):
        target.set(key, exp.to_identifier(name, quoted=True))
    replaces = statement.kind == "REPLACE"
    return of_resource(tree, statement.execs, replaces=replaces)


def _resolve_exec(statement: Exec, state: State) -> Exec:
    *resource, method = statement.name
    arguments: dict[str, Scalar | Variable] = {
        name: state.variable(value.name) if isinstance(value, Variable) else value
        for name, value in statement.arguments.items()
    }
    body = statement.body
    if isinstance(body, Variable):
        body = _body(body, state)
    return Exec((*state.complete(tuple(resource)), method), arguments, body)


def _body(variable: Variable, state: State) -> Json:
    try:
        body = msgspec.json.decode(state.variable(variable.name), type=Json)
    except msgspec.DecodeError as reason:
        message = f"@@json takes an object, which the value of ${variable.name} isn't: {reason}"
        raise SqlError(Code.SYNTAX, message) from None
    return body
