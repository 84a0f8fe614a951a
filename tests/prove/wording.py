"""How operations are worded at the two kinds of door: the API over HTTP, and a product that has the authority in process.

Statuses are HTTP's at both.
"""

import re
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from tests.prove.wire import Answer

_TOKENS = "/v4/profile/tokens"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r", re.IGNORECASE)


class Wording(Protocol):
    """The requests, each for the token `secret` that is presented."""

    def verify(self, secret: str) -> bytes:
        """Is it good?"""
        ...

    def issue(self, secret: str, user: str, label: str, expiry: int | None) -> bytes:
        """A new token of that user's; `expiry` in seconds since the epoch."""
        ...

    def rename(self, secret: str, user: str, target: int, label: str) -> bytes:
        """Another label for a token."""
        ...

    def revoke(self, secret: str, user: str, target: int) -> bytes:
        """The end of a token."""
        ...

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete."""
        ...


class Api:
    """The API v4; the user is whose token is presented."""

    def __init__(self, check: str = "/v4/profile") -> None:
        self._check = check

    def verify(self, secret: str) -> bytes:
        """Is it good?"""
        return _http("GET", self._check, secret)

    def issue(self, secret: str, user: str, label: str, expiry: int | None) -> bytes:
        """A new token, with the scopes of the acting one."""
        until = (
            None if expiry is None else f"{datetime.fromtimestamp(expiry, UTC):%FT%T}"
        )
        return _http("POST", _TOKENS, secret, {"label": label, "expiry": until})

    def rename(self, secret: str, user: str, target: int, label: str) -> bytes:
        """Another label for a token."""
        return _http("PUT", f"{_TOKENS}/{target}", secret, {"label": label})

    def revoke(self, secret: str, user: str, target: int) -> bytes:
        """The end of a token."""
        return _http("DELETE", f"{_TOKENS}/{target}", secret)

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete."""
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = _LENGTH.search(received, 0, end + 2)
        body = received[end + 4 :]
        if length is not None and len(body) < int(length[1]):
            return None
        return Answer(int(received[9:12]), body)


class Asked(msgspec.Struct, array_like=True):
    """A request to a product; without a secret it is trusted."""

    act: str
    secret: str
    user: str = ""
    target: int = 0
    label: str = ""
    expiry: int | None = None


class Product:
    """`tests.prove.product`: a line of JSON for each request, and for each answer a status and a line of JSON."""

    def verify(self, secret: str) -> bytes:
        """Is it good?"""
        return _line(Asked("verify", secret))

    def issue(self, secret: str, user: str, label: str, expiry: int | None) -> bytes:
        """A new token of that user's."""
        return _line(Asked("issue", secret, user, label=label, expiry=expiry))

    def rename(self, secret: str, user: str, target: int, label: str) -> bytes:
        """Another label for a token."""
        return _line(Asked("rename", secret, user, target, label))

    def revoke(self, secret: str, user: str, target: int) -> bytes:
        """The end of a token."""
        return _line(Asked("revoke", secret, user, target))

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete."""
        if not received.endswith(b"\n"):
            return None
        return Answer(int(received[:3]), received[4:])


def _http(method: str, path: str, secret: str, body: object = None) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: prove\r\nAuthorization: Bearer {secret}\r\n"
    )
    if body is None:
        return f"{head}\r\n".encode()
    sent = msgspec.json.encode(body)
    kind = "Content-Type: application/json\r\n"
    return f"{head}{kind}Content-Length: {len(sent)}\r\n\r\n".encode() + sent


def _line(asked: Asked) -> bytes:
    return msgspec.json.encode(asked) + b"\n"
