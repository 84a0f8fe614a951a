"""The Transport port over HTTP, through pyreqwest.

A single request goes out from a plain thread, so that the path of most statements imports no asyncio; many go out
from one loop thread (`rest.loop`).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from threading import RLock, Thread
from typing import TYPE_CHECKING
from weakref import WeakSet

from pyreqwest.client import SyncClientBuilder

from patql.engine.ports import Took, Watch
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest import origin
from patql.rest.auth import Credential, bearer
from patql.rest.inbox import Inbox
from patql.rest.pauses import RETRY, Pauses, SystemPauses
from patql.rest.retry import Attempts, Gate
from patql.rest.sockets import Mark
from patql.rest.target import Target, to_response

if TYPE_CHECKING:
    from pyreqwest.client import SyncClient
    from pyreqwest.request import SyncConsumedRequest

    from patql.rest.loop import LoopThread


class TargetTransport:
    """The Transport port over HTTP.

    Args:
        target: where requests go, and what authorises them.
        retry: seconds for which a request is sent again; 0: never.
        pauses: where time comes from.
    """

    def __init__(
        self,
        target: Target,
        *,
        retry: float = RETRY,
        pauses: Pauses | None = None,
    ) -> None:
        self._target = target
        self._gate = Gate(retry, pauses or SystemPauses())
        self._mark = Mark()
        self._client: SyncClient | None = None
        self._loop: LoopThread | None = None
        self._lock = RLock()  # a signal may call `cancel` while it is held
        self._inboxes = WeakSet[Inbox]()

    @property
    def target(self) -> str:
        """The target as a person knows it."""
        return self._target.name

    @property
    def acting(self) -> str | None:
        """The first 16 characters of the bearer token it sends, None where it sends none."""
        return self._target.acting

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers in the order of the requests, at most `concurrency` under way at once.

        Any thread may take them, and several iterators may be open at once. Closing one sends no more, and waits for
        nothing.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, BAD_RESPONSE where it can't be decoded, CREDENTIAL
                where there is no credential to send, or one that can't be sent, CANCELLED after `cancel`.
        """
        inbox = self._opened()
        if len(requests) == 1 or concurrency == 1:
            return (self._answer(inbox, request, watch) for request in requests)
        return self._looping().send(inbox, requests, concurrency, watch)

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
        inbox = self._opened()
        ahead = iter(requests)
        first = list(islice(ahead, min(concurrency, 2)))
        if len(first) > 1:
            upcoming = enumerate(chain(first, ahead))
            self._looping().attempt(inbox, upcoming, concurrency, took, watch)
            return
        for position, request in enumerate(chain(first, ahead)):
            try:
                took(position, self._answer(inbox, request, watch))
            except PatqlError as error:
                inbox.check()
                took(position, error)

    def cancel(self) -> None:
        """Give up what is under way, at once: whoever waits gets CANCELLED, and connections are closed."""
        with self._lock:
            inboxes = list(self._inboxes)
            self._inboxes.clear()
            loop, self._client = self._loop, None
        for inbox in inboxes:
            inbox.cancel()
        if loop is not None:
            loop.cancel()
        self._mark.shut_down()

    def close(self) -> None:
        """Let go of connections; what is under way is given up."""
        if self._inboxes or self._loop is not None:
            self.cancel()
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()
        self._client = None

    def _opened(self) -> Inbox:
        """Where the answers of one call arrive, once it is known that requests can be sent."""
        self._target.check()
        inbox = Inbox()
        with self._lock:
            self._inboxes.add(inbox)
        return inbox

    def _looping(self) -> "LoopThread":
        with self._lock:
            if self._loop is None:
                from patql.rest.loop import LoopThread

                self._loop = LoopThread(self._target, self._gate, self._mark)
            return self._loop

    def _answer(self, inbox: Inbox, request: Request, watch: Watch | None) -> Response:
        attempts = Attempts(request, self._gate, watch)
        while True:
            while seconds := self._gate.closed_for(watch):
                inbox.wait(self._gate.pauses.timeout(seconds))
            attempts.begin()
            answer = self._exchange(inbox, request)
            if attempts.is_over(answer):
                break
        answer = attempts.result(answer)
        if isinstance(answer, Exception):
            raise self._target.no_answer(request, answer)
        return answer

    def _exchange(self, inbox: Inbox, request: Request) -> Response | Exception:
        """In a thread of its own, since pyreqwest's synchronous call would hold off Ctrl-C until the answer."""
        inbox.check()
        with self._lock:
            if self._client is None:
                builder = self._target.configure(SyncClientBuilder(), self._mark)
                self._client = builder.build()
            client = self._client
        built = self._target.build(client.request, request).build()
        Thread(target=_exchange, args=(built, inbox), daemon=True).start()
        try:
            _, answer = inbox.get()
        except PatqlError:
            raise
        except BaseException:  # Ctrl-C
            self.cancel()
            raise
        return answer


class LinodeTarget(Target):
    """A Linode API by its base URL; a request that names another origin goes there without the credential."""

    def __init__(
        self, base: origin.Base, credential: Credential | PatqlError | None
    ) -> None:
        super().__init__(base.url, "--url", credential)
        self._base = base

    def place(self, base: str | None) -> origin.Base:
        """The base URL, unless the request names another."""
        return self._base if base is None else origin.parse_server(base)


class HttpTransport(TargetTransport):
    """The Transport port to a Linode API.

    Args:
        base: its base URL, such as `https://api.linode.com/v4`; no trailing slash.
        token: sent as a bearer token, to this target only; None where there is none to send.
        variable: the environment variable that would hold the token, None where none would.
        retry: seconds for which a request is sent again; 0: never.
        pauses: where time comes from.
    """

    def __init__(
        self,
        base: str,
        token: Secret | None,
        *,
        variable: str | None = None,
        retry: float = RETRY,
        pauses: Pauses | None = None,
    ) -> None:
        own = origin.parse_server(base)
        target = LinodeTarget(own, _credential(own, token, variable))
        super().__init__(target, retry=retry, pauses=pauses)


def _credential(
    own: origin.Base, token: Secret | None, variable: str | None
) -> Credential | PatqlError:
    if token is None:
        setting = f"set {variable}, " if variable else ""
        return PatqlError(
            Code.CREDENTIAL,
            f"there is no token for {own.url}",
            hint=f"{setting}name a --token-file, or store one with `patql init --url {own.url}`",
        )
    return bearer(own.origin, token)


def _exchange(request: "SyncConsumedRequest", inbox: Inbox) -> None:
    try:
        answer = request.send()
        inbox.put(0, to_response(answer, answer.bytes()))
    except Exception as error:  # noqa: BLE001  (raised by the thread that waits)
        inbox.put(0, error)
