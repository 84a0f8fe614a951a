"""`/authorize` at this server: between what `patql.api.authorize` says and the bytes that a gateway reads."""

from collections.abc import Callable
from time import perf_counter
from urllib.parse import unquote

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from patql.api import authorize, problems
from patql.api.authorize import Answer
from patql.authority.model import Denied, Granted
from patql.faces.http.access_log import shown
from patql.faces.http.desk import Desk
from patql.faces.http.limits import Standing
from patql.faces.http.metrics import AUTHORIZE
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers

ALWAYS = b"cache-control: no-store\r\ncontent-length: 0\r\n"
"""Header lines of every answer."""


class Asked(msgspec.Struct, gc=False):
    """A gateway's question: the scopes that it requires, the secret that its client sent, and where that client stands."""

    required: str
    secret: bytes
    standing: Standing | None


class Gate:
    """Answers `/authorize`, at once or, where the store is elsewhere, when that has answered.

    Args:
        desk: what every request passes.
        report: takes an error that became a 5xx.
    """

    def __init__(self, desk: Desk, report: Callable[[Exception], None]) -> None:
        self._desk = desk
        self._report = report
        self._demand = authorize.demands(desk.authority.policy)
        self._verify = desk.authority.verify
        self._heads = dict[int, bytes]()
        self._heads_with: Headers | None = None

    def answer(
        self, target: bytes, headers: Headers, method: str, client: str
    ) -> Answer:
        """The answer to a request; for a store that is a local file.

        Args:
            target: the raw path and query.
            headers: the request's.
            method: the request's.
            client: the address that it came from.
        """
        begun = perf_counter()
        now = self._desk.now()
        handle = "-"
        asked = self._ask(target, headers, client, now)
        if isinstance(asked, Asked):
            try:
                verdict = self._verify(asked.secret, asked.required)
            except Exception as error:  # noqa: BLE001  (whatever it is, nobody passes)
                answer = self._failed(error)
            else:
                answer = self._decided(asked, verdict, client, now)
                handle = handle_of(verdict, asked.secret)
        else:
            answer = asked
        path = _path(target)
        status, seconds = answer.status, perf_counter() - begun
        self._desk.note(AUTHORIZE, client, handle, method, path, status, 0, seconds)
        return answer

    async def answer_async(
        self, target: bytes, headers: Headers, method: str, client: str
    ) -> Answer:
        """The same, for any store."""
        begun = perf_counter()
        now = self._desk.now()
        handle = "-"
        asked = self._ask(target, headers, client, now)
        if isinstance(asked, Asked):
            verify = self._desk.authority.verify_async
            try:
                verdict = await verify(asked.secret, asked.required)
            except Exception as error:  # noqa: BLE001  (whatever it is, nobody passes)
                answer = self._failed(error)
            else:
                answer = self._decided(asked, verdict, client, now)
                handle = handle_of(verdict, asked.secret)
        else:
            answer = asked
        path = _path(target)
        status, seconds = answer.status, perf_counter() - begun
        self._desk.note(AUTHORIZE, client, handle, method, path, status, 0, seconds)
        return answer

    def head(self, status: int, default: Headers) -> bytes:
        """The lines that begin an answer.

        Args:
            status: the answer's.
            default: what the server adds to each answer: another list where it is another.
        """
        if default is not self._heads_with:
            self._heads_with = default
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in default)]
            head = self._heads[status] = b"".join([*lines, ALWAYS])
        return head

    def _ask(
        self, target: bytes, headers: Headers, client: str, now: float
    ) -> Asked | Answer:
        required = self._demand(target)
        if isinstance(required, Answer):
            return required
        secret = authorize.credential(headers)
        if not secret:
            return (
                authorize.NO_CREDENTIAL if secret is None else authorize.BAD_CREDENTIAL
            )
        standing, too_far = self._desk.limited(client, secret, now)
        if standing is not None and too_far:
            wait = b"retry-after: %d\r\n" % standing.wait(now)
            return Answer(429, standing.lines() + wait)
        return Asked(required, secret, standing)

    def _decided(
        self, asked: Asked, verdict: Granted | Denied, client: str, now: float
    ) -> Answer:
        self._desk.tell(verdict, asked.secret, client, now)
        answer = authorize.answer(verdict, asked.required)
        if asked.standing is None:
            return answer
        return Answer(answer.status, answer.lines + asked.standing.lines())

    def _failed(self, error: Exception) -> Answer:
        self._report(error)
        if isinstance(error, PatqlError) and error.code is Code.UNAVAILABLE:
            return Answer(503, b"retry-after: %b\r\n" % problems.RETRY_AFTER)
        return Answer(500)


def handle_of(verdict: Granted | Denied, secret: bytes) -> str:
    """What may be shown of a token."""
    return verdict.handle if isinstance(verdict, Granted) else shown(secret)


def _path(target: bytes) -> str:
    path = target.partition(b"?")[0].decode("latin-1")
    return unquote(path) if "%" in path else path
