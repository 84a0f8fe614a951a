"""The access log: a line for each request, which holds nothing that gives access.

    2027-01-31T12:00:00 192.0.2.7 pql_8Jk2Qd9Rw0Xz GET /v4/profile 200 345

Time in UTC, client, the token's first 16 characters, method, path, status, bytes of the answer's body; `-` stands for
what there isn't. Bodies and query strings never come here, and secrets in a path are cut.
"""

from collections.abc import Callable

from patql.kernel.clock import Clock, to_wire
from patql.kernel.http import Headers
from patql.kernel.secrets import SHOWN, redact

FULL = 3 * 1024
"""At how many characters what is gathered is written at once.

With one more line it is less than 4,096 bytes, so that lines of several workers aren't mixed in a pipe (POSIX, PIPE_BUF).
"""

_SHORTEST_TOKEN = 48  # of anything shorter, 16 characters may be too much of it
_LONGEST_PATH = 500


class AccessLog:
    """Gathers lines until `flush` writes them all at once.

    Args:
        write: takes the lines as bytes.
        clock: where the present comes from.
    """

    def __init__(self, write: Callable[[bytes], object], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._lines: list[str] = []
        self._size = 0
        self._second = -1
        self._time = ""

    def add(
        self,
        client: str,
        headers: Headers,
        method: str,
        path: str,
        status: int,
        size: int,
    ) -> bool:
        """Note a request; whether it is the first since the last `flush`.

        Args:
            client: its address.
            headers: the request's, of which only Authorization is looked at.
            method: as it was sent.
            path: decoded, without the query.
            status: the answer's.
            size: bytes of the answer's body.
        """
        second = int(self._clock.now())
        if second != self._second:
            self._second, self._time = second, to_wire(second)
        line = f"{self._time} {client} {_handle(headers)} {method} {_path(path)} {status} {size}\n"
        self._lines.append(line)
        self._size += len(line)
        if self._size > FULL:
            self.flush()
            return False
        return len(self._lines) == 1

    def flush(self) -> None:
        """Write what was gathered."""
        if self._lines:
            self._write("".join(self._lines).encode())
            self._lines.clear()
            self._size = 0


def _handle(headers: Headers) -> str:
    """What may be shown of the token that was sent."""
    for name, value in headers:
        if name == b"authorization":
            token = value[7:].strip()
            if value[:7].lower() == b"bearer " and _is_token(token):
                return token[:SHOWN].decode("ascii")
            return "-"
    return "-"


def _is_token(text: bytes) -> bool:
    return len(text) >= _SHORTEST_TOKEN and text.replace(b"_", b"").isalnum()


def _path(path: str) -> str:
    """A path on one line and in one word, without secrets."""
    if not (path.isascii() and path.isprintable() and " " not in path):
        path = path.encode("unicode_escape").decode("ascii").replace(" ", "\\x20")
    return redact(path)[:_LONGEST_PATH] if len(path) >= _SHORTEST_TOKEN else path
