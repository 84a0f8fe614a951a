"""EXEC: one method, called by name; its answer as the API sends it."""

from collections.abc import Iterator
from typing import NoReturn

import arro3.core as arrow
from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Method, Parameter, Resource
from patql.engine.change import warn_of_own
from patql.engine.created import Created
from patql.engine.decode import Decoder
from patql.engine.dryrun import preview
from patql.engine.given import Value, as_argument
from patql.engine.names import nearest
from patql.engine.ports import Transport
from patql.engine.request import build, locate, refuse, send
from patql.engine.result import Result
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Exec, Json, Variable
from patql.engine.usable import usable
from patql.engine.values import distinct, encode, field
from patql.kernel.errors import Code, SqlError
from patql.kernel.http import Request, Response
from patql.kernel.interrupts import held_off
from patql.kernel.secrets import SHOWN


def call(statement: Exec, state: State) -> Iterator[Result]:
    """Call a method, whatever verb of SQL it has.

    Raises:
        SqlError: the method, a parameter or a field of the body isn't there, or is missing; nothing was sent then.
        PatqlError: the server refused.
    """
    resource, method = _method(statement, state)
    arguments = _arguments(statement, resource, method)
    body = _body(statement.body, resource, method)
    request = build(method, arguments, body)
    if state.options.dry_run:
        yield preview(resource, method, [request], state)
        return
    if method.verb == "DELETE":
        _look_before(resource, arguments, state)
    sent = _as_sent(method)
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
    batch = Decoder(sent, sent.columns).read(response.body, where)
    yield returning.rows(arrow.Table.from_batches([batch]))


def _answer(request: Request, transport: Transport) -> Response:
    response = send(transport, request)
    if response.status >= 300:
        refuse(transport, request, response)
    return response


def _method(statement: Exec, state: State) -> tuple[Resource, Method]:
    told = ".".join(statement.name)
    if len(statement.name) != 4:
        message = f"{told} isn't of the form provider.service.resource.method"
        raise SqlError(Code.UNKNOWN_NAME, message)
    *path, name = statement.name
    resource = state.catalog.resource(*path)
    method = resource.method(name)
    if method is None:
        known = [m.name for m in resource.methods]
        hint = f"Did you mean {' or '.join(nearest(name, known) or known)}?"
        message = f"{resource.id} has no method {name}"
        raise SqlError(Code.UNKNOWN_NAME, message, hint=hint)
    usable(resource, [method])
    return resource, method


def _arguments(statement: Exec, resource: Resource, method: Method) -> dict[str, Value]:
    arguments: dict[str, Value] = {}
    for name, given in statement.arguments.items():
        parameter = method.parameter(name)
        if parameter is None:
            known = [p.name for p in method.parameters]
            takes = f"It takes {', '.join(known)}." if known else "It takes none."
            message = f"{method.name} of {resource.id} has no parameter {name}"
            raise SqlError(Code.UNKNOWN_NAME, message, hint=takes)
        arguments[parameter.name] = _argument(parameter, given)
    missing = [name for name in method.required if name not in arguments]
    if missing:
        message = f"{method.name} of {resource.id} needs {', '.join(f'@{m}' for m in missing)}"
        raise SqlError(Code.MISSING_PARAMETER, message)
    return arguments


def _argument(parameter: Parameter, given: object) -> Value:
    if isinstance(given, Variable):
        _refuse(given)
    value = as_argument(parameter, given)
    if value is None:
        told = "NULL" if given is None else repr(given)
        message = f"@{parameter.name} takes {parameter.type}, not {told}"
        raise SqlError(Code.TYPE_MISMATCH, message)
    return value


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


def _look_before(resource: Resource, arguments: dict[str, Value], state: State) -> None:
    """Look at the row that is about to be deleted: it may be the token that this session uses."""
    transport = state.transport_of(resource)
    if transport.acting is None:
        return
    for reader in resource.methods:
        keys = {p.name: p.key_column for p in reader.parameters if p.key_column}
        if reader.verb != "GET" or not keys or not keys.keys() <= arguments.keys():
            continue
        shown = [column for column in reader.columns if column.once]
        response = send(transport, build(reader, arguments))
        if response.status == 200 and shown:
            decoder = Decoder(reader, shown[:1], shown[0].name)
            tokens = decoder.keys(decoder.decode(response.body, reader.name).rows)
            if any(str(text)[:SHOWN] == transport.acting for text in tokens):
                warn_of_own(resource, state)
        return


def _as_sent(method: Method) -> Method:
    """The method with its response as one row: nothing unwrapped, and no date read as "never"."""
    columns = tuple(replace(column, never=False) for column in method.sent)
    return replace(method, columns=columns, object_key=None, paging=None)
