"""What a statement has cost so far: told to whoever waits for it, and by EXPLAIN ANALYZE."""

from collections.abc import Callable


class Meter:
    """Counts one step's requests and rows; written by one thread and read by any.

    Attributes:
        name: of the resource.
        view: of the step that it counts for, empty where it counts for none.
        method: the name of the method that is called for the step.
        requests: answers so far.
        expected: how many there will be, None while that isn't known.
        bytes: of the answers' bodies.
        rows: decoded so far.
        retries: requests that were sent again.
        waited: seconds that nothing was sent, since the server asked for that.
        seconds: from the first request to the last answer.
    """

    def __init__(
        self,
        name: str,
        tick: Callable[[], float],
        view: tuple[str, ...] = (),
        method: str = "",
    ) -> None:
        self.name = name
        self.view = view
        self.method = method
        self.requests = 0
        self.expected: int | None = None
        self.bytes = 0
        self.rows = 0
        self.retries = 0
        self.waited = 0.0
        self.seconds = 0.0
        self._tick = tick
        self._begun = tick()

    def answered(self, size: int, rows: int = 0) -> None:
        """An answer of `size` bytes came, with so many rows."""
        self.requests += 1
        self.bytes += size
        self.rows += rows
        self.seconds = self._tick() - self._begun

    def retried(self) -> None:
        """A request was sent again."""
        self.retries += 1

    def waiting(self, seconds: float) -> None:
        """Nothing is sent for so many seconds."""
        self.waited += seconds
