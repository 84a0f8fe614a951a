"""Asks doors, and writes down what was asked, when, and what came of it."""

import time
from collections.abc import Mapping
from copy import copy
from itertools import count

from tests.prove.fleet import Server
from tests.prove.history import NEVER, Act, Operation, Outcome
from tests.prove.wire import Answer, LostError, NotSentError

_OUTCOMES: Mapping[int, Outcome] = {
    200: Outcome.DONE,
    204: Outcome.DONE,
    401: Outcome.REFUSED,
    404: Outcome.ABSENT,
    409: Outcome.NOTHING,
    429: Outcome.NOTHING,
    503: Outcome.UNKNOWN,
}
_NOBODY = Answer(0, b"")


class Recorder:
    """The history of one run, as it grows.

    Attributes:
        history: operations, in the order of their return.
        answered: how many were answered so that something was learnt or done.
        revoked: how many revocations of one token were acknowledged.
        epoch: what to add to the history's instants for seconds since the epoch.
    """

    def __init__(self) -> None:
        self.history = list[Operation]()
        self.answered = 0
        self.revoked = 0
        self._groups = count(1)
        self.epoch = time.time() - time.monotonic()

    def now(self) -> float:
        """This instant."""
        return time.monotonic()

    async def ask(
        self,
        client: int,
        server: Server,
        act: Act,
        request: bytes,
        *,
        by: int,
        target: int,
        label: str = "",
        user: str = "",
    ) -> tuple[Operation, Answer]:
        """Send a request; the operation that was written down, and the answer."""
        answer = _NOBODY
        returned = NEVER
        invoked = time.monotonic()
        try:
            answer = await server.pool.ask(request)
        except NotSentError:
            outcome = Outcome.NOTHING
        except LostError:
            outcome = Outcome.UNKNOWN
        else:
            returned = time.monotonic()
            outcome = _OUTCOMES.get(answer.status, Outcome.BROKEN)
        if act is Act.VERIFY and outcome is Outcome.UNKNOWN:
            outcome = Outcome.NOTHING  # it changes nothing, whatever became of it
        self.answered += outcome is not Outcome.NOTHING
        self.revoked += act is Act.REVOKE and outcome is Outcome.DONE
        operation = Operation(
            client,
            server.name,
            act,
            by,
            target,
            invoked,
            returned,
            outcome,
            label,
            user,
        )
        if outcome is Outcome.BROKEN:
            operation.said = f"{answer.status} {answer.body[:200]!r}"
        self.history.append(operation)
        return operation, answer

    def split(self, operation: Operation, parts: int) -> list[Operation]:
        """Write an operation down as one for each of its parts, which are alike as yet."""
        operation.group = next(self._groups)
        further = [copy(operation) for _ in range(parts - 1)]
        self.history += further
        self.answered += len(further) * (operation.outcome is not Outcome.NOTHING)
        return [operation, *further]
