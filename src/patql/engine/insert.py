"""INSERT: one request a row, in order. What was made is always returned, secrets included, before any error."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from patql.catalog.document import Access, Column, Method, Parameter
from patql.engine import query
from patql.engine.bind import Value, as_argument, resolve
from patql.engine.constants import Constants
from patql.engine.created import Created
from patql.engine.plan import choose
from patql.engine.request import build, locate, refuse, send
from patql.engine.result import Result, Row
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Insert
from patql.engine.values import distinct, field, to_json
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Request
from patql.kernel.interrupts import Held, held_off


def insert(statement: Insert, state: State) -> Iterator[Result]:
    """Create a row for each row of the source.

    Raises:
        PatqlError: a row failed; the rows made before it were given first, and those after it weren't tried.
    """
    resource = resolve(statement.target, state.catalog)
    creators = resource.by_access(Access.INSERT)
    targets = {name: _parameter(creators, name) for name in statement.columns}
    given = {p.name: "" for p in targets.values() if p}
    method = choose(resource, creators, dict[str, Value](given))
    fields = {n: field(resource, method, n) for n, p in targets.items() if p is None}
    distinct(statement.columns, [targets[n] or fields[n] for n in statement.columns])
    returning = Returning(
        resource, method, statement.target, statement.returning, state
    )
    rows = _source(statement, state)
    requests = [_request(method, targets, fields, row, state) for row in rows]
    created = Created(resource, method, returning, state)
    with (
        held_off() as held
    ):  # until the secrets have been delivered: the caller asks for more only then
        failure = _send_all(requests, created, state, held)
        if created or failure is None:
            yield from created.results()
    if failure is not None:
        raise _part_way(failure, len(created), len(requests))


def _parameter(methods: Sequence[Method], name: str) -> Parameter | None:
    return next((p for m in methods if (p := m.parameter(name))), None)


def _source(statement: Insert, state: State) -> list[Row]:
    if statement.source is None:
        return [()]
    prepared = query.prepare(statement.source, state)
    wanted, given = len(statement.columns), len(prepared.columns)
    if wanted != given:
        message = f"INSERT names {wanted} columns, and its source gives {given}"
        raise SqlError(Code.SYNTAX, message)
    return query.ask(prepared, state).rows()


def _request(
    method: Method,
    targets: dict[str, Parameter | None],
    fields: dict[str, Column],
    row: Row,
    state: State,
) -> Request:
    constants = Constants(state.relational)
    arguments: dict[str, Value] = {}
    body: dict[str, Any] = {}
    for (name, parameter), value in zip(targets.items(), row, strict=True):
        if parameter is None:
            body[fields[name].name] = to_json(fields[name], value, constants)
        elif (argument := as_argument(parameter, value)) is not None:
            arguments[parameter.name] = argument
        else:
            message = f"{parameter.name} takes {parameter.type}, not {value!r}"
            raise SqlError(Code.TYPE_MISMATCH, message)
    return build(method, arguments, msgspec.json.encode(body))


def _send_all(
    requests: list[Request], created: Created, state: State, held: Held
) -> PatqlError | None:
    transport = state.transport
    for request in requests:
        if held.take():
            return PatqlError(Code.CANCELLED, "interrupted")
        try:
            response = send(transport, request)
            if response.status >= 300:
                refuse(transport, request, response)
            created.add(response, locate(transport, request))
        except PatqlError as error:
            return error
        except KeyboardInterrupt:
            return PatqlError(
                Code.CANCELLED,
                "interrupted while a row was being made: it may be there, though its secret is lost",
            )
    return None


def _part_way(failure: PatqlError, done: int, all_rows: int) -> PatqlError:
    if all_rows == 1:
        return failure
    message = (
        f"row {done + 1} of {all_rows} failed: {failure.message}; "
        f"{done} done, 1 failed, {all_rows - done - 1} not tried"
    )
    return PatqlError(failure.code, message, hint=failure.hint)
