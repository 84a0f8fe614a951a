"""A transport that opens its target with the first request, so that statements that send none touch nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock

from patql.engine.ports import Took, Transport, Watch
from patql.kernel.http import Request, Response


class DeferredTransport:
    """The Transport port over another one that isn't made before it is needed.

    Args:
        target: the name a person knows it by.
        connect: makes the real transport; called at most once.
    """

    def __init__(self, target: str, connect: Callable[[], Transport]) -> None:
        self.target = target
        self._connect = connect
        self._transport: Transport | None = None
        self._lock = (
            Lock()
        )  # the relational engine pulls answers from threads of its own

    @property
    def acting(self) -> str | None:
        """The first 16 characters of the token it sends, None where it sends none."""
        return self._connected().acting

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers in the order of the requests; see `engine.ports.Transport`."""
        return self._connected().send(requests, concurrency, watch)

    def attempt(
        self,
        requests: Iterable[Request],
        concurrency: int,
        took: Took,
        watch: Watch | None = None,
    ) -> None:
        """Send as many as `requests` gives; see `engine.ports.Attempting`."""
        from patql.engine.send import attempt

        attempt(self._connected(), requests, concurrency, took, watch)

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._transport is not None:
            self._transport.cancel()

    def close(self) -> None:
        """Close the real transport, if there ever was one."""
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> Transport:
        with self._lock:
            if self._transport is None:
                self._transport = self._connect()
            return self._transport
