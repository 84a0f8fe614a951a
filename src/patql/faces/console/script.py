"""Running the statements of a script, and delivering what each gives."""

from collections.abc import Iterator

from patql.engine.result import Result
from patql.engine.session import Session
from patql.faces.console import stderr
from patql.faces.console.deliver import Delivery
from patql.faces.console.exits import BY_CODE, OK
from patql.kernel.errors import Code, PatqlError, ServerRefusedError


def run(
    session: Session, sql: str, delivery: Delivery, *, keep_going: bool = False
) -> int:
    """Run the statements in order and return the exit code: that of the first that failed.

    Args:
        session: where they run.
        sql: statements, separated by `;`.
        delivery: takes the results.
        keep_going: whether those after a failed one run too.
    """
    ended = OK
    try:
        statements = session.statements(sql)
    except PatqlError as error:
        return failed(error)
    for statement in statements:
        code = run_one(session.run(statement), delivery)
        ended = ended or code
        if code == BY_CODE[Code.CANCELLED] or (code and not keep_going):
            break
    return ended


def run_one(results: Iterator[Result], delivery: Delivery) -> int:
    """Deliver the results of a statement, and return its exit code."""
    try:
        for result in results:
            delivery.deliver(result)
    except PatqlError as error:
        return failed(error)
    except KeyboardInterrupt:
        return failed(PatqlError(Code.CANCELLED, "interrupted"))
    return OK


def failed(error: PatqlError) -> int:
    """Tell an error, and return the exit code that it stands for."""
    if isinstance(error, ServerRefusedError) and error.status == 401:
        error.hint = error.hint or "the token may be expired, revoked or lack a scope"
    stderr.tell_error(error)
    return BY_CODE[error.code]
