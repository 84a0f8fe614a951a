"""EXEC: one method, called by name; its answer as the API sends it."""

from collections.abc import Iterator
from typing import NoReturn

from sqlglot import exp

from patql.catalog.document import Method, Resource
from patql.engine.answers import Answers
from patql.engine.batch import Rows
from patql.engine.called import called
from patql.engine.change import is_own, warn_of_own
from patql.engine.created import Created
from patql.engine.dryrun import preview
from patql.engine.extensions import require
from patql.engine.found import Match
from patql.engine.given import Arguments
from patql.engine.ports import Transport
from patql.engine.request import build, locate, refuse, send
from patql.engine.result import Result
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Exec, Json, Variable
from patql.engine.step import choose
from patql.engine.values import distinct, encode, field
from patql.kernel.errors import Code, SqlError
from patql.kernel.http import Request, Response
from patql.kernel.interrupts import held_off


def call(statement: Exec, state: State) -> Iterator[Result]:
    """Call a method, whatever verb of SQL it has.

    Raises:
        SqlError: the method, a parameter or a field of the body isn't there, or is missing; nothing was sent then.
        PatqlError: the server refused.
    """
    resource, method, arguments, request = calling(statement, state)
    require(method, arguments, resource, state)
    if state.options.dry_run:
        alone = Rows(method, [arguments], [request], resource, state)
        yield preview(resource, method, alone, state)
        return
    if method.verb == "DELETE":
        _look_before(resource, arguments, state)
    sent = method.as_sent()
    provider, service, name = resource.id.split(".")
    table = exp.table_(name, service, provider, quoted=True)
    star = (exp.Star(),) if sent.columns else None
    returning = Returning(resource, sent, table, star, state)
    transport = state.transport_of(resource)
    where = locate(transport, request)
    if sent.secrets:
        created = Created(resource, sent, returning, state)
        with held_off():
            created.add(0, arguments, _answer(request, transport), where)
            yield from created.results()
        return
    response = _answer(request, transport)
    if not response.body or not sent.columns:
        yield Result(message=f"{method.name}: done")
        return
    answers = Answers(sent)
    answers.add(0, response.body, where)
    result = returning.rows(answers.table(), answers.types)
    for note in returning.told(answers.types):
        state.dialogue.note(note)
    yield result


def calling(
    statement: Exec, state: State
) -> tuple[Resource, Method, Arguments, Request]:
    """What an EXEC calls, and with what.

    Raises:
        SqlError: the method, a parameter or a field of the body isn't there, or is missing.
    """
    resource, method, arguments = called(statement, state.catalog)
    choose(resource, [method], arguments)
    body = _body(statement.body, resource, method)
    return resource, method, arguments, build(method, arguments, body)


def _answer(request: Request, transport: Transport) -> Response:
    response = send(transport, request)
    if response.status >= 300:
        refuse(transport, request, response)
    return response


def _body(given: Json | Variable | None, resource: Resource, method: Method) -> bytes:
    if isinstance(given, Variable):
        _refuse(given)
    if given is None:
        if method.body and method.body.required:
            message = f"{method.name} of {resource.id} needs @@json with {', '.join(method.body.required)}"
            raise SqlError(Code.MISSING_PARAMETER, message)
        return b"{}" if method.body else b""
    if method.body is None:
        message = f"{method.name} of {resource.id} takes no body"
        raise SqlError(Code.UNKNOWN_NAME, message)
    fields = [field(resource, method, name) for name in given]
    distinct(list(given), fields)
    pairs = zip(fields, given.values(), strict=True)
    return encode(method, {column.name: value for column, value in pairs})


def _refuse(variable: Variable) -> NoReturn:
    message = f"nothing gives ${variable.name} a value"
    raise SqlError(Code.MISSING_PARAMETER, message)


def _look_before(resource: Resource, arguments: Arguments, state: State) -> None:
    """Look at the row that is about to be deleted: it may be the token that this session uses."""
    if is_own(Match(arguments), resource, state):
        warn_of_own(resource, state)
