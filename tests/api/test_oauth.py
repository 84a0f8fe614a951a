"""Introspection and revocation as standard clients do them."""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import msgspec
import pytest
from tests.api.conftest import START, Client

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Issued, Role
from patql.kernel.clock import ManualClock
from patql.kernel.http import Headers, Request, Response

FORM: Headers = [(b"content-type", b"application/x-www-form-urlencoded")]


def post(
    api: Api,
    path: str,
    body: bytes | dict[str, str],
    secret: str | None = None,
    headers: Headers = FORM,
) -> Response:
    """The response to a form."""
    raw = body if isinstance(body, bytes) else urlencode(body).encode()
    sent = list(headers)
    if secret is not None:
        sent.append((b"authorization", f"Bearer {secret}".encode()))
    return api.handle(Request("POST", path, "", sent, raw))


@pytest.fixture
def verifier(authority: Authority, root: Issued) -> str:
    """The secret of a token, without any scope, of a user who may ask about tokens."""
    authority.add_user("gateway", role=Role.VERIFIER)
    return authority.issue("gateway", scopes="").secret.reveal()


def test_active(api: Api, authority: Authority, verifier: str) -> None:
    """Of an active token a verifier learns whose it is, and what it may do, until when."""
    issued = authority.issue("bob", scopes="linodes:read_only", expiry=START + 60)
    response = post(
        api, "/oauth/introspect", {"token": issued.secret.reveal()}, verifier
    )
    assert response.status == 200
    assert response.header(b"content-type") == b"application/json"
    assert b"no-store" in (response.header(b"cache-control") or b"")
    bob = authority.user("bob")
    assert bob is not None
    assert msgspec.json.decode(response.body) == {
        "active": True,
        "token_type": "Bearer",
        "scope": "linodes:read_only",
        "username": "bob",
        "sub": str(bob.uid),
        "jti": str(issued.token.id),
        "exp": START + 60,
        "iat": START,
    }


def test_active_forever(api: Api, authority: Authority, root: Issued) -> None:
    """A token that doesn't expire has no `exp`; an admin may ask too."""
    secret = root.secret.reveal()
    fields = {"token": secret, "token_type_hint": "refresh_token"}
    told = msgspec.json.decode(post(api, "/oauth/introspect", fields, secret).body)
    assert told["active"] is True
    assert told["scope"] == "*"
    assert "exp" not in told
    assert authority.get("alice", root.token.id) is not None


def test_inactive(
    api: Api, authority: Authority, clock: ManualClock, verifier: str
) -> None:
    """Of any other token nobody learns more than that it isn't active."""
    revoked = authority.issue("bob")
    authority.revoke("bob", revoked.token.id)
    expired = authority.issue("bob", expiry=START + 1)
    suspended = authority.issue("sue")
    authority.admin.change("sue", suspended=True)
    clock.advance(2)
    good = authority.issue("bob").secret.reveal()
    tokens = [
        revoked.secret.reveal(),
        expired.secret.reveal(),
        suspended.secret.reveal(),
        good[:-1],
        good[:20] + ("x" if good[20] != "x" else "y") + good[21:],
        "",
        "é",
    ]
    for token in tokens:
        response = post(api, "/oauth/introspect", {"token": token}, verifier)
        assert (response.status, response.body) == (200, b'{"active":false}')


def test_who_may_ask(api: Api, authority: Authority, root: Issued) -> None:
    """Without a good token 401, without the role 403, whatever the scopes; and nothing is told of the token."""
    user = authority.issue("bob", scopes="*").secret.reveal()
    secret = root.secret.reveal()
    for asker, status in ((None, 401), ("pql_x", 401), (user, 403)):
        response = post(api, "/oauth/introspect", {"token": secret}, asker)
        assert response.status == status
        assert "active" not in msgspec.json.decode(response.body)
        challenge = response.header(b"www-authenticate")
        assert challenge == (b'Bearer error="invalid_token"' if status == 401 else None)


def test_revoke(api: Api, authority: Authority, root: Issued) -> None:
    """Whoever holds a token ends it, at once; a second time, and of a token that never was, the answer is the same."""
    issued = authority.issue("bob", scopes="")
    secret = issued.secret.reveal()
    for token in (secret, secret, "pql_never", "", root.secret.reveal()[:-1]):
        fields = {"token_type_hint": "access_token", "token": token}
        response = post(api, "/oauth/revoke", fields)
        assert (response.status, response.body) == (200, b"")
        assert response.header(b"content-type") is None
        assert not authority.verify(secret)
    assert authority.verify(root.secret)
    actions = [event.action for event in authority.events("bob")]
    assert actions.count("token_delete") == 1


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", FORM),
        (b"toke=x", FORM),
        (b"token=SECRET&token=SECRET", FORM),
        (b"token=\xff", FORM),
        (b"&".join([b"x=SECRET"] * 20) + b"&token=SECRET", FORM),
        (b"token=" + b"x" * 70_000, FORM),
        (b'{"token": "SECRET"}', [(b"content-type", b"application/json")]),
        (b"token=SECRET", []),
    ],
)
def test_no_such_form(
    api: Api, root: Issued, path: str, body: bytes, headers: Headers
) -> None:
    """What isn't a form with one token is a 400, and nothing of it comes back."""
    secret = root.secret.reveal()
    sent = body.replace(b"SECRET", secret.encode())
    response = post(api, path, sent, secret, headers)
    assert response.status == 400
    assert msgspec.json.decode(response.body)["error"] == "invalid_request"
    assert secret[16:].encode() not in response.body
    assert api.authority.verify(secret)


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
def test_other_methods(api: Api, client: Client, path: str) -> None:
    """Only POST does it, since a token must not be in a URL."""
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        response = client.send(method, f"{path}?token={client.secret}")
        assert response.status == 405
        assert response.header(b"allow") == b"OPTIONS, POST"
    assert api.handle(Request("OPTIONS", path)).status == 204
    assert client.get("/v4/profile").status == 200


def test_what_a_request_is_verified_by(
    api: Api, holder: Callable[[str], Client]
) -> None:
    """A server can verify before it lets the API do the rest."""
    sent: Headers = [(b"authorization", b"Bearer x")]
    asked = api.asks(Request("POST", "/v4/profile/tokens", "", sent))
    assert asked == (b"x", ("account:read_write",))
    assert api.asks(Request("POST", "/oauth/introspect", "", sent)) == (b"x", ())
    for method, path in (
        ("POST", "/oauth/revoke"),
        ("GET", "/oauth/introspect"),
        ("GET", "/healthz"),
        ("DELETE", "/v4/profile"),
    ):
        assert api.asks(Request(method, path, "", sent)) is None
    client = holder("")
    other = Request("GET", "/v4/profile", "", sent)
    assert api.handle(other).status == 401

    def verify(_secret: bytes, needs: Sequence[str]) -> Granted | Denied:
        return api.authority.verify(client.secret, needs)

    assert api.handle(other, None, verify).status == 200
