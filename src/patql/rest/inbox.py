"""What comes for one `send`: from other threads, in the order of arrival, until it is cancelled."""

from queue import Empty, SimpleQueue

from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response


class Inbox:
    """Answers, each with the position of its request."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[int, Response | Exception] | None] = (
            SimpleQueue()
        )
        self._cancelled = False

    def put(self, position: int, answer: Response | Exception) -> None:
        """An answer has come, or there will be none."""
        self._queue.put((position, answer))

    def get(self) -> tuple[int, Response | Exception]:
        """The next that comes.

        Raises:
            PatqlError: CANCELLED.
        """
        arrived = self._queue.get()
        if arrived is None:
            raise cancelled()
        self.check()
        return arrived

    @property
    def is_empty(self) -> bool:
        """Whether all that has come was taken."""
        return self._queue.empty()

    def wait(self, seconds: float) -> None:
        """Wait, while nothing is under way.

        Raises:
            PatqlError: CANCELLED.
        """
        try:
            self._queue.get(timeout=seconds)
        except Empty:
            return
        self.check()

    def cancel(self) -> None:
        """Whoever waits is to give up, and so is whoever would."""
        self._cancelled = True
        self._queue.put(None)

    def check(self) -> None:
        """Go on, unless it was cancelled.

        Raises:
            PatqlError: CANCELLED.
        """
        if self._cancelled:
            raise cancelled()


def cancelled() -> PatqlError:
    """What is told whoever asked for what was cancelled."""
    return PatqlError(Code.CANCELLED, "stopped before the answer was there")
