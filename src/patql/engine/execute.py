"""One statement to its results: which of the engine's verbs does it."""

from collections.abc import Iterator
from typing import assert_never

from patql.engine import call, change, insert, query, show
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
            yield from insert.insert(statement, session)
        case Update():
            yield from change.update(statement, session)
        case Delete():
            yield from change.delete(statement, session)
        case Exec():
            yield call.call(statement, session)
        case Show():
            yield show.show(statement, session.catalog)
        case Describe():
            yield show.describe(statement, session.catalog)
        case _:
            assert_never(statement)
