"""What a statement has made: the rows, with secrets that are shown once, and the way to undo them."""

from collections.abc import Iterator, Sequence

from patql.catalog.document import Access, Method, Resource
from patql.engine.answers import Answers
from patql.engine.batch import Rows
from patql.engine.found import key_argument
from patql.engine.given import Value
from patql.engine.request import build, is_missing, refuse, send
from patql.engine.result import Result
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.engine.step import choose
from patql.kernel.errors import PatqlError
from patql.kernel.http import Response

Arguments = dict[str, Value]

NOTE = b"x-patql-note"
"""The header in which our server says what it granted where that is less than was asked."""


class Created:
    """The rows that a statement has made so far."""

    def __init__(
        self, resource: Resource, method: Method, returning: Returning, state: State
    ) -> None:
        self._resource = resource
        self._returning = returning
        self._state = state
        named = any(column.name == resource.key for column in method.columns)
        self._answers = Answers(method, resource.key if named else None)
        self._made = 0
        self._rows: dict[int, list[tuple[Value, Arguments]]] = {}
        self._notes: list[str] = []

    def __len__(self) -> int:
        return self._made

    def add(
        self, at: int, arguments: Arguments, response: Response, where: str
    ) -> None:
        """Take the row that a response holds; by any thread.

        Args:
            at: its place among the others.
            arguments: those with which it was made.
            response: the answer.
            where: names the request in an error.

        Raises:
            PatqlError: BAD_RESPONSE.
        """
        if response.body or self._returning.wanted:
            keys = self._answers.add(at, response.body, where)
            self._rows[at] = [(key, arguments) for key in keys]
        self._made += 1
        if note := response.header(NOTE):
            self._notes.append(note.decode("latin-1"))

    def results(self) -> Iterator[Result]:
        """The rows as the statement returns them; where its RETURNING fails on them, their secrets and then the error."""
        table = self._answers.table()
        types = self._answers.types
        failure: PatqlError | None = None
        once = self._returning.once
        try:
            result = self._returning.rows(table, types)
        except PatqlError as error:
            failure = error
            result = self._returning.secrets(table)
            once = self._returning.once_at_least
        for note in self._notes:
            self._state.dialogue.note(note)
        for note in self._returning.told(types):
            self._state.dialogue.note(note)
        kept = self._state.options.secrets_kept
        for name in self._returning.added if self._made and not kept else ():
            self._state.dialogue.note(
                f"{name} is returned too: keep it, it can't be had again"
            )
        result.message = counted(self._made, "inserted")
        result.once = once
        result.undo = self.undo if once and any(self._rows.values()) else None
        yield result
        if failure is not None:
            raise failure

    def undo(self) -> tuple[int | str, ...]:
        """Delete the rows that were made; the keys of those deleted.

        Raises:
            PatqlError: one couldn't be deleted; it names those that remain.
        """
        rows = [row for at in sorted(self._rows) for row in self._rows[at]]
        remaining = rows[self._together(rows) :]
        while remaining:
            key, arguments = remaining[0]
            try:
                delete_row(self._resource, key, arguments, self._state)
            except PatqlError as error:
                left = ", ".join(str(key) for key, _ in remaining)
                message = (
                    f"{self._resource.id} {left} couldn't be revoked: {error.message}"
                )
                raise PatqlError(error.code, message) from None
            remaining.pop(0)
        return tuple(key for key, _ in rows if isinstance(key, (int, str)))

    def _together(self, rows: Sequence[tuple[Value, Arguments]]) -> int:
        """How many of the first rows were deleted by requests for many; at the first that fails, the rest goes alone."""
        resource, state, done = self._resource, self._state, 0
        deleting = [_deleting(resource, key, others) for key, others in rows]
        methods = {method.name: method for method, _ in deleting}
        if len(methods) != 1:
            return done
        (method,) = methods.values()
        arguments = [each for _, each in deleting]
        requests = [build(method, each) for each in arguments]
        for part, request in Rows(
            method, arguments, requests, resource, state
        ).parted():
            try:
                if send(state.transport_of(resource), request).status >= 300:
                    break
            except PatqlError:
                break
            done = part.stop
        return done


def delete_row(resource: Resource, key: Value, others: Arguments, state: State) -> None:
    """Delete one row by its key, and by the `others` that it was made with; one that is gone already is deleted.

    Raises:
        PatqlError: it couldn't be deleted.
    """
    method, arguments = _deleting(resource, key, others)
    request = build(method, arguments)
    transport = state.transport_of(resource)
    response = send(transport, request)
    if response.status >= 300 and not is_missing(method, arguments, response):
        refuse(transport, request, response)


def _deleting(
    resource: Resource, key: Value, others: Arguments
) -> tuple[Method, Arguments]:
    """What deletes a row, and with which arguments."""
    deleters = resource.by_access(Access.DELETE)
    arguments = {**others, **key_argument(deleters, key)}
    return choose(resource, deleters, arguments), arguments


def counted(count: int, done: str) -> str:
    """`1 row deleted`, `2 rows deleted`."""
    return f"{count} row{'' if count == 1 else 's'} {done}"
