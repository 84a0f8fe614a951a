"""When a request is sent again, and when nothing is sent.

Servers that say "later", by 429, 502, 503 or 504 or by breaking the connection, are asked again: as late as they say,
else after pauses that grow and are random (full jitter). One that says so keeps all requests of its transport waiting.

What may have been done is only repeated where doing it twice is the same as once (RFC 9110, section 9.2.2), or where the
request has an Idempotency-Key, by which the server knows that it is the same; for a while. A server
that answers 429, or 503 with Retry-After, has done nothing, so that anything may be sent again.
"""

from threading import Lock

from patql.engine.ports import Watch
from patql.kernel.http import Request, Response
from patql.rest.limits import asked_pause, exhausted_for
from patql.rest.pauses import Pauses
from patql.rest.target import may_pass

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_KEY = b"idempotency-key"
_KNOWN = 30.0
"""Seconds for which a server of ours knows a request by its key."""

_SHORTEST, _LONGEST = 0.5, 20.0
"""Bounds of the pauses that nobody asked for, in seconds, before chance cuts them."""


class Gate:
    """Whether requests of a transport may be sent.

    Attributes:
        pauses: where time comes from.
        retry: seconds for which a request is sent again, and for which a limit is waited for; 0: never.
        heard: whether the server has ever answered. One that hasn't is more likely misspelt than busy.
    """

    def __init__(self, retry: float, pauses: Pauses) -> None:
        self.pauses = pauses
        self.retry = retry
        self.heard = False
        self._opens = pauses.passed()
        self._told = self._opens
        self._lock = Lock()

    def close(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        with self._lock:
            self._opens = max(self._opens, self.pauses.passed() + seconds)

    def closed_for(self, watch: Watch | None) -> float:
        """Seconds until the next request may be sent, 0 where it may be now.

        Whoever asks is about to wait: `watch` is told of the seconds that nobody has been told of.
        """
        now = self.pauses.passed()
        if self._opens <= now:
            return 0.0
        with self._lock:
            opens = self._opens
            untold = opens - max(self._told, now)
            self._told = opens
        if watch is not None and untold > 0:
            watch.waiting(untold)
        return max(0.0, opens - now)


class Attempts:
    """One request, until its answer is one to give to whoever asked.

    Each attempt is `begin`, the exchange, and `is_over`, until that is true.
    """

    def __init__(self, request: Request, gate: Gate, watch: Watch | None) -> None:
        self._request = request
        self._gate = gate
        self._watch = watch
        self._count = 0
        self._until = 0.0
        self._keyed = request.header(_KEY) is not None
        self._begun = 0.0
        self._maybe_done: float | None = None  # since when

    def begin(self) -> None:
        """The request is about to be sent."""
        self._begun = self._gate.pauses.passed()
        if self._count == 0:
            self._until = self._begun + self._gate.retry
        elif self._watch is not None:
            self._watch.retried()
        self._count += 1

    def is_over(self, answer: Response | Exception) -> bool:
        """Whether that is the answer; otherwise the gate is closed for a while, and the request to be sent again."""
        rest = self._observed(answer)
        pause = self._pause(answer, rest)
        if pause is not None:
            self._gate.close(pause)
            return False
        if rest is not None and rest <= self._gate.retry:
            self._gate.close(rest)
        return True

    def result(self, answer: Response | Exception) -> Response | Exception:
        """What to give for the last answer.

        A DELETE that may have been done before the last attempt has been done if that finds nothing: it is a 204. Only
        an API's own 404 says so, which is JSON; a proxy's doesn't.
        """
        match answer:
            case Response(status=404 | 410) if self._maybe_done is not None:
                json = b"json" in (answer.header(b"content-type") or b"")
                done = json and self._request.method == "DELETE" and not self._keyed
                return Response(204, []) if done else answer
            case _:
                return answer

    def _observed(self, answer: Response | Exception) -> float | None:
        """Seconds until the server takes requests again, None where nothing is said."""
        if not isinstance(answer, Response):
            return None
        self._gate.heard = True
        return exhausted_for(answer, self._gate.pauses.now())

    def _pause(self, answer: Response | Exception, rest: float | None) -> float | None:
        """Seconds until the request is sent again, None where it isn't."""
        asked = None
        if isinstance(answer, Response):
            if answer.status < 400:
                return None
            asked = asked_pause(answer, self._gate.pauses.now())
            asked = rest if asked is None else asked
        if not self._may_repeat(answer, asked):
            return None
        grown = _SHORTEST * 2 ** min(self._count - 1, 16)
        pause = asked or self._gate.pauses.chance() * min(grown, _LONGEST)
        until = self._until
        if self._keyed and self._maybe_done is not None:
            until = min(until, self._maybe_done + _KNOWN)
        left = until - self._gate.pauses.passed()
        return pause if pause < left else None

    def _may_repeat(self, answer: Response | Exception, asked: float | None) -> bool:
        idempotent = self._keyed or self._request.method in _IDEMPOTENT
        if isinstance(answer, Exception):
            self._doubt()
            return idempotent and may_pass(answer, heard=self._gate.heard)
        match answer.status:
            case 429:
                return True
            case 403:  # as GitHub says 429
                return asked is not None
            case 503 if asked is not None:
                return True
            case 502 | 503 | 504:
                self._doubt()
                return idempotent
            case _:
                return False

    def _doubt(self) -> None:
        """It may have been done from now on."""
        if self._maybe_done is None:
            self._maybe_done = self._begun
