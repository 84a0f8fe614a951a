"""The Transport port over HTTP, through pyreqwest.

A single request goes out from a plain thread, so that the path of most statements imports no asyncio; many go out
from one loop thread (`rest.loop`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from pyreqwest.client import SyncClientBuilder

from patql.engine.ports import Took, Watch
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.target import Target, to_response

if TYPE_CHECKING:
    from pyreqwest.client import SyncClient
    from pyreqwest.request import SyncConsumedRequest
    from pyreqwest.response import SyncResponse

    from patql.rest.loop import LoopThread

_SENDABLE = re.compile("[!-~]+")
"""What a header can hold as one word; RFC 6750, section 2.1, allows less."""


class HttpTransport:
    """The Transport port over HTTP.

    Args:
        base: the target's base URL, such as `https://api.linode.com/v4`; no trailing slash.
        token: sent as a bearer token, to this target only; None where there is none to send.
    """

    def __init__(self, base: str, token: Secret | None) -> None:
        self.target = base
        self._token = token
        self._client: SyncClient | None = None
        self._loop: LoopThread | None = None

    @property
    def acting(self) -> str | None:
        """The first 16 characters of the token it sends, None where it sends none."""
        return self._token.shown if self._token else None

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers in the order of the requests, at most `concurrency` under way at once.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, BAD_RESPONSE where it can't be decoded, CREDENTIAL
                where there is no token to send, or one that can't be sent.
        """
        target = self._checked()
        if len(requests) == 1 or concurrency == 1:
            return (self._send_one(target, request) for request in requests)
        return self._looping(target).send(requests, concurrency)

    def attempt(
        self,
        requests: Iterable[Request],
        concurrency: int,
        took: Took,
        watch: Watch | None = None,
    ) -> None:
        """Send as many as `requests` gives; see `engine.ports.Attempting`.

        Raises:
            PatqlError: CREDENTIAL as `send`, CANCELLED where `cancel` was called meanwhile.
        """
        self._looping(self._checked()).attempt(requests, concurrency, took)

    def cancel(self) -> None:
        """Give up what is under way."""
        self.close()

    def close(self) -> None:
        """Let go of connections; what is under way is given up."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def _checked(self) -> Target:
        """Where requests go, with a token that can be sent."""
        if self._token is None:
            raise PatqlError(
                Code.CREDENTIAL,
                f"there is no token for {self.target}",
                hint=f"set PATQL_TOKEN, name a --token-file, or store one with `patql init --url {self.target}`",
            )
        if not _SENDABLE.fullmatch(self._token.reveal()):
            raise PatqlError(
                Code.CREDENTIAL,
                f"the token for {self.target} can't be sent: a token is one word of ASCII letters, digits and signs",
            )
        return Target(self.target, self._token)

    def _looping(self, target: Target) -> "LoopThread":
        if self._loop is None:
            from patql.rest.loop import LoopThread

            self._loop = LoopThread(target)
        return self._loop

    def _send_one(self, target: Target, request: Request) -> Response:
        """In a thread of its own, since pyreqwest's synchronous call would hold off Ctrl-C until the answer."""
        if self._client is None:
            self._client = target.configure(SyncClientBuilder()).build()
        builder = self._client.request(request.method, target.url(request))
        built = target.fill(builder, request).build()
        answers: SimpleQueue[SyncResponse | Exception] = SimpleQueue()
        Thread(target=_exchange, args=(built, answers), daemon=True).start()
        try:
            answer = answers.get()
        except BaseException:
            self.close()  # ends the thread: the only way to cancel a synchronous request
            raise
        if isinstance(answer, Exception):
            raise target.no_answer(request, answer) from answer
        return to_response(answer, answer.bytes())


def _exchange(
    request: "SyncConsumedRequest", answers: "SimpleQueue[SyncResponse | Exception]"
) -> None:
    try:
        answers.put(request.send())
    except Exception as error:  # noqa: BLE001  (raised by the thread that waits)
        answers.put(error)
