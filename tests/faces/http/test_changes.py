"""Requests that change something, on the wire: answered where they are read, or left to the application; the same either way."""

import json
import re
import socket

import pytest
from tests.conftest import Served
from tests.faces.http.conftest import TOKENS, raw, send

pytestmark = pytest.mark.slow

# The application answers what has an encoded letter in its path.
BOTH = (TOKENS, TOKENS.replace("tokens", "%74okens"))


def post(
    server: Served,
    label: str,
    path: str = TOKENS,
    *further: str,
    version: str = "1.1",
    secret: str | None = None,
) -> bytes:
    """A request for a token."""
    body = json.dumps({"label": label, "scopes": ""})
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: x",
        f"Authorization: Bearer {secret or server.secret}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *further,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def labels(server: Served) -> list[str]:
    """Those of all tokens."""
    listed = send(server, "GET", f"{TOKENS}?page_size=500").json
    return [token["label"] for token in listed["data"]]


def same(answer: bytes) -> bytes:
    """An answer without what differs between two of them."""
    for pattern in (
        rb'"id": ?\d+',
        rb'"token": ?"\w+"',
        rb"20\d\d-[^\"]+",
        rb"date: .+",
    ):
        answer = re.sub(pattern, b"_", answer)
    return answer


@pytest.mark.parametrize(
    ("further", "version"),
    [
        ((), "1.1"),
        (("Connection: close",), "1.1"),
        (("Connection: keep-alive",), "1.1"),
        ((), "1.0"),
        (("Connection: keep-alive",), "1.0"),
        (("Expect: 100-continue",), "1.1"),
        (("Content-Encoding: gzip",), "1.1"),
    ],
)
@pytest.mark.parametrize("label", ["a", ""])
def test_both_ways(
    server: Served, further: tuple[str, ...], version: str, label: str
) -> None:
    """Status, headers in their order, body, and whether the connection stays."""
    one, other = (
        same(raw(server, post(server, label, path, *further, version=version)))
        for path in BOTH
    )
    assert one == other


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 200 * 1024])
def test_long_bodies_both_ways(server: Served, size: int) -> None:
    """One that is too long is refused by its length, and one that isn't by its label's."""
    label = "x" * (size - len(json.dumps({"label": "", "scopes": ""})))
    one, other = (same(raw(server, post(server, label, path))) for path in BOTH)
    assert one == other
    assert one.startswith(b"HTTP/1.1 4")


def test_strangers_both_ways(server: Served) -> None:
    """A secret that nobody has."""
    before, wrong = labels(server), "pql_" + "x" * 61
    one, other = (same(raw(server, post(server, "a", p, secret=wrong))) for p in BOTH)
    assert one == other
    assert one.startswith(b"HTTP/1.1 401 ")
    assert labels(server) == before


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("other", [b"GET /healthz", b"GET /authorize", None])
def test_pipelined(server: Served, pieces: int, other: bytes | None) -> None:
    """Requests sent without waiting for answers are answered in their order, wherever one ends and another begins."""
    between = b"" if other is None else other + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    text = b"".join(post(server, f"l{n}") + between for n in range(6))
    size = len(text) // pieces + 1
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    sent = raw(server, *parts)
    statuses = {None: [], b"GET /healthz": [b"200"], b"GET /authorize": [b"401"]}
    wanted = [b"200", *statuses[other]] * 6
    assert re.findall(rb"HTTP/1.1 (\d+)", sent) == wanted
    told = [label.decode() for label in re.findall(rb'"label":"(\w+)"', sent)]
    assert told == labels(server)[-6:] == [f"l{n}" for n in range(6)]


def test_close_before_another(server: Served) -> None:
    """After an answer to a request that ends the connection, none follows, as everywhere."""
    before = labels(server)
    text = post(server, "a", TOKENS, "Connection: close") + post(server, "b")
    sent = raw(server, text)
    assert re.findall(rb"HTTP/1.1 (\d+)", sent) == [b"200"]
    assert b"connection: close\r\n" in sent
    assert labels(server)[len(before)] == "a"


def test_a_client_that_goes(server: Served) -> None:
    """What it asked for is done, and nobody else notices."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(post(server, "a"))
    assert send(server, "GET", "/healthz").status == 200
    sent = raw(server, post(server, "b"))
    assert sent.startswith(b"HTTP/1.1 200 ")
    assert labels(server)[-1] == "b"
    assert "Traceback" not in server.written()


def test_the_same_head_again(server: Served) -> None:
    """What is known of a head is how it is read: bodies are taken as they come, and verdicts are new each time."""
    other = send(server, "POST", TOKENS, {"label": "other"}).json
    texts = [post(server, label, secret=other["token"]) for label in ("a", "b", "c")]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for text in (*texts, texts[0][:-5], texts[0][-5:]):
            connection.sendall(text)
            if text != texts[0][:-5]:
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert labels(server)[-5:] == ["other", "a", "b", "c", "a"]
        assert send(server, "DELETE", f"{TOKENS}/{other['id']}").status == 200
        connection.sendall(texts[0])
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
    assert labels(server)[-4:] == ["a", "b", "c", "a"]
