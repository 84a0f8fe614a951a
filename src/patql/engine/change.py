"""UPDATE and DELETE: read the rows that match, whatever the predicate, then act on each by its key."""

from collections.abc import Callable, Iterator, Sequence

import arro3.core as arrow
import msgspec
from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Access, Method, Resource
from patql.engine import query
from patql.engine.bind import Value, resolve
from patql.engine.constants import Constants
from patql.engine.created import counted, key_argument
from patql.engine.decode import Decoder
from patql.engine.fetch import fetch
from patql.engine.plan import choose
from patql.engine.request import build, is_missing, locate, refuse
from patql.engine.result import Result, Row
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Delete, Update
from patql.engine.values import distinct, field, to_json
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import SHOWN


class Match(msgspec.Struct, frozen=True):
    """A row that a predicate found: the arguments that select it alone, and what was read of it, its key first."""

    arguments: dict[str, Value]
    row: Row


class Outcome(msgspec.Struct):
    """How far a statement came: the answers of the rows that it changed, and why it stopped, if it did."""

    answers: list[tuple[Match, Request, Response]]
    gone: int = 0
    tried: int = 0
    failure: PatqlError | None = None


def update(statement: Update, state: State) -> Iterator[Result]:
    """Change each row that matches, by the document's UPDATE, or by a PATCH or PUT on the path of one row.

    Raises:
        PatqlError: a row failed; how many were changed before it was told first.
    """
    resource = resolve(statement.target, state.catalog)
    key = _key(resource, "UPDATE")
    method = _updater(resource, [name for name, _ in statement.assignments])
    names = [name for name, _ in statement.assignments]
    fields = [field(resource, method, name) for name in names]
    distinct(names, fields)
    returning = Returning(
        resource, method, statement.target, statement.returning, state
    )
    _consent(statement.where, "UPDATE", "changes", resource, state)
    values = [value.copy() for _, value in statement.assignments]
    matches = Found(
        statement, [exp.column(key, quoted=True), *values], method, state
    ).matches
    constants = Constants(state.relational)
    requests: list[Request] = []
    for match in matches:
        pairs = zip(fields, match.row[1:], strict=True)
        body = {
            column.name: to_json(column, value, constants) for column, value in pairs
        }
        requests.append(build(method, match.arguments, msgspec.json.encode(body)))
    outcome = _act(method, matches, requests, state)
    yield from _told(
        outcome, "updated", lambda: _changed(method, outcome, returning, state)
    )
    _raise_failure(outcome, len(matches))


def _changed(
    method: Method, outcome: Outcome, returning: Returning, state: State
) -> Result:
    """The rows as the responses of an UPDATE hold them, as far as the statement returns them."""
    if not returning.wanted:
        return Result()
    decoder = Decoder(method, method.columns)
    batches: list[arrow.RecordBatch] = []
    for _, request, response in outcome.answers:
        where = locate(state.transport, request)
        batches.append(decoder.read(response.body, where))
    return returning.rows(arrow.Table.from_batches(batches, schema=decoder.schema))


def delete(statement: Delete, state: State) -> Iterator[Result]:
    """Delete each row that matches; RETURNING gives them as they were.

    Raises:
        PatqlError: a row failed; how many were deleted before it was told first.
    """
    resource = resolve(statement.target, state.catalog)
    key = _key(resource, "DELETE")
    deleters = resource.by_access(Access.DELETE)
    method = choose(resource, deleters, key_argument(deleters, ""))
    _consent(statement.where, "DELETE", "deletes", resource, state)
    secrets = [column.name for column in resource.columns if column.once]
    selected = [exp.column(name, quoted=True) for name in (key, *secrets)]
    found = Found(statement, selected, method, state)
    matches = sorted(found.matches, key=lambda match: _is_acting(match, state))
    if matches and _is_acting(matches[-1], state):
        warn_of_own(state)
    requests = [build(method, match.arguments) for match in matches]
    outcome = _act(method, matches, requests, state)
    yield from _told(outcome, "deleted", lambda: found.returning(key, outcome))
    _raise_failure(outcome, len(matches))


class Found:
    """The rows that a statement's predicate finds.

    Args:
        statement: the UPDATE or DELETE.
        selected: what to read of each row, its key first.
        method: what will act on each; its parameter that selects one row takes the key.
        state: what it runs with.

    Raises:
        SqlError: the predicate, or RETURNING, can't be run as written.
        PatqlError: a server didn't answer for all rows.
    """

    def __init__(
        self,
        statement: Update | Delete,
        selected: Sequence[exp.Expr],
        method: Method,
        state: State,
    ) -> None:
        self._table = statement.target
        self._projections = statement.returning
        self._state = state
        tree = self._select(selected)
        if statement.where is not None:
            tree = tree.where(statement.where.copy())
        prepared = query.prepare(tree, state)
        if len(prepared.columns) != len(selected):
            raise SqlError(Code.SYNTAX, "SET takes one value for each column")
        self._steps = prepared.steps
        if isinstance(statement, Delete) and statement.returning:
            self._read_whole(statement.returning)
        self._tables = [
            fetch(s, state.transport, state.concurrency) for s in self._steps
        ]
        rows = query.answer(prepared, state, self._tables).rows()
        given = self._steps[0].arguments
        self.matches = [
            Match({**given, **key_argument([method], row[0])}, row) for row in rows
        ]
        if len({row[0] for row in rows}) != len(rows):
            raise SqlError(Code.EVALUATION, "SET gives a row more than one value")

    def returning(self, key: str, outcome: Outcome) -> Result:
        """What the statement returns of the rows that were changed, as they were when they were found.

        Raises:
            SqlError: it fails on the data.
        """
        if self._projections is None:
            return Result()
        keys = [match.row[0] for match, *_ in outcome.answers]
        chosen = [exp.convert(value) for value in keys] or [exp.null()]
        tree = self._select(self._projections).where(
            exp.column(key, quoted=True).isin(*chosen)
        )
        prepared = query.prepare(tree, self._state, steps=self._steps)
        return query.answer(prepared, self._state, self._tables)

    def _read_whole(self, projections: Sequence[exp.Expr]) -> None:
        """Read every column of the rows, and check RETURNING before anything is sent."""
        self._steps = tuple(
            replace(step, columns=step.method.columns) for step in self._steps
        )
        query.prepare(self._select(projections), self._state, steps=self._steps)

    def _select(self, projections: Sequence[exp.Expr]) -> exp.Select:
        return exp.select(*(p.copy() for p in projections)).from_(self._table.copy())


def _key(resource: Resource, verb: str) -> str:
    if resource.key is None:
        message = f"{verb} acts on rows by their key, and {resource.id} has none"
        raise SqlError(Code.UNSUPPORTED, message)
    return resource.key


def _updater(resource: Resource, names: Sequence[str]) -> Method:
    """The document's UPDATE; else the PATCH, else the PUT, on the path of the GET that selects one row."""
    if updaters := resource.by_access(Access.UPDATE):
        return choose(resource, updaters, key_argument(updaters, ""))
    readers = resource.by_access(Access.SELECT)
    paths = {m.path for m in readers if any(p.key_column for p in m.parameters)}
    for verb in ("PATCH", "PUT"):
        for method in resource.methods:
            if method.verb == verb and method.path in paths:
                _require_whole(resource, method, names)
                return method
    raise SqlError(Code.UNSUPPORTED, f"{resource.id} has no method that changes a row")


def _require_whole(resource: Resource, method: Method, names: Sequence[str]) -> None:
    given = {name.casefold() for name in names}
    required = method.body.required if method.body else ()
    lacking = [name for name in required if name.casefold() not in given]
    if method.verb == "PUT" and lacking:
        message = f"{method.name} replaces the whole row of {resource.id}, so SET must also give {', '.join(lacking)}"
        raise SqlError(Code.MISSING_PARAMETER, message)


def _consent(
    where: exp.Expr | None,
    verb: str,
    does: str,
    resource: Resource,
    state: State,
) -> None:
    question = f"{verb} without WHERE {does} every row of {resource.id}. Go on?"
    if where is None and not state.dialogue.confirm(question, otherwise=False):
        message = f"{verb} without WHERE {does} every row of {resource.id}: add WHERE, or say --yes"
        raise SqlError(Code.UNBOUNDED, message)


def _is_acting(match: Match, state: State) -> bool:
    acting = state.transport.acting
    return acting is not None and any(
        str(text)[:SHOWN] == acting for text in match.row[1:]
    )


def warn_of_own(state: State) -> None:
    """The token that makes the request may delete itself, but not unnoticed.

    Raises:
        PatqlError: DECLINED where the person thought better of it.
    """
    own = f"{state.transport.acting} is the token that this session itself uses"
    state.dialogue.note(f"{own}: once it is deleted, every further request is refused")
    if not state.dialogue.confirm(f"{own}. Delete it?", otherwise=True):
        raise PatqlError(Code.DECLINED, "nothing was deleted")


def _act(
    method: Method, matches: list[Match], requests: list[Request], state: State
) -> Outcome:
    """Send the requests, some at once; after a failure no more are begun."""
    outcome = Outcome([])
    size = state.concurrency
    for start in range(0, len(requests), size):
        if outcome.failure is not None:
            break
        _send_some(
            method,
            matches[start : start + size],
            requests[start : start + size],
            outcome,
            state,
        )
    return outcome


def _send_some(
    method: Method,
    matches: list[Match],
    requests: list[Request],
    outcome: Outcome,
    state: State,
) -> None:
    transport = state.transport
    outcome.tried += len(requests)
    answers = transport.send(requests, state.concurrency)
    try:
        for match, request, response in zip(matches, requests, answers, strict=True):
            if is_missing(method, match.arguments, response):
                outcome.gone += (
                    1  # since it was read; nothing is left to do, and nothing was done
                )
                continue
            if response.status < 300:
                outcome.answers.append((match, request, response))
                continue
            try:
                refuse(transport, request, response)
            except PatqlError as error:
                outcome.failure = outcome.failure or error
    except PatqlError as error:
        outcome.failure = outcome.failure or error
    except KeyboardInterrupt:
        outcome.failure = PatqlError(
            Code.CANCELLED, "stopped while rows were being changed"
        )


def _told(
    outcome: Outcome, done: str, returned: Callable[[], Result]
) -> Iterator[Result]:
    """What was done, with the rows that are returned of it; where RETURNING fails on them, what was done and the error."""
    failure: PatqlError | None = None
    try:
        result = returned()
    except PatqlError as error:
        result, failure = Result(), error
    result.message = counted(len(outcome.answers), done)
    yield result
    if failure is not None and outcome.failure is None:
        raise failure


def _raise_failure(outcome: Outcome, matched: int) -> None:
    if outcome.failure is None:
        return
    done = len(outcome.answers)
    failed = outcome.tried - outcome.gone - done
    left = matched - outcome.tried
    message = (
        f"{outcome.failure.message}; {done} done, {failed} failed, {left} not tried"
    )
    told = outcome.failure.message if matched == 1 else message
    raise PatqlError(outcome.failure.code, told, hint=outcome.failure.hint)
