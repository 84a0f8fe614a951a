"""`/authorize` at this server: between what `patql.api.authorize` says and the bytes that a gateway reads."""

from collections.abc import Callable
from time import perf_counter
from urllib.parse import unquote

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from patql.api import authorize, problems
from patql.api.authorize import Answer, Demand
from patql.authority import tokens
from patql.authority.model import Denied, Granted
from patql.authority.verify import Presented
from patql.faces.http.access_log import request_id, shown
from patql.faces.http.desk import Desk
from patql.faces.http.limits import Standing
from patql.faces.http.metrics import AUTHORIZE
from patql.faces.http.recent import Recent
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers

ALWAYS = b"cache-control: no-store\r\ncontent-length: 0\r\n"
"""Header lines of every answer."""


class Question(msgspec.Struct, frozen=True, gc=False):
    """A request to `/authorize`, read.

    Attributes:
        required: the scopes that it takes, or the answer that it gets whoever asks.
        secret: the credential that came with it; None for none, empty for more than one.
        presented: the same, or what is left of it, to be verified.
        method: as it was sent.
        path: decoded, without the query.
        handle: what may be shown of the credential.
        id: the one that it was given on its way; empty for none, or where it isn't logged.
        headers: all of them.
    """

    required: Demand
    secret: bytes | None
    presented: Presented
    method: str
    path: str
    handle: str
    id: str
    headers: Headers


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
        self._now = desk.now
        self._verify = desk.authority.verify
        self._tell = desk.tell
        self._count = desk.metrics.request
        self._log = desk.log.add
        self._heads = dict[int, bytes]()
        self._heads_with: Headers | None = None
        self.recent = Recent[Question]()
        """What the very bytes of requests were read as."""

    def read(self, target: bytes, headers: Headers, method: str) -> Question:
        """What a request asks.

        Args:
            target: the raw path and query.
            headers: the request's.
            method: the request's.
        """
        path = target.partition(b"?")[0].decode("latin-1")
        secret = authorize.credential(headers)
        return Question(
            self._demand(target),
            secret,
            tokens.parse(secret or b"") or secret or b"",
            method,
            unquote(path) if "%" in path else path,
            shown(secret),
            request_id(headers) if self._desk.log.is_json else "",
            headers,
        )

    def answer(self, question: Question, client: str) -> Answer:
        """The answer to a request, from the address of a client; for a store that is a local file."""
        begun = perf_counter()
        now = self._now()
        answer = self._before(question, client, now)
        if not isinstance(answer, Answer):
            secret, required, standing = answer
            try:
                verdict = self._verify(question.presented, required)
            except Exception as error:  # noqa: BLE001  (whatever it is, nobody passes)
                answer = self._failed(error)
            else:
                self._tell(verdict, secret, client, now)
                answer = _decided(verdict, required, standing)
        self._note(question, now, client, answer.status, perf_counter() - begun)
        return answer

    async def answer_async(self, question: Question, client: str) -> Answer:
        """The same, for any store."""
        begun = perf_counter()
        now = self._now()
        answer = self._before(question, client, now)
        if not isinstance(answer, Answer):
            secret, required, standing = answer
            try:
                presented = question.presented
                verdict = await self._desk.authority.verify_async(presented, required)
            except Exception as error:  # noqa: BLE001  (whatever it is, nobody passes)
                answer = self._failed(error)
            else:
                self._tell(verdict, secret, client, now)
                answer = _decided(verdict, required, standing)
        self._note(question, now, client, answer.status, perf_counter() - begun)
        return answer

    def head(self, status: int, default: Headers) -> bytes:
        """The lines that begin an answer.

        Args:
            status: the answer's.
            default: what the server adds to each answer: another list in each second, for its date.
        """
        if default is not self._heads_with:
            self._heads_with = default
            self._heads.clear()
            self.recent.forget()
        head = self._heads.get(status)
        if head is None:
            lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in default)]
            head = self._heads[status] = b"".join([*lines, ALWAYS])
        return head

    def _before(
        self, question: Question, client: str, now: float
    ) -> Answer | tuple[bytes, str, Standing | None]:
        """What there is to verify, and where the client stands; or the answer that needs no verdict."""
        required, secret = question.required, question.secret
        if isinstance(required, Answer):
            return required
        if not secret:
            return (
                authorize.NO_CREDENTIAL if secret is None else authorize.BAD_CREDENTIAL
            )
        standing, too_far = self._desk.limited(client, secret, now)
        if standing is not None and too_far:
            wait = b"retry-after: %d\r\n" % standing.wait(now)
            return Answer(429, standing.lines() + wait)
        return secret, required, standing

    def _failed(self, error: Exception) -> Answer:
        self._report(error)
        if isinstance(error, PatqlError) and error.code is Code.UNAVAILABLE:
            return Answer(503, b"retry-after: %b\r\n" % problems.RETRY_AFTER)
        return Answer(500)

    def _note(
        self,
        question: Question,
        now: float,
        client: str,
        status: int,
        seconds: float,
    ) -> None:
        q = question
        self._count(AUTHORIZE, q.method, status, seconds)
        if self._log(now, client, q.handle, q.method, q.path, status, 0, seconds, q.id):
            self._desk.write_soon()


def _decided(
    verdict: Granted | Denied, required: str, standing: Standing | None
) -> Answer:
    answer = authorize.answer(verdict, required)
    if standing is None:
        return answer
    return Answer(answer.status, answer.lines + standing.lines())
