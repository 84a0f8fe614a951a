"""How operations are worded at the two kinds of door: the API over HTTP, and a product that has the authority in process.

Statuses are HTTP's at both. `secret` is the token that is presented; a product does without, trusted, where it is empty.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from tests.prove.wire import Answer

_TOKENS = "/v4/profile/tokens"
_BATCH = "/v4/patql/batch"
_USERS = "/v4/patql/users"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r", re.IGNORECASE)
_INACTIVE = b'{"active":false}'
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class Created(msgspec.Struct):
    """What an answer tells of a new token."""

    id: int
    token: str


class Several(msgspec.Struct):
    """What an answer tells of new tokens."""

    tokens: list[Created]


class Wording(Protocol):
    """The requests that every door takes."""

    def verify(self, secret: str, way: int) -> bytes:
        """Is it good? By any of the ways that there are to ask."""
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

    def surrender(self, secret: str) -> bytes:
        """The end of the token that is presented."""
        ...

    def issue_many(
        self, secret: str, user: str, labels: Sequence[str], key: str
    ) -> bytes:
        """New tokens, all or none; the key makes the request repeatable, where the door has that."""
        ...

    def revoke_many(
        self, secret: str, user: str, targets: Sequence[int], *, cascade: bool
    ) -> bytes:
        """The end of tokens, all or none, and of all that descend from them where that is asked for."""
        ...

    def suspend(self, user: str, *, for_ever: bool) -> bytes:
        """The end of a user's tokens."""
        ...

    def resume(self, user: str) -> bytes:
        """All that a suspension took, given back."""
        ...

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete."""
        ...


class Api:
    """The API over HTTP; the user is whose token is presented.

    Args:
        admin: the secret of an admin, who asks about tokens and suspends users.
    """

    def __init__(self, admin: str) -> None:
        self._admin = admin

    def verify(self, secret: str, way: int) -> bytes:
        """Use it, ask as a gateway, or introspect it."""
        if way % 3 == 0:
            return _http("GET", "/v4/profile", secret)
        if way % 3 == 1:
            return _http("GET", "/authorize", secret)
        form = f"token={secret}".encode()
        return _http("POST", "/oauth/introspect", self._admin, form, _FORM)

    def issue(self, secret: str, user: str, label: str, expiry: int | None) -> bytes:
        """A new token, with the scopes of the acting one."""
        until = expiry and f"{datetime.fromtimestamp(expiry, UTC):%FT%T}"
        return _http("POST", _TOKENS, secret, _json(label=label, expiry=until))

    def rename(self, secret: str, user: str, target: int, label: str) -> bytes:
        """Another label for a token."""
        return _http("PUT", f"{_TOKENS}/{target}", secret, _json(label=label))

    def revoke(self, secret: str, user: str, target: int) -> bytes:
        """The end of a token."""
        return _http("DELETE", f"{_TOKENS}/{target}", secret)

    def surrender(self, secret: str) -> bytes:
        """The end of the token that is presented, by RFC 7009."""
        return _http("POST", "/oauth/revoke", "", f"token={secret}".encode(), _FORM)

    def issue_many(
        self, secret: str, user: str, labels: Sequence[str], key: str
    ) -> bytes:
        """New tokens, all or none."""
        wanted = _json(tokens=[{"label": label} for label in labels])
        return _http("POST", _BATCH, secret, wanted, key=key)

    def revoke_many(
        self, secret: str, user: str, targets: Sequence[int], *, cascade: bool
    ) -> bytes:
        """The end of tokens, all or none."""
        wanted = _json(ids=targets, cascade=cascade)
        return _http("DELETE", _BATCH, secret, wanted)

    def suspend(self, user: str, *, for_ever: bool) -> bytes:
        """The end of a user's tokens, by the admin."""
        if for_ever:
            return _http("DELETE", f"{_USERS}/{user}", self._admin)
        return _http("PUT", f"{_USERS}/{user}", self._admin, _json(state="suspended"))

    def resume(self, user: str) -> bytes:
        """All that a suspension took, given back by the admin."""
        return _http("PUT", f"{_USERS}/{user}", self._admin, _json(state="active"))

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete; what introspection says in the body is said by the status."""
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = _LENGTH.search(received, 0, end + 2)
        body = received[end + 4 :]
        if length is not None and len(body) < int(length[1]):
            return None
        status = int(received[9:12])
        if status == 503 and b"\r\nretry-after: " not in received[: end + 2]:
            status = 500  # a client must be told when to come back
        return Answer(401 if body == _INACTIVE else status, body)


class Asked(msgspec.Struct, array_like=True):
    """A request to a product."""

    act: str
    secret: str = ""
    user: str = ""
    target: int = 0
    label: str = ""
    expiry: int | None = None
    labels: Sequence[str] = ()
    targets: Sequence[int] = ()
    cascade: bool = False


class Product:
    """`tests.prove.product`: a line of JSON for each request, and for each answer a status and a line of JSON."""

    def verify(self, secret: str, way: int) -> bytes:
        """Is it good? There is one way."""
        return _line(Asked("verify", secret))

    def issue(self, secret: str, user: str, label: str, expiry: int | None) -> bytes:
        """A new token."""
        return _line(Asked("issue", secret, user, label=label, expiry=expiry))

    def rename(self, secret: str, user: str, target: int, label: str) -> bytes:
        """Another label for a token."""
        return _line(Asked("rename", secret, user, target, label))

    def revoke(self, secret: str, user: str, target: int) -> bytes:
        """The end of a token."""
        return _line(Asked("revoke", secret, user, target))

    def surrender(self, secret: str) -> bytes:
        """The end of the token that is presented."""
        return _line(Asked("surrender", secret))

    def issue_many(
        self, secret: str, user: str, labels: Sequence[str], key: str
    ) -> bytes:
        """New tokens, all or none."""
        return _line(Asked("issue_many", secret, user, labels=labels))

    def revoke_many(
        self, secret: str, user: str, targets: Sequence[int], *, cascade: bool
    ) -> bytes:
        """The end of tokens, all or none."""
        many = Asked("revoke_many", secret, user, targets=targets, cascade=cascade)
        return _line(many)

    def suspend(self, user: str, *, for_ever: bool) -> bytes:
        """The end of a user's tokens."""
        return _line(Asked("remove" if for_ever else "suspend", "", user))

    def resume(self, user: str) -> bytes:
        """All that a suspension took, given back."""
        return _line(Asked("resume", "", user))

    def parse(self, received: bytes) -> Answer | None:
        """An answer, once it is complete."""
        if not received.endswith(b"\n"):
            return None
        return Answer(int(received[:3]), received[4:])


def _http(
    method: str,
    path: str,
    secret: str,
    body: bytes | None = None,
    kind: str = _JSON,
    key: str = "",
) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: prove\r\n"
    if secret:
        head += f"Authorization: Bearer {secret}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _json(**fields: object) -> bytes:
    return msgspec.json.encode(fields)


def _line(asked: Asked) -> bytes:
    return msgspec.json.encode(asked) + b"\n"
