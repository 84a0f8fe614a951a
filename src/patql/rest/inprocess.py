"""Requests to an API in this process: no socket, no asyncio, the same authorization as over HTTP."""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

import msgspec

from patql.engine.ports import Watch
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret


class InProcessTransport:
    """The Transport port over a function.

    Args:
        target: the name a person knows it by.
        base: put before each path, such as `/v4`.
        handle: answers a request.
        token: presented with each request.
        release: called at the end.
    """

    def __init__(
        self,
        target: str,
        base: str,
        handle: Callable[[Request], Response],
        token: Secret,
        release: Callable[[], None],
    ) -> None:
        self.target = target
        self._base = base
        self._handle = handle
        self._token = token
        self._release = release
        self._cancels = 0

    @property
    def acting(self) -> str:
        """The first 16 characters of the token it presents."""
        return self._token.shown

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers in the order of the requests, each when it is asked for."""
        return self._answers(requests, self._cancels)

    def cancel(self) -> None:
        """Answer no more of what was asked for so far."""
        self._cancels += 1

    def close(self) -> None:
        """Close what answers."""
        self._release()

    def _answers(self, requests: Sequence[Request], cancels: int) -> Iterator[Response]:
        for request in requests:
            if cancels != self._cancels:
                from patql.rest.inbox import cancelled

                raise cancelled()
            yield self._answer(request)

    def _answer(self, request: Request) -> Response:
        bearer = (b"authorization", b"Bearer " + self._token.reveal().encode())
        presented = msgspec.structs.replace(
            request,
            path=self._base + unquote(request.path),
            headers=[*request.headers, bearer],
        )
        return self._handle(presented)
