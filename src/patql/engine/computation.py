"""Work of DuckDB's in a thread of its own, and what it asks meanwhile of the thread that waits for it.

In the main thread DuckDB may not notice Ctrl-C before it is done. And rows that it pulls while it works are fetched by the
thread that waits: DuckDB's own threads come and go, and whatever belongs to a thread would go with them.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, Protocol, TypeVar

from patql.engine.statement import STOPPED
from patql.kernel.errors import Code, PatqlError

T = TypeVar("T")


class Job(Protocol):
    """What the waiting thread is asked to do."""

    def __call__(self, *, ending: bool) -> None:
        """Do it; where the work is `ending`, nothing more is to be fetched."""
        ...


_PATIENCE = 0.05
"""Seconds after which DuckDB is told again to end: it forgets that where it was just beginning something."""


class Computation(Generic[T]):
    """One piece of work.

    Args:
        work: what DuckDB is to do.
        interrupt: tells DuckDB to end; may be called again and again.
    """

    def __init__(self, work: Callable[[], T], interrupt: Callable[[], None]) -> None:
        self._work = work
        self._interrupt = interrupt
        self._messages: SimpleQueue[_Outcome[T] | Job | None] = SimpleQueue()

    def ask(self, job: Job) -> None:
        """Have the waiting thread do something; from any thread. A job that fails has to tell of that itself."""
        self._messages.put(job)

    def stop(self) -> None:
        """End the work; from any thread."""
        self._messages.put(None)

    def wait(self, on_interrupt: Callable[[], None]) -> T:
        """What the work gives; `on_interrupt` is called at Ctrl-C.

        Raises:
            PatqlError: CANCELLED at Ctrl-C; else whatever the work raises.
        """
        Thread(target=self._run, daemon=True).start()
        ending = interrupted = False
        outcome: _Outcome[T] | None = None
        while outcome is None:
            try:
                message = self._messages.get(timeout=_PATIENCE if ending else None)
                if isinstance(message, _Outcome):
                    outcome = message
                elif message is None:
                    ending = True
                else:
                    message(ending=ending)
            except KeyboardInterrupt:
                ending = interrupted = True
                on_interrupt()
            except Empty:
                pass
            if ending and outcome is None:
                self._interrupt()
        if interrupted:
            raise PatqlError(Code.CANCELLED, STOPPED)
        return outcome.value()

    def _run(self) -> None:
        try:
            self._messages.put(_Outcome(self._work(), None))
        except Exception as error:  # noqa: BLE001  (it is raised where the answer is waited for)
            self._messages.put(_Outcome(None, error))


class _Outcome(Generic[T]):
    def __init__(self, answer: T | None, error: Exception | None) -> None:
        self._answer = answer
        self._error = error

    def value(self) -> T:
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]
