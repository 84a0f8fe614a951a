"""Running the statements of a script, and delivering what each gives."""

from collections.abc import Callable
from functools import partial

from patql.compose.target import EMBEDDED
from patql.engine.session import Session
from patql.faces.console import stderr
from patql.faces.console.deliver import Delivery
from patql.faces.console.exits import BY_CODE, OK
from patql.faces.console.progress import Progress
from patql.kernel.errors import Code, PatqlError, ServerRefusedError, SqlError


def run(
    session: Session,
    sql: str,
    delivery: Delivery,
    progress: Progress,
    *,
    keep_going: bool = False,
) -> int:
    """Run the statements in order and return the exit code: that of the first that failed.

    Args:
        session: where they run.
        sql: statements, separated by `;`.
        delivery: takes the results.
        progress: is shown while a statement runs.
        keep_going: whether those after a failed one run too.
    """
    ended = OK
    try:
        statements = session.statements(_checked(sql))
    except PatqlError as error:
        return _failed(error, session)
    for number, statement in enumerate(statements):
        begins = partial(session.beginning, sql, number)
        code = _run_one(session, statement, begins, delivery, progress)
        ended = ended or code
        if code == BY_CODE[Code.CANCELLED] or (code and not keep_going):
            break
    return ended


def _checked(sql: str) -> str:
    """The same text; bytes that aren't UTF-8 reach Python as lone surrogates (PEP 383)."""
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise PatqlError(
            Code.SYNTAX, f"the SQL isn't UTF-8, from character {error.start + 1} on"
        ) from error
    return sql


def _run_one(
    session: Session,
    statement: str,
    begins: Callable[[], tuple[int, int]],
    delivery: Delivery,
    progress: Progress,
) -> int:
    try:
        for result in progress.over(session.run(statement), session.state):
            delivery.deliver(result)
    except SqlError as error:
        return _failed(error.moved(*begins()), session)
    except PatqlError as error:
        return _failed(error, session)
    except KeyboardInterrupt:
        return _failed(PatqlError(Code.CANCELLED, "interrupted"), session)
    return OK


def _failed(error: PatqlError, session: Session) -> int:
    """Tell an error, and return the exit code that it stands for."""
    if isinstance(error, ServerRefusedError) and error.status == 429:
        error.hint = "the server takes requests again later than --retry waits"
    if isinstance(error, ServerRefusedError) and error.status == 401:
        error.hint = (
            "`patql init --recover` makes a new root token"
            if session.state.transport.target == EMBEDDED
            else "the token may be expired or revoked, or lack a scope"
        )
    stderr.tell_error(error)
    return BY_CODE[error.code]
