"""Local tables and files: statements that DuckDB does itself, over rows of resources too."""

from contextlib import AbstractContextManager

from sqlglot import exp

from patql.engine import query
from patql.engine.failures import no_files
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import Local
from patql.kernel.errors import Code, SqlError

_DONE = {
    "INSERT": "inserted",
    "UPDATE": "updated",
    "DELETE": "deleted",
    "TRUNCATE": "deleted",
}
_TYPES = {"TRUNCATE": "DELETE"}
"""DuckDB's types of statements, where they aren't the first word."""


def run(statement: Local, state: State) -> Result:
    """Change local tables, or copy rows from or to a file.

    In a dry run, what would last is only checked: files, and the tables of a DuckDB file. Tables that go with the session
    are made, since statements that come later read them.

    Raises:
        SqlError: it can't be run as written; nothing was asked of a server then, and nothing is changed.
        PatqlError: a server didn't answer for all of the rows that it reads.
    """
    check(statement, state)
    if state.options.dry_run and _lasts(statement, state):
        return _checked(statement, state)
    verb = statement.kind.partition(" ")[0]
    was_there = verb in ("CREATE", "DROP") and state.is_local(statement.target)
    with accepting(statement, state):
        result = query.settled(lambda: _rows(statement, state), state)
    if statement.tree is not None and statement.tree.args.get("returning"):
        count = len(result.rows())
        result.message = f"{_counted(count)} {_DONE[verb]}"
        return result
    if verb == "CREATE" and was_there and _if_not_exists(statement.tree):
        return Result(message=f"{'.'.join(statement.target)} was there already")
    if verb == "DROP" and not was_there:
        return Result(message=f"{'.'.join(statement.target)} wasn't there")
    return Result(message=_message(statement, verb, result, state))


def _lasts(statement: Local, state: State) -> bool:
    """Whether what a statement does is there when the session is over."""
    is_file = statement.kind == "COPY" and not statement.target
    return is_file or state.options.local is not None


def _checked(statement: Local, state: State) -> Result:
    """What a statement would do, of which nothing is done."""
    verb = statement.kind.partition(" ")[0]
    tree, text = statement.tree, statement.text
    if tree is not None and not (isinstance(tree, exp.Create) and not tree.expression):
        with state.relational.accepting(_TYPES.get(verb, verb)):
            prepared = query.prepare(
                tree.copy(), state, text=text, execs=statement.execs
            )
            state.relational.describe(prepared.sql, placed=prepared.as_written)
    told = ".".join(statement.target) or f"to {_file(statement, state)}"
    return Result(
        message=f"dry run: {statement.kind} {told} isn't run, as it would last"
    )


def _rows(statement: Local, state: State) -> Result:
    prepared = prepare(statement, state)
    if prepared is None:
        state.check()
        return Result(*state.relational.run(statement.text or ""))
    sql, placed = prepared.sql, prepared.as_written

    def work() -> Result:
        state.check()
        return Result(*state.relational.run(sql, placed=placed))

    return query.over(prepared, state, work)


def prepare(statement: Local, state: State) -> query.Prepared | None:
    """The statement over its views; None where it reads no rows.

    Raises:
        SqlError: it can't be run as written.
    """
    tree, text = statement.tree, statement.text
    if tree is None or (isinstance(tree, exp.Create) and tree.expression is None):
        return None
    prepared = query.prepare(tree.copy(), state, text=text, execs=statement.execs)
    if statement.kind == "CREATE VIEW" and prepared.steps:
        _refuse_view(statement)
    state.relational.describe(prepared.sql, placed=prepared.as_written)
    return prepared


def accepting(statement: Local, state: State) -> AbstractContextManager[None]:
    """Lets the relational engine take statements of this kind."""
    verb = statement.kind.partition(" ")[0]
    return state.relational.accepting(_TYPES.get(verb, verb))


def check(statement: Local, state: State) -> None:
    """The statement is about local tables, and files only where they can be reached.

    Raises:
        SqlError: otherwise.
    """
    _check_target(statement, state)
    if statement.kind == "COPY" and not state.options.files:
        raise SqlError(Code.UNSUPPORTED, no_files(_file(statement, state)))


def _check_target(statement: Local, state: State) -> None:
    """A local table has a name of its own, outside the providers'.

    Raises:
        SqlError: it is a resource, or what stands where resources do.
    """
    name = statement.target
    told = ".".join(name)
    providers = {name.casefold() for name in state.catalog.names}
    is_resource = state.complete(name) != name
    if is_resource or (len(name) > 1 and name[0].casefold() in providers):
        message = f"{told} isn't a local table's name: {statement.kind} is for those, not for resources"
        raise SqlError(Code.UNSUPPORTED, message)
    if statement.kind == "REPLACE":
        message = f"REPLACE is for resources: {told} is changed by UPDATE, or by CREATE OR REPLACE TABLE"
        raise SqlError(Code.UNSUPPORTED, message)


def _if_not_exists(tree: exp.Expr | None) -> bool:
    """Whether CREATE leaves alone what is there; a temporary table may stand beside a lasting one of its name."""
    return tree is not None and bool(
        tree.args.get("exists") and not tree.find(exp.TemporaryProperty)
    )


def _refuse_view(statement: Local) -> None:
    told = ".".join(statement.target)
    message = f"{told} would outlive the rows of the resources in it: a view is over local tables alone"
    hint = f"CREATE TABLE {told} AS … keeps the rows that there are now."
    raise SqlError(Code.UNSUPPORTED, message, hint=hint)


def _message(statement: Local, verb: str, result: Result, state: State) -> str:
    told = ".".join(statement.target)
    kind = statement.kind.partition(" ")[2].lower()
    match verb:
        case "CREATE":
            return f"{kind} {told} made"
        case "DROP":
            return f"{kind} {told} dropped"
        case "ALTER":
            return f"{kind} {told} altered"
        case "COPY":
            way = "from" if statement.target else "to"
            file = _file(statement, state)
            return f"{_counted(_count(result))} copied {way} {file}"
        case _:
            return f"{_counted(_count(result))} {_DONE[verb]}"


def _count(result: Result) -> int:
    return int(result.rows()[0][0])


def _counted(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _file(statement: Local, state: State) -> str:
    """The name of COPY's file, which a variable may give."""
    file = statement.tree.args["files"][0] if statement.tree else exp.Null()
    if isinstance(file, exp.Placeholder):
        return state.variable(file.name)
    return str(file.this)
