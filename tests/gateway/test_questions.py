"""What each gateway asks of the authority, and what it makes of the answers: seen by a stand-in for the authority."""

import json
from collections.abc import Mapping

import pytest
from tests.gateway.conftest import IDENTITY, Posed, ask, raw

pytestmark = pytest.mark.slow

QUESTIONS = {
    "nginx": ("GET", "/authorize/{}"),
    "caddy": ("GET", "/authorize?scope={}"),
    "traefik": ("GET", "/authorize?scope={}"),
    "envoy": ("POST", "/authorize/{}/way?scope=domains:read_only"),
}
"""Method and target of what each asks about a POST to /way?scope=domains:read_only."""


def test_question(posed: Posed) -> None:
    """The authority is asked once, for fixed scopes, without the body, and with none of the client's cookies."""
    sent = [("Authorization", "Bearer x"), ("Cookie", "a=b")]
    body = b"z" * 300_000
    path = "/way?scope=domains:read_only"
    assert ask(posed.port, "POST", path, headers=sent, body=body).status == 200
    (asked,) = posed.authority.arrived
    method, target = QUESTIONS[posed.gateway]
    assert (asked.method, asked.target) == (method, target.format("linodes:read_write"))
    assert asked.body == b""
    assert asked.all("content-length") in ([], ["0"])
    assert asked.all("transfer-encoding") == []
    assert asked.all("authorization") == ["Bearer x"]
    assert asked.all("cookie") == []
    (arrived,) = posed.product.arrived
    assert arrived.body == body
    assert arrived.target == path


def test_body_of_unknown_length(posed: Posed) -> None:
    """A body in chunks goes to the product, and not to the authority."""
    head = b"POST /way HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert b" 200 " in raw(posed.port, head + chunks)
    (asked,) = posed.authority.arrived
    assert asked.body == b""
    assert asked.all("transfer-encoding") == []
    assert [arrived.body for arrived in posed.product.arrived] == [b"hello world"]


def test_connections_to_the_authority_are_kept(posed: Posed) -> None:
    """A question doesn't take a connection of its own."""
    for number in range(20):
        posed.authority.status = 401 if number % 5 == 4 else 200
        ask(posed.port, headers=[("Authorization", "Bearer x")])
    assert len(posed.authority.arrived) == 20
    assert len({asked.connection for asked in posed.authority.arrived}) <= 3


def test_identity(posed: Posed) -> None:
    """What the authority says of the client reaches the product, once each."""
    ask(posed.port, headers=[("X-Auth-User", "mallory")])
    (arrived,) = posed.product.arrived
    for name, value in IDENTITY.items():
        assert arrived.all(name.lower()) == [value]


def test_identity_that_was_not_given(posed: Posed) -> None:
    """Where the authority says nothing under a name, what the client said under it doesn't take its place."""
    posed.authority.headers = {"X-Auth-User": "ada"}
    ask(posed.port, headers=[(name, "mallory") for name in IDENTITY])
    (arrived,) = posed.product.arrived
    assert arrived.all("x-auth-user") == ["ada"]
    assert "mallory" not in {value for _, value in arrived.headers}


CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
LATER = {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, CHALLENGE), (403, CHALLENGE), (429, LATER), (503, LATER)],
    ids=["401", "403", "429", "503"],
)
def test_refusal(posed: Posed, status: int, headers: Mapping[str, str]) -> None:
    """A refusal reaches the client as it is, with how to do better; nothing reaches the product."""
    posed.authority.status, posed.authority.headers = status, headers
    answer = ask(posed.port, headers=[("Authorization", "Bearer x")])
    assert answer.status == status
    for name, value in headers.items():
        # Envoy puts its own answer in place of any 5xx.
        own = posed.gateway == "envoy" and status == 503
        assert answer.headers[name.lower()] == ("1" if own else value)
    if posed.gateway == "nginx":
        assert answer.headers["content-type"] == "application/json"
        assert list(json.loads(answer.body)) == ["errors"]
    else:
        assert answer.body == b""
    assert posed.product.arrived == []


@pytest.mark.parametrize("status", [0, 302, 400, 404, 500])
def test_anything_else(posed: Posed, status: int) -> None:
    """Any other answer, and none, lets nothing pass."""
    posed.authority.status, posed.authority.headers = status, IDENTITY
    answer = ask(posed.port, headers=[("Authorization", "Bearer x")])
    assert answer.status >= 300
    assert posed.product.arrived == []


def test_what_the_product_refuses(posed: Posed) -> None:
    """The product's own refusals stay as they are."""
    posed.product.headers = {"WWW-Authenticate": "Custom", "X-Of": "product"}
    posed.product.body = b"own"
    for status in (401, 403, 404, 429, 500, 503):
        posed.product.status = status
        answer = ask(posed.port)
        assert (answer.status, answer.body) == (status, b"own")
        assert answer.headers["x-of"] == "product"
        assert answer.headers["www-authenticate"] == "Custom"
