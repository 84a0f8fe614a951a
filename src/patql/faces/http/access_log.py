"""The access log: a line for each request, which holds nothing that gives access.

    2027-01-31T12:00:00 192.0.2.7 pql_8Jk2Qd9Rw0Xz GET /v4/profile 200 345

Time in UTC, client, the token's first 16 characters, method, path, status, bytes of the answer's body; `-` stands for
what there isn't. As JSON, a line is an object with the same, and with how long it took and the request's id:

    {"time":"2027-01-31T12:00:00","level":"info","event":"request","client":"192.0.2.7","method":"GET", …}

Bodies and query strings never come here, and secrets in a path are cut.
"""

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from itertools import count

import msgspec

from patql.kernel.clock import Clock, to_wire
from patql.kernel.http import Headers
from patql.kernel.secrets import SHOWN, redact

MANY = 48
"""How many lines are gathered at most."""
FULL = 3 * 1024
"""At how many characters lines are written at once.

With one more line it is less than 4,096 bytes, so that lines of several workers aren't mixed in a pipe (POSIX, PIPE_BUF).
"""

_SHORTEST_TOKEN = 48  # of anything shorter, 16 characters may be too much of it
_LONGEST_PATH = 500
_LONGEST_ID = 64


_Entry = tuple[float, str, str, str, str, int, int, float, str]


class Line(msgspec.Struct, omit_defaults=True):
    """A line of the log as JSON."""

    time: str
    level: str
    event: str
    message: str | None = None
    client: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    bytes: int | None = None
    duration_ms: float | None = None
    handle: str | None = None
    request_id: str | None = None


class AccessLog:
    """Gathers lines until `flush` writes them all at once.

    Args:
        write: takes the lines as bytes.
        clock: where the present comes from.
        json: write objects.
    """

    def __init__(
        self, write: Callable[[bytes], object], clock: Clock, *, json: bool = False
    ) -> None:
        self._write = write
        self._clock = clock
        self.is_json = json
        self._waiting: list[_Entry] = []
        self._second = -1
        self._time = ""
        self._ids = count(1)
        self._process = os.urandom(6).hex()

    def add(
        self,
        now: float,
        client: str,
        handle: str,
        method: str,
        path: str,
        status: int,
        size: int,
        seconds: float = 0.0,
        request_id: str = "",
    ) -> bool:
        """Note a request that was answered; whether it is the first since the last `flush`.

        Args:
            now: seconds since the epoch.
            client: its address.
            handle: the first 16 characters of its token; `-` for none.
            method: as it was sent.
            path: decoded, without the query.
            status: the answer's.
            size: bytes of the answer's body.
            seconds: how long it took here.
            request_id: the one that it was given on its way; empty for none.
        """
        waiting = self._waiting
        waiting.append(
            (now, client, handle, method, path, status, size, seconds, request_id)
        )
        if len(waiting) >= MANY:
            self.flush()
            return False
        return len(waiting) == 1

    def tell(self, level: str, event: str, message: str) -> None:
        """Write at once of something that happened, secrets cut; as it is, or as an object."""
        message = redact(message)
        if self.is_json:
            now = self._time_of(self._clock.now())
            line = Line(now, level, event, message=message.rstrip("\n"))
            self._write(msgspec.json.encode(line) + b"\n")
        else:
            self._write(message.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Write what was gathered."""
        waiting, self._waiting = self._waiting, []
        form = self._object if self.is_json else self._line
        piece = ""
        for entry in waiting:
            piece += form(entry)
            if len(piece) > FULL:
                self._write(piece.encode())
                piece = ""
        if piece:
            self._write(piece.encode())

    def _line(self, entry: _Entry) -> str:
        now, client, handle, method, path, status, size, _, _ = entry
        time, path = self._time_of(now), _shown_path(path)
        return f"{time} {client} {handle} {method} {path} {status} {size}\n"

    def _object(self, entry: _Entry) -> str:
        now, client, handle, method, path, status, size, seconds, request_id = entry
        line = Line(
            self._time_of(now),
            "error" if status >= 500 else "info",
            "request",
            client=client,
            method=method,
            path=_shown_path(path),
            status=status,
            bytes=size,
            duration_ms=round(seconds * 1000, 3),
            handle=None if handle == "-" else handle,
            request_id=_id(request_id) or f"{self._process}-{next(self._ids)}",
        )
        return msgspec.json.encode(line).decode() + "\n"

    def _time_of(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second, self._time = second, to_wire(second)
        return self._time


class Told(logging.Handler):
    """Takes what libraries log, so that all that is written has one form."""

    def __init__(self, log: AccessLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        self._log.tell(record.levelname.lower(), "server", f"{self.format(record)}\n")


def request_id(headers: Headers) -> str:
    """The id that a request was given on its way; empty for none."""
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode("latin-1")
    return ""


def take_over(log: AccessLog) -> None:
    """Have what uvicorn says written in the log's form."""
    logger = logging.getLogger("uvicorn.error")
    logger.handlers = [Told(log)]
    logger.propagate = False


def shown(secret: bytes | None) -> str:
    """What may be shown of a token that was sent; `-` for what isn't one."""
    if (
        secret
        and len(secret) >= _SHORTEST_TOKEN
        and secret.replace(b"_", b"").isalnum()
    ):
        return secret[:SHOWN].decode("ascii")
    return "-"


def _shown_path(path: str) -> str:
    """A path on one line and in one word, without secrets; long ones aren't remembered, lest they fill the memory."""
    return _recalled(path) if len(path) <= _LONGEST_PATH else _cleaned(path)


def _cleaned(path: str) -> str:
    if not (path.isascii() and path.isprintable() and " " not in path):
        path = path.encode("unicode_escape").decode("ascii").replace(" ", "\\x20")
    return redact(path)[:_LONGEST_PATH] if len(path) >= _SHORTEST_TOKEN else path


_recalled = lru_cache(maxsize=1024)(_cleaned)


def _id(given: str) -> str:
    """An id that can be one; anything else isn't taken."""
    plain = given.replace("-", "").replace("_", "").replace(".", "")
    if len(given) > _LONGEST_ID or not (plain.isascii() and plain.isalnum()):
        return ""
    return redact(given)
