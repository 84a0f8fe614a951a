"""Requests that change something: some under way at once, none begun after a failure, and every outcome kept."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from patql.catalog.document import Resource
from patql.engine.ports import Attempting, Took, Transport, Watch
from patql.engine.request import first
from patql.engine.state import State
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.interrupts import Held

NAMED = 5
"""How many of the rows that failed are named."""

INTERRUPTED = "interrupted before every answer was there"

_LOOK = "what isn't known may have been done: look before you try it again"

_UNKNOWN = frozenset({Code.UNREACHABLE, Code.BAD_RESPONSE, Code.CANCELLED})
"""Errors that don't tell whether the server has done what it was asked for."""


def attempt(
    transport: Transport,
    requests: Iterable[Request],
    concurrency: int,
    took: Took,
    watch: Watch | None = None,
) -> None:
    """What `engine.ports.Attempting` says, by any transport: those that can't are asked one after the other.

    Raises:
        PatqlError: CREDENTIAL or CANCELLED, as there.
    """
    if isinstance(transport, Attempting) and concurrency > 1:
        transport.attempt(requests, concurrency, took, watch)
        return
    for position, request in enumerate(requests):
        try:
            answer: Response | PatqlError = first(transport.send([request], 1, watch))
        except PatqlError as error:
            answer = error
        took(position, answer)


class Sending:
    """How far a list of requests has come.

    Args:
        requests: one for each row, in the order in which they are begun.
        judge: takes the answer to the request at a position, and says whether its row was changed; raises PatqlError
            where it is a refusal or can't be read. It may be called by any thread, one answer after the other.
        resource: whose target they go to.
        state: what the statement runs with.
        held: whether somebody has interrupted it.

    Attributes:
        done: positions of the rows that were changed, in the order of their answers.
        errors: why others weren't, by position.
    """

    UNTRIED = "not tried"
    """What is said of rows that nothing was done about."""

    def __init__(
        self,
        requests: Sequence[Request],
        judge: Callable[[int, Response], bool],
        resource: Resource,
        state: State,
        held: Held,
    ) -> None:
        self.done: list[int] = []
        self.errors: dict[int, PatqlError] = {}
        self._requests = requests
        self._judge = judge
        self._resource = resource
        self._state = state
        self._held = held
        self._begun = 0
        self._gone = set[int]()
        self._spared = set[int]()  # nothing was done about them, since others failed
        self._refused = set[int]()  # together, for a reason that is none of theirs
        self._broken: PatqlError | None = None

    def all(self, last: int = 0) -> None:
        """Send all of them; the `last` ones one after the other, once all others are done."""
        for upto in range(len(self._requests) - last, len(self._requests) + 1):
            self._run(upto)

    def failure(self, name: Callable[[int], str]) -> PatqlError | None:
        """Why it stopped, and how many rows were done, failed and not tried; None where nothing was left undone.

        Args:
            name: what to call the row at a position.
        """
        earliest = self.errors[min(self.errors)] if self.errors else None
        reason = self._state.stopped or earliest or self._broken
        failed = [at for at, e in self.errors.items() if e.code not in _UNKNOWN]
        answered = {*self.done, *self._gone, *failed, *self._spared, *self._refused}
        unknown = [at for at in range(self._begun) if at not in answered]
        lost = len(failed) + len(self._refused)
        if reason is None or not (lost or unknown or self._left()):
            return None
        if len(self._requests) == len(failed) == 1:
            return reason
        several = len(failed) + len(unknown) > 1 or bool(self._spared)
        counts = [
            f"{len(self.done)} done",
            f"{lost} failed{_named(failed, name) if several else ''}",
            f"{self._left()} {self.UNTRIED}",
        ]
        if unknown:
            told = f"{len(unknown)} not known{_named(unknown, name) if several else ''}"
            counts.insert(2, told)
        hint = reason.hint or (_LOOK if unknown else None)
        told = ", ".join(counts)
        if reason is self._state.stopped:  # which the session tells itself
            return PatqlError(reason.code, told, hint=hint)
        return PatqlError(reason.code, f"{reason.message}; {told}", hint=hint)

    def _run(self, upto: int) -> None:
        """Send the first `upto` requests, save those that were sent before; after a failure no more are begun."""
        begun = self._begun
        if begun == upto:
            return
        meter = self._state.meter(self._resource.id)
        meter.expected = upto - begun

        def took(position: int, answer: Response | PatqlError) -> None:
            if isinstance(answer, Response):
                meter.answered(len(answer.body))
            self._take(begun + position, answer)

        transport = self._state.transport_of(self._resource)
        concurrency = min(self._state.concurrency, upto - begun)
        try:
            attempt(transport, self._ahead(upto), concurrency, took, meter)
        except PatqlError as error:
            self._broken = error
        except KeyboardInterrupt:
            self._broken = PatqlError(Code.CANCELLED, INTERRUPTED)
        self._settle()

    def _ahead(self, upto: int) -> Iterator[Request]:
        while self._begun < upto and self._may_go_on():
            self._begun += 1
            yield self._requests[self._begun - 1]

    def _may_go_on(self) -> bool:
        stopped = self.errors or self._broken or self._state.stopped
        return not (stopped or self._held.pending)

    def _take(self, position: int, answer: Response | PatqlError) -> None:
        try:
            if isinstance(answer, PatqlError):
                raise answer
            if self._judge(position, answer):
                self.done.append(position)
            else:
                self._gone.add(position)
        except PatqlError as error:
            self.errors[position] = error

    def _settle(self) -> None:
        """Say so where it was interrupted before all had begun."""
        if self._left() and self._held.take():
            self._broken = PatqlError(Code.CANCELLED, "interrupted")

    def _left(self) -> int:
        return len(self._requests) - self._begun + len(self._spared)


def _named(positions: Sequence[int], name: Callable[[int], str]) -> str:
    if not positions:
        return ""
    names = [name(at) for at in sorted(positions)[:NAMED]]
    more = [f"{len(positions) - NAMED} more"] if len(positions) > NAMED else []
    return f" ({', '.join([*names, *more])})"
