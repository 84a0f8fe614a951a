"""INSERT: one request a row, or one for many. What was made is always returned, secrets included, before any error."""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from patql.catalog.document import Access, Column, Method, Parameter, Resource
from patql.engine import query
from patql.engine.batch import Rows
from patql.engine.bind import resolve
from patql.engine.constants import Constants
from patql.engine.created import Created
from patql.engine.dryrun import preview
from patql.engine.given import Value, as_argument
from patql.engine.request import build, locate, refuse
from patql.engine.result import Result, Row
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Insert
from patql.engine.step import choose
from patql.engine.values import distinct, encode, field, takes, to_json
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Response
from patql.kernel.interrupts import Held, held_off


def insert(statement: Insert, state: State) -> Iterator[Result]:
    """Create a row for each row of the source.

    Raises:
        PatqlError: a row failed; the rows that were made were given first, and no more were begun after it.
    """
    making = Making(statement, state)
    resource, method = making.resource, making.method
    targets, fields = making.targets, making.fields
    returning = making.returning
    rows = _source(statement, state)
    constants = Constants(state.relational)
    made = [_arguments(targets, row) for row in rows]
    requests = [
        build(method, arguments, _body(method, fields, targets, row, constants))
        for arguments, row in zip(made, rows, strict=True)
    ]
    sent = Rows(method, made, requests, resource, state)
    if state.options.dry_run:
        yield preview(resource, method, sent, state)
        return
    created = Created(resource, method, returning, state)
    # Until the secrets have been delivered: the caller asks for more only then.
    with held_off() as held:
        failure = _send(sent, made, created, resource, state, held)
        try:
            if created or failure is None:
                yield from created.results()
        except PatqlError as error:
            failure = failure or error
    if failure is not None:
        raise failure


class Making:
    """How an INSERT makes a row.

    Attributes:
        resource: what gets it.
        method: what makes it.
        targets: the parameters of its columns, None for those that are fields of the body.
        fields: these fields.
        returning: what is returned of it.

    Raises:
        SqlError: the statement can't be run as written.
    """

    def __init__(self, statement: Insert, state: State) -> None:
        names = statement.columns
        self.resource = resource = resolve(statement.target, state.catalog)
        self.method, self.targets = method, targets = _method(resource, names)
        self.fields = fields = {
            n: field(resource, method, n) for n, p in targets.items() if p is None
        }
        distinct(names, [targets[n] or fields[n] for n in names])
        self.returning = Returning(
            resource, method, statement.target, statement.returning, state
        )


def _method(
    resource: Resource, columns: Sequence[str]
) -> tuple[Method, dict[str, Parameter | None]]:
    """What makes a row with these columns, and which of them are its parameters: the others are fields of its body."""
    creators = resource.by_access(Access.INSERT)
    targets = {name: _parameter(creators, name) for name in columns}
    given = [p.name for p in targets.values() if p]
    others = [name for name, parameter in targets.items() if parameter is None]
    fitting = [m for m in creators if all(takes(m, name) for name in others)]
    return choose(resource, fitting or creators, given), targets


def _parameter(methods: Sequence[Method], name: str) -> Parameter | None:
    return next((p for m in methods if (p := m.parameter(name))), None)


def _source(statement: Insert, state: State) -> list[Row]:
    if statement.source is None:
        return [()]
    source = statement.source
    return query.settled(
        lambda: query.ask(prepare(statement, source, state), state), state
    ).rows()


def prepare(statement: Insert, source: exp.Query, state: State) -> query.Prepared:
    """The query that gives the rows of an INSERT.

    Raises:
        SqlError: it can't be run as written, or doesn't give the columns that INSERT names.
    """
    prepared = query.prepare(source.copy(), state, execs=statement.execs)
    wanted, given = len(statement.columns), len(prepared.columns)
    if wanted != given:
        message = f"INSERT names {wanted} columns, and its source gives {given}"
        raise SqlError(Code.SYNTAX, message)
    return prepared


def _arguments(targets: dict[str, Parameter | None], row: Row) -> dict[str, Value]:
    arguments: dict[str, Value] = {}
    for parameter, value in zip(targets.values(), row, strict=True):
        if parameter is None:
            continue
        argument = as_argument(parameter, value)
        if argument is None:
            message = f"{parameter.name} takes {parameter.type}, not {value!r}"
            raise SqlError(Code.TYPE_MISMATCH, message)
        arguments[parameter.name] = argument
    return arguments


def _body(
    method: Method,
    fields: dict[str, Column],
    targets: dict[str, Parameter | None],
    row: Row,
    constants: Constants,
) -> bytes:
    if method.body is None:
        return b""
    pairs = zip(targets, row, strict=True)
    values = ((fields[name], value) for name, value in pairs if name in fields)
    return encode(method, {c.name: to_json(c, v, constants) for c, v in values})


def _send(
    rows: Rows,
    made: Sequence[dict[str, Value]],
    created: Created,
    resource: Resource,
    state: State,
    held: Held,
) -> PatqlError | None:
    """Make the rows, with these arguments; why not all of them were made."""
    requests, transport = rows.requests, state.transport_of(resource)

    def judge(at: int, response: Response) -> bool:
        if response.status >= 300:
            refuse(transport, requests[at], response)
        created.add(at, made[at], response, locate(transport, requests[at]))
        return True

    sending = rows.begin(judge, resource, state, held)
    sending.all()
    failure = sending.failure(lambda at: f"row {at + 1}")
    if failure is None or not sending.errors or len(requests) == 1:
        return failure
    message = f"row {min(sending.errors) + 1} of {len(requests)}: {failure.message}"
    return PatqlError(failure.code, message, hint=failure.hint)
