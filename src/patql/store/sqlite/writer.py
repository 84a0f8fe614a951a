"""Group commit without a thread of its own.

A durable commit costs a flush of the disk, whatever its size. So a caller puts its change into a queue and takes the
lock; whoever holds the lock runs all that is queued and commits once. While one commits, the next batch gathers. A
caller alone pays for nothing that it doesn't use: one uncontended lock.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

import apsw

from patql.authority.chain import Chain
from patql.kernel.errors import Code, PatqlError
from patql.store.sqlite.transaction import SqliteTransaction

T = TypeVar("T")


class Writer:
    """Runs changes over one connection, which nobody else uses."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._transaction = SqliteTransaction(connection)
        self._lock = threading.Lock()
        self._queue = deque[_Job]()

    def run(self, change: Callable[[SqliteTransaction], T]) -> T:
        """The change's result, once it is durable; or what it, or the commit, raised."""
        job = _Job(change)
        self._queue.append(job)
        with self._lock:
            if not job.settled:  # else an earlier holder of the lock has run it
                self._commit([self._queue.popleft() for _ in range(len(self._queue))])
        if job.error is not None:
            raise job.error
        return cast("T", job.value)

    def close(self) -> None:
        """Close the connection, after what is under way."""
        with self._lock:
            self._connection.close()

    def _commit(self, batch: list["_Job"]) -> None:
        """Run a batch in one transaction. Its failure fails all of them, a change's failure only that change."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            begun = self._transaction.chain.place
            for job in batch:
                self._attempt(job)
            if self._transaction.chain.place != begun:
                self._transaction.keep_head()
            execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            self._transaction.chain = Chain()  # who knows what a failing disk has kept
            for job in batch:
                job.error = job.error or _batch_error(error)
            if not isinstance(error, Exception):
                raise
        finally:
            for job in batch:
                job.settled = True

    def _attempt(self, job: "_Job") -> None:
        execute = self._connection.execute
        execute("SAVEPOINT change")
        place = self._transaction.chain.place
        try:
            job.value = job.change(self._transaction)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite has rolled everything back already: the batch is lost
            execute("ROLLBACK TO change")
            self._transaction.chain.return_to(place)
            job.error = error
        execute("RELEASE change")


class _Job:
    """A change that waits for its turn, and what became of it."""

    __slots__ = ("change", "error", "settled", "value")

    def __init__(self, change: Callable[[SqliteTransaction], Any]) -> None:
        self.change = change
        self.settled = False
        self.value: object = None
        self.error: Exception | None = None


def _batch_error(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return PatqlError(Code.UNAVAILABLE, "interrupted; nothing was changed")
