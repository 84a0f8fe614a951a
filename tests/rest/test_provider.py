"""Requests to servers that a document names, and what goes there."""

import socket

import pytest
from tests.rest.conftest import Server, Start

from patql.catalog.document import Auth
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.kernel.secrets import Secret
from patql.rest.auth import Credential, Secrets, bearer, credential
from patql.rest.http import HttpTransport
from patql.rest.origin import parse_server
from patql.rest.provider import ProviderTransport

KEY = "k3y/+ &"
TOKEN = Secret("shop_" + "x" * 40)


def in_query(origin: str) -> Credential:
    """A key that is sent in the query."""
    auth = Auth("custom", ("KEY",), "query", "key")
    made = credential(auth, Secrets(origin, lambda _: Secret(KEY), None))
    assert made is not None
    return made


@pytest.mark.parametrize("copies", [1, 3])
def test_without_a_url_the_documents_servers_are_asked(
    start: Start, copies: int
) -> None:
    """Each request at its own; no credential goes there."""
    first, second = start(), start()
    transport = ProviderTransport("shop", None, None)
    requests = [
        Request("GET", "/n", base=f"{server.origin}/v1") for server in (first, second)
    ]
    for server, request in zip((first, second), requests, strict=True):
        answers = transport.send([request] * copies, 2)
        assert [a.status for a in answers] == [200] * copies
        for _, path, headers, _ in server.seen:
            assert path == "/v1/n"
            assert "authorization" not in headers
    assert (transport.target, transport.acting) == ("shop", None)
    transport.close()


@pytest.mark.parametrize(
    ("path", "base", "asked"),
    [
        ("", "https://api.shop.example/v1", "/v1/n"),
        ("/", "https://api.shop.example", "/n"),
        ("", None, "/n"),
        ("/mine", "https://api.shop.example/v1", "/mine/n"),
        ("/mine/", None, "/mine/n"),
    ],
)
@pytest.mark.parametrize("copies", [1, 3])
def test_a_url_takes_the_place_of_the_documents(
    server: Server, path: str, base: str | None, asked: str, copies: int
) -> None:
    """An origin of theirs, a URL with a path of the whole; the credential goes there."""
    consent = parse_server(server.origin + path)
    token = bearer(consent.origin, TOKEN)
    transport = ProviderTransport("shop", consent, token)
    list(transport.send([Request("GET", "/n", base=base)] * copies, 2))
    for _, target, headers, _ in server.seen:
        assert target == asked
        assert headers["authorization"] == f"Bearer {TOKEN.reveal()}"
    assert transport.target == server.origin + path.rstrip("/")
    assert transport.acting == TOKEN.shown
    transport.close()


def test_a_key_in_the_query_comes_after_what_was_asked(server: Server) -> None:
    """Encoded."""
    consent = parse_server(server.origin)
    transport = ProviderTransport("shop", consent, in_query(consent.origin))
    for query in ("", "a=1"):
        list(transport.send([Request("GET", "/n", query)], 1))
    asked = [target for _, target, _, _ in server.seen]
    assert asked == ["/n?key=k3y%2F%2B%20%26", "/n?a=1&key=k3y%2F%2B%20%26"]
    transport.close()


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("name", ["close", "half", "broken-gzip", "nobody"])
def test_a_key_in_the_query_is_never_told(
    server: Server, name: str, copies: int
) -> None:
    """Not in the error, nor in what a traceback shows of what caused it."""
    origin = server.origin
    if name == "nobody":
        with socket.create_server(("127.0.0.1", 0)) as free:
            origin = f"http://127.0.0.1:{free.getsockname()[1]}"
    consent = parse_server(origin)
    transport = ProviderTransport("shop", consent, in_query(consent.origin), retry=0)
    with pytest.raises(PatqlError) as caught:
        list(transport.send([Request("GET", f"/{name}")] * copies, 2))
    transport.close()
    told = repr(caught.getrepr(style="long", showlocals=True, chain=True))
    for secret in (KEY, "k3y", "k3y%2F%2B%20%26"):
        assert secret not in str(caught.value)
        assert secret not in told
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_plain_http_is_for_loopback() -> None:
    """A document's server elsewhere must be insisted on."""
    transport = ProviderTransport("shop", None, None)
    request = Request("GET", "/n", base="http://shop.invalid/v1")
    with pytest.raises(PatqlError, match="plain http") as caught:
        list(transport.send([request], 1))
    assert caught.value.code is Code.USAGE
    assert "--provider-url shop=URL" in str(caught.value)
    insisting = ProviderTransport("shop", None, None, insecure=True)
    with pytest.raises(PatqlError, match=r"can't connect to http://shop\.invalid/v1"):
        list(insisting.send([request], 1))


@pytest.mark.parametrize(
    ("base", "says"),
    [(None, "doesn't say where"), ("https://{region}.shop.example", "can't be asked")],
)
def test_there_must_be_a_place_to_ask(base: str | None, says: str) -> None:
    """A URL."""
    transport = ProviderTransport("shop", None, None)
    with pytest.raises(PatqlError, match=says) as caught:
        list(transport.send([Request("GET", "/n", base=base)], 1))
    assert caught.value.code is Code.USAGE


def test_a_reason_why_nothing_can_be_sent_is_told(server: Server) -> None:
    """Whenever something would be."""
    reason = PatqlError(Code.CREDENTIAL, "there is none")
    transport = ProviderTransport("shop", parse_server(server.origin), reason)
    for _ in range(2):
        with pytest.raises(PatqlError, match="there is none"):
            transport.send([Request("GET", "/n")], 1)
    assert transport.acting is None
    assert server.seen == []


@pytest.mark.parametrize("copies", [1, 3])
def test_our_token_stays_with_its_origin(start: Start, copies: int) -> None:
    """Also where a request goes elsewhere; another path of the origin is no other place."""
    own, other = start(), start()
    transport = HttpTransport(own.base, TOKEN)
    elsewhere = Request("GET", "/n", base=f"{other.origin}/v1")
    list(transport.send([elsewhere] * copies, 2))
    list(transport.send([Request("GET", "/n", base=f"{own.origin}/x")] * copies, 2))
    assert len(other.seen) == len(own.seen) == copies
    assert all("authorization" not in headers for _, _, headers, _ in other.seen)
    for _, path, headers, _ in own.seen:
        assert path == "/x/n"
        assert headers["authorization"] == f"Bearer {TOKEN.reveal()}"
    transport.close()
