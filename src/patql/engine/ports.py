"""What the engine needs of the world: a transport for requests, and someone to ask and tell."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from patql.kernel.http import Request, Response


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

    def send(self, requests: Sequence[Request], concurrency: int) -> Iterator[Response]:
        """Answers in the order of the requests, at most `concurrency` under way at once.

        Every HTTP status is an answer. Closing the iterator cancels what is under way.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, CREDENTIAL where there is no token to send.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Dialogue(Protocol):
    """Whoever runs the statements: a person at a terminal, or a script."""

    def note(self, message: str) -> None:
        """Tell something that isn't part of the result; it is shown once, outside the results."""
        ...

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """A person's answer to the question; `otherwise` where nobody can be asked."""
        ...
