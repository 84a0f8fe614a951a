"""UPDATE, REPLACE and DELETE: find the rows that match, whatever the predicate, then act on each by its key."""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Access, Column, Method, Resource
from patql.engine.answers import Answers
from patql.engine.batch import Rows
from patql.engine.bind import resolve
from patql.engine.constants import Constants
from patql.engine.created import counted
from patql.engine.found import Match
from patql.engine.given import Arguments
from patql.engine.request import build, is_missing, locate, refuse, send
from patql.engine.result import Result
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.statement import Delete, Update
from patql.engine.target import Target
from patql.engine.values import distinct, encode, field, to_json
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Response
from patql.kernel.interrupts import held_off
from patql.kernel.secrets import SHOWN


def update(statement: Update, state: State) -> Iterator[Result]:
    """Change each row that matches, by the document's UPDATE, or by a PATCH or PUT on the path of one row.

    REPLACE goes by the document's REPLACE, or by a PUT, and takes all that the row must have.

    Raises:
        PatqlError: a row failed; how many were changed before it was told first.
    """
    verb, done = (
        ("REPLACE", "replaced") if statement.replaces else ("UPDATE", "updated")
    )
    changing = Changing(statement, state)
    target, fields, returning = changing.target, changing.fields, changing.returning
    method = target.method
    _consent(statement.where, verb, "changes", target.resource, state)
    matches = target.matches(changing.selected)
    bodies = _bodies(method, fields, matches, state)
    requests = [
        build(method, match.arguments, body)
        for match, body in zip(matches, bodies, strict=True)
    ]
    rows = Rows(
        method, [m.arguments for m in matches], requests, target.resource, state
    )
    if state.options.dry_run:
        yield target.preview(rows, matches)
        return
    acted = _Acted(target, matches, rows, state)
    yield from acted.told(done, lambda: _changed(method, acted, returning, state))


def delete(statement: Delete, state: State) -> Iterator[Result]:
    """Delete each row that matches; RETURNING gives them as they were.

    Raises:
        PatqlError: a row failed; how many were deleted before it was told first.
    """
    target, selected = deleting(statement, state)
    resource = target.resource
    _consent(statement.where, "DELETE", "deletes", resource, state)
    found = target.matches(selected)
    acting = [at for at, match in enumerate(found) if is_own(match, resource, state)]
    order = [*(at for at in range(len(found)) if at not in acting), *acting]
    matches = [found[at] for at in order]
    requests = [build(target.method, match.arguments) for match in matches]
    if acting:
        warn_of_own(resource, state)
    rows = Rows(
        target.method, [m.arguments for m in matches], requests, resource, state
    )
    if state.options.dry_run:
        yield target.preview(rows, matches)
        return
    acted = _Acted(target, matches, rows, state, last=len(acting))
    yield from acted.told(
        "deleted",
        lambda: target.returning(sorted(order[at] for at in acted.done)),
    )


class Changing:
    """How an UPDATE or a REPLACE changes a row.

    Attributes:
        target: the rows.
        fields: those of the body that it sets.
        selected: what gives their values.
        returning: what is returned of a row.

    Raises:
        SqlError: the statement can't be run as written.
    """

    def __init__(self, statement: Update, state: State) -> None:
        resource = resolve(statement.target, state.catalog)
        methods = _replacers(resource) if statement.replaces else _updaters(resource)
        self.target = Target(statement, resource, methods, state)
        method = self.target.method
        names = [name for name, _ in statement.assignments]
        self.fields = [field(resource, method, name) for name in names]
        distinct(names, self.fields)
        if statement.replaces or (
            method.verb == "PUT" and method.access is not Access.UPDATE
        ):
            _require_whole(resource, method, self.fields)
        self.selected = [value for _, value in statement.assignments]
        self.returning = Returning(
            resource, method, statement.target, statement.returning, state
        )


def deleting(statement: Delete, state: State) -> tuple[Target, list[exp.Expr]]:
    """The rows that a DELETE acts on, and what it reads of each besides what selects it.

    Raises:
        SqlError: no method can act on rows that are found so.
    """
    resource = resolve(statement.target, state.catalog)
    target = Target(statement, resource, resource.by_access(Access.DELETE), state)
    secrets = [column.name for column in resource.columns if column.once]
    return target, [exp.column(name, quoted=True) for name in secrets]


class _Acted:
    """What has become of the rows that a statement acted on.

    Args:
        target: whose method acts on each.
        matches: the rows.
        rows: what is sent for them.
        state: what the statement runs with.
        last: how many of the last ones go one after the other, once all others are done, where rows go alone.
    """

    def __init__(
        self,
        target: Target,
        matches: Sequence[Match],
        rows: Rows,
        state: State,
        last: int = 0,
    ) -> None:
        self.answers: dict[int, Response] = {}
        self._method = target.method
        self._matches = matches
        self._requests = rows.requests
        self._transport = state.transport_of(target.resource)
        with held_off() as held:
            sending = rows.begin(self._judge, target.resource, state, held)
            sending.all(last)
            self._interrupted = held.take()
        self._failure = sending.failure(lambda at: matches[at].name)

    @property
    def done(self) -> list[int]:
        """The positions of the rows that were changed."""
        return sorted(self.answers)

    def finish(self) -> None:
        """End the statement.

        Raises:
            PatqlError: why rows weren't changed, with how many were.
            KeyboardInterrupt: somebody interrupted it when all was done.
        """
        if self._failure is not None:
            raise self._failure
        if self._interrupted:
            raise KeyboardInterrupt

    def read(self, at: int, answers: Answers) -> None:
        """Have the row read that the answer at a position holds.

        Raises:
            PatqlError: BAD_RESPONSE.
        """
        where = locate(self._transport, self._requests[at])
        answers.add(at, self.answers[at].body, where)

    def told(self, done: str, returned: Callable[[], Result]) -> Iterator[Result]:
        """What was done, with the rows that are returned of it; where RETURNING fails on them, then the error."""
        failure: PatqlError | None = None
        try:
            result = returned()
        except PatqlError as error:
            result, failure = Result(), error
        result.message = counted(len(self.answers), done)
        yield result
        self.finish()
        if failure is not None:
            raise failure

    def _judge(self, at: int, response: Response) -> bool:
        if is_missing(self._method, self._matches[at].arguments, response):
            return False  # gone since it was read: nothing is left to do, and nothing was done
        if response.status >= 300:
            refuse(self._transport, self._requests[at], response)
        self.answers[at] = response
        return True


def _changed(
    method: Method, acted: _Acted, returning: Returning, state: State
) -> Result:
    """The rows as the responses of an UPDATE hold them, as far as the statement returns them."""
    if not returning.wanted:
        return Result()
    answers = Answers(method)
    for at in acted.done:
        acted.read(at, answers)
    result = returning.rows(answers.table(), answers.types)
    for note in returning.told(answers.types):
        state.dialogue.note(note)
    return result


def _bodies(
    method: Method, fields: Sequence[Column], matches: Sequence[Match], state: State
) -> Iterator[bytes]:
    constants = Constants(state.relational)
    for match in matches:
        pairs = zip(fields, match.row, strict=True)
        values = {column.name: to_json(column, v, constants) for column, v in pairs}
        yield encode(method, values)


def _updaters(resource: Resource) -> Sequence[Method]:
    """The document's UPDATE; else the PATCH, else the PUT, on the path of the GET that selects one row."""
    found = resource.by_access(Access.UPDATE) or _of_one_row(resource, "PATCH", "PUT")
    if not found and resource.key is None:
        message = f"UPDATE acts on rows by their key, and {resource.id} has none"
        raise SqlError(Code.UNSUPPORTED, message)
    if not found:
        message = f"{resource.id} has no method that changes a row"
        raise SqlError(Code.UNSUPPORTED, message)
    return found


def _replacers(resource: Resource) -> Sequence[Method]:
    """The document's REPLACE; else the PUT on the path of the GET that selects one row."""
    found = resource.by_access(Access.REPLACE) or _of_one_row(resource, "PUT")
    if not found:
        message = f"{resource.id} has no method that replaces a row"
        raise SqlError(Code.UNSUPPORTED, message)
    return found


def _of_one_row(resource: Resource, *verbs: str) -> Sequence[Method]:
    readers = resource.by_access(Access.SELECT)
    paths = {m.path for m in readers if any(p.key_column for p in m.parameters)}
    at = [method for method in resource.methods if method.path in paths]
    by_verb = ([m for m in at if m.verb == verb] for verb in verbs)
    return next(filter(None, by_verb), ())


def _require_whole(
    resource: Resource, method: Method, fields: Sequence[Column]
) -> None:
    """All that a row must have is given, where the method leaves nothing as it was."""
    given = {column.name for column in fields}
    required = method.body.required if method.body else ()
    lacking = [name for name in required if name not in given]
    if lacking:
        message = f"{method.name} replaces the whole row of {resource.id}, so SET must also give {', '.join(lacking)}"
        raise SqlError(Code.MISSING_PARAMETER, message)


def _consent(
    where: exp.Expr | None, verb: str, does: str, resource: Resource, state: State
) -> None:
    if where is not None or state.options.dry_run:
        return
    question = f"{verb} without WHERE {does} every row of {resource.id}. Go on?"
    if not state.dialogue.confirm(question, otherwise=False):
        message = f"{verb} without WHERE {does} every row of {resource.id}: add WHERE, or say --yes"
        raise SqlError(Code.UNBOUNDED, message)


def is_own(match: Match, resource: Resource, state: State) -> bool:
    """Whether a row is the token that this session uses; it is read where nothing was read of it."""
    acting = state.transport_of(resource).acting
    if acting is None:
        return False
    shown = match.row or _shown(match.arguments, resource, state)
    return any(str(text)[:SHOWN] == acting for text in shown)


def _shown(arguments: Arguments, resource: Resource, state: State) -> Sequence[object]:
    """What the server shows of a row's secret, as far as it can be read by these arguments."""
    reader = looker(resource, arguments)
    if reader is None:
        return ()
    response = send(state.transport_of(resource), build(reader, arguments))
    if response.status != 200:
        return ()
    secret = next(column for column in reader.columns if column.once)
    answers = Answers(replace(reader, columns=(secret,)), secret.name)
    return answers.add(0, response.body, reader.name)


def looker(resource: Resource, arguments: Arguments) -> Method | None:
    """What shows a secret of the one row that is about to be deleted."""
    for reader in resource.methods:
        keyed = any(parameter.key_column for parameter in reader.parameters)
        shows = keyed and any(column.once for column in reader.columns)
        if reader.verb == "GET" and shows and arguments.keys() >= {*reader.required}:
            return reader
    return None


def warn_of_own(resource: Resource, state: State) -> None:
    """The token that makes the request may delete itself, but not unnoticed.

    Raises:
        PatqlError: DECLINED where the person thought better of it.
    """
    acting = state.transport_of(resource).acting
    own = f"{acting} is the token that this session itself uses"
    state.dialogue.note(f"{own}: once it is deleted, every further request is refused")
    if state.options.dry_run:
        return
    if not state.dialogue.confirm(f"{own}. Delete it?", otherwise=True):
        raise PatqlError(Code.DECLINED, "nothing was deleted")
