"""One statement to its results: which of the engine's verbs does it. Verbs are imported when they are first used."""

from collections.abc import Iterator
from typing import assert_never

from patql.engine import query
from patql.engine.result import Result
from patql.engine.session import Session
from patql.engine.statement import (
    Delete,
    Describe,
    Exec,
    Insert,
    Query,
    Show,
    Statement,
    Update,
)


def execute(statement: Statement, session: Session) -> Iterator[Result]:
    """Run one statement.

    Raises:
        PatqlError: it failed; what it did before is given first.
    """
    match statement:
        case Query():
            yield query.run(statement.tree, session, statement.text)
        case Insert():
            from patql.engine.insert import insert

            yield from insert(statement, session)
        case Update():
            from patql.engine.change import update

            yield from update(statement, session)
        case Delete():
            from patql.engine.change import delete

            yield from delete(statement, session)
        case Exec():
            from patql.engine.call import call

            yield call(statement, session)
        case Show():
            from patql.engine.show import show

            yield show(statement, session.catalog)
        case Describe():
            from patql.engine.show import describe

            yield describe(statement, session.catalog)
        case _:
            assert_never(statement)
