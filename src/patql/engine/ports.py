"""What the engine needs of the world: a transport for requests, and someone to ask and tell."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from patql.kernel.errors import PatqlError
from patql.kernel.http import Request, Response


class Watch(Protocol):
    """Told by a transport what its answers don't tell; called from any thread."""

    def retried(self) -> None:
        """A request was sent again."""
        ...

    def waiting(self, seconds: float) -> None:
        """Nothing is sent for so many seconds, since the server asked for that or can't answer now."""
        ...


class Transport(Protocol):
    """A target that answers requests: a server over HTTP, or the embedded authority in process.

    Paths are relative to the target's base (`/profile/tokens`) and percent-encoded; the transport adds base, credential
    and user agent.
    """

    @property
    def target(self) -> str:
        """The target as a person knows it: `embedded`, or a base URL. Errors name it."""
        ...

    @property
    def acting(self) -> str | None:
        """The first 16 characters of the token it sends, None where it sends none."""
        ...

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers in the order of the requests, at most `concurrency` under way at once.

        Every HTTP status is an answer, save those that say "later" and are asked again in time. Closing the iterator
        cancels what is under way. `watch` is told of waiting and of requests that are sent again.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, CREDENTIAL where there is no token to send, CANCELLED
                where `cancel` was called meanwhile.
        """
        ...

    def cancel(self) -> None:
        """Give up all requests under way, at once; from any thread. Whoever waits for an answer gets CANCELLED."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


Took = Callable[[int, Response | PatqlError], None]
"""Takes the answer to the request at that position, or why there was none."""


@runtime_checkable
class Attempting(Protocol):
    """What a transport that can have several requests under way also does; others are asked one after the other."""

    def attempt(
        self,
        requests: Iterable[Request],
        concurrency: int,
        took: Took,
        watch: Watch | None = None,
    ) -> None:
        """Send requests that change something, at most `concurrency` under way at once; return when all are answered.

        A further request is asked of `requests` whenever an answer has come and `took` has had it, so that no more are
        begun where `requests` ends early. Both are used by any thread, one after the other. A request without an
        answer doesn't hold up the others.

        Raises:
            PatqlError: CREDENTIAL as `send`, CANCELLED where `cancel` was called meanwhile: what was under way then
                may or may not have been done.
        """
        ...


class Dialogue(Protocol):
    """Whoever runs the statements: a person at a terminal, or a script."""

    def note(self, message: str) -> None:
        """Tell something that isn't part of the result; it is shown once, outside the results."""
        ...

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """A person's answer to the question; `otherwise` where nobody can be asked."""
        ...
