"""One statement to its results: which of the engine's verbs does it. Verbs are imported when they are first used."""

from collections.abc import Iterator
from typing import assert_never

from patql.engine import query
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import (
    Delete,
    Describe,
    DescribeMethod,
    Exec,
    Insert,
    Query,
    Show,
    ShowInsert,
    Statement,
    Update,
    Use,
)
from patql.kernel.errors import Code, SqlError


def execute(statement: Statement, state: State) -> Iterator[Result]:
    """Run one statement.

    Raises:
        PatqlError: it failed; what it did before is given first.
    """
    match statement:
        case Query():
            yield query.run(statement.tree, state, statement.text)
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
            message = "USE isn't accepted yet"
            raise SqlError(Code.UNSUPPORTED, message)
        case _:
            assert_never(statement)
