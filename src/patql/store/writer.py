"""Group commit without a thread of its own.

A durable commit costs a flush of the disk, whatever its size. So a caller puts its change into a queue and takes the
lock; whoever holds the lock runs what is queued and commits once. While one commits, the next batch gathers. A caller
alone pays for nothing that it doesn't use: one uncontended lock.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, cast

from patql.authority.ports import UndoneError
from patql.kernel.errors import Code, PatqlError

T = TypeVar("T")
At = TypeVar("At")

_LARGEST = 64  # changes in a batch; PostgreSQL keeps so many savepoints of a transaction in memory
_ATTEMPTS = 6
_PAUSE = 0.01  # seconds, on average, before the second attempt; twice as long before each further one


class Again(Enum):
    """What is to be run once more after an error, which then isn't told: nothing, the change, or all of its batch."""

    NOTHING = 0
    CHANGE = 1
    BATCH = 2


class Session(Protocol[At]):
    """One transaction after another, over one connection, which nobody else uses."""

    transaction: At
    """What changes get to see."""

    def begin(self, *, several: bool = False, together: bool = False) -> None:
        """Begin a transaction: for one change, for several that can as well be run one by one, or for one after another."""
        ...

    def mark(self) -> None:
        """What follows is one change."""
        ...

    def keep(self) -> None:
        """The change since the mark is to be kept."""
        ...

    def undo(self) -> bool:
        """Undo what the change since the mark did; False where the whole transaction is undone, or has to be.

        Raises:
            UndoneError: where the other changes of the transaction are to be made by themselves.
        """
        ...

    def commit(self) -> None:
        """End the transaction; when this returns, its changes are durable."""
        ...

    def rollback(self) -> None:
        """End the transaction, however far it got, without its changes; never raises."""
        ...

    def again(self, error: BaseException) -> Again:
        """What an error was no fault of."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Writer(Generic[At]):
    """Runs changes over one session."""

    def __init__(self, session: Session[At]) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._queue = deque[_Job[At, Any]]()
        self._group: _Group | None = None

    def run(self, change: Callable[[At], T]) -> T:
        """The change's result, once it is durable; or what it, or the commit, raised."""
        job, group = _Job(change), self._group
        if group is not None and group.thread == threading.get_ident():
            self._run_in(group, job)
            return job.outcome()
        self._queue.append(job)
        with self._lock:
            while not job.settled:  # else an earlier holder of the lock has run it
                waiting = min(len(self._queue), _LARGEST)
                self._settle([self._queue.popleft() for _ in range(waiting)])
        return job.outcome()

    @contextmanager
    def together(self) -> Generator[None]:
        """What this thread runs inside is one transaction, which ends with the block; other threads wait."""
        with self._lock:
            self._group = group = _Group(threading.get_ident())
            try:
                yield
                self._end(group)
            except BaseException:
                if group.begun:
                    self.session.rollback()
                raise
            finally:
                self._group = None

    def close(self) -> None:
        """Close the session, after what is under way."""
        with self._lock:
            self.session.close()

    def _end(self, group: "_Group") -> None:
        if group.lost is not None:
            raise group.lost
        if group.begun:
            self.session.commit()

    def _run_in(self, group: "_Group", job: "_Job[At, Any]") -> None:
        if group.lost is not None:
            raise group.lost
        try:
            if not group.begun:
                self.session.begin(together=True)
                group.begun = True
            self._attempt(job)
        except BaseException as error:
            group.lost = error
            raise

    def _settle(self, batch: list["_Job[At, Any]"]) -> None:
        """Run a batch in one transaction. Its failure fails all of them, a change's failure only that change."""
        try:
            self._persist(batch)
        except BaseException as error:
            for job in batch:
                if not job.settled:
                    # Also to whom the batch refused something: it may have been for a change that came to nothing.
                    job.error = _batch_error(error)
            if not isinstance(error, Exception):
                raise
        finally:
            for job in batch:
                job.settled = True

    def _persist(self, batch: list["_Job[At, Any]"], attempt: int = 1) -> None:
        """Run a batch until it meets no other transaction that stands in its way; then one change after another."""
        try:
            self._commit(batch)
        except UndoneError:
            self.session.rollback()
            for job in batch:
                self._settle([job])
            return
        except BaseException as error:
            self.session.rollback()
            if attempt >= _ATTEMPTS or self.session.again(error) is not Again.BATCH:
                raise
        else:
            return
        time.sleep(_PAUSE * 2**attempt * random.random())  # noqa: S311  (not a secret)
        if len(batch) == 1:
            self._persist(batch, attempt + 1)
            return
        for job in batch:
            self._settle([job])

    def _commit(self, batch: list["_Job[At, Any]"]) -> None:
        self.session.begin(several=len(batch) > 1)
        for job in batch:
            self._attempt(job)
        self.session.commit()

    def _attempt(self, job: "_Job[At, Any]", attempt: int = 1) -> None:
        session = self.session
        job.error = None
        session.mark()
        try:
            job.value = job.change(session.transaction)
        except Exception as error:
            again = session.again(error)
            whole = again is Again.BATCH and self._group is None
            if whole or not session.undo():
                raise
            if again is not Again.NOTHING and attempt < _ATTEMPTS:
                self._attempt(job, attempt + 1)
                return
            job.error = error
        else:
            session.keep()


class _Job(Generic[At, T]):
    """A change that waits for its turn, and what became of it."""

    __slots__ = ("change", "error", "settled", "value")

    def __init__(self, change: Callable[[At], T]) -> None:
        self.change = change
        self.settled = False
        self.value: T | None = None
        self.error: Exception | None = None

    def outcome(self) -> T:
        """What the change gave, or raised."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


class _Group:
    """A transaction that one thread keeps open for several changes."""

    __slots__ = ("begun", "lost", "thread")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.begun = False
        self.lost: BaseException | None = None


def _batch_error(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return PatqlError(Code.UNAVAILABLE, "interrupted; nothing was changed")
