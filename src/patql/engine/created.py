"""What a statement has made: the rows, with secrets that are shown once, and the way to undo them."""

from collections.abc import Iterator, Sequence

import arro3.core as arrow

from patql.catalog.document import Access, Method, Resource
from patql.engine.bind import Value
from patql.engine.decode import Decoder
from patql.engine.plan import choose
from patql.engine.request import build, is_missing, refuse, send
from patql.engine.result import Result
from patql.engine.returning import Returning
from patql.engine.state import State
from patql.kernel.errors import PatqlError
from patql.kernel.http import Response

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
        self._decoder = Decoder(method, method.columns, resource.key)
        self._batches: list[arrow.RecordBatch] = []
        self._keys: list[Value] = []

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, response: Response, where: str) -> None:
        """Take the row that a response holds."""
        rows = self._decoder.decode(response.body, where).rows
        columns = self._decoder.columns()
        self._decoder.extend(columns, rows)
        self._batches.append(self._decoder.batch(columns, where))
        self._keys.extend(self._decoder.keys(rows))
        if note := response.header(NOTE):
            self._state.dialogue.note(note.decode("latin-1"))

    def results(self) -> Iterator[Result]:
        """The rows as the statement returns them; where its RETURNING fails on them, their secrets and then the error."""
        table = arrow.Table.from_batches(self._batches, schema=self._decoder.schema)
        failure: PatqlError | None = None
        once = self._returning.once
        try:
            result = self._returning.rows(table)
        except PatqlError as error:
            failure = error
            result = self._returning.secrets(table)
            once = self._returning.once_at_least
        for name in self._returning.added if self._batches else ():
            self._state.dialogue.note(
                f"{name} is returned too: keep it, it can't be had again"
            )
        result.message = counted(len(self._batches), "inserted")
        result.once = once
        result.undo = self.undo if once and self._keys else None
        yield result
        if failure is not None:
            raise failure

    def undo(self) -> tuple[int | str, ...]:
        """Delete the rows that were made; the keys of those deleted.

        Raises:
            PatqlError: one couldn't be deleted; it names those that remain.
        """
        remaining = list(self._keys)
        while remaining:
            key = remaining[0]
            try:
                delete_row(self._resource, key, self._state)
            except PatqlError as error:
                left = ", ".join(map(str, remaining))
                message = (
                    f"{self._resource.id} {left} couldn't be revoked: {error.message}"
                )
                raise PatqlError(error.code, message) from None
            remaining.pop(0)
        return tuple(key for key in self._keys if isinstance(key, (int, str)))


def delete_row(resource: Resource, key: Value, state: State) -> None:
    """Delete one row by its key; a row that is gone already is deleted.

    Raises:
        PatqlError: it couldn't be deleted.
    """
    deleters = resource.by_access(Access.DELETE)
    arguments = key_argument(deleters, key)
    method = choose(resource, deleters, arguments)
    request = build(method, arguments)
    response = send(state.transport, request)
    if response.status >= 300 and not is_missing(method, arguments, response):
        refuse(state.transport, request, response)


def key_argument(methods: Sequence[Method], key: Value) -> dict[str, Value]:
    """The parameter by which methods select one row, with its value."""
    return {p.name: key for m in methods for p in m.parameters if p.key_column}


def counted(count: int, done: str) -> str:
    """`1 row deleted`, `2 rows deleted`."""
    return f"{count} row{'' if count == 1 else 's'} {done}"
