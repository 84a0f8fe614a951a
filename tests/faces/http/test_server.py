"""A real `patql serve` on loopback: what goes over the wire, and what is written down."""

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import TOKENS, Answer, logged, raw, send

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (\S+) (pql_\w{12}|-) (\S+) (\S+) (\d{3}) (\d+)"
)

pytestmark = pytest.mark.slow


def test_answer_on_the_wire(server: Served) -> None:
    """An answer has its length, the exact content type, each header once, and nothing that names the software."""
    answer = send(server, "GET", "/v4/profile")
    assert answer.status == 200
    assert answer.json["username"] == "alice"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "date" in answer.headers
    for absent in ("server", "x-spec-version", "transfer-encoding",
                   "strict-transport-security"):  # fmt: skip
        assert absent not in answer.headers


def test_head_on_the_wire(server: Served) -> None:
    """HEAD sends GET's headers and no body, and the connection goes on."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    lengths: list[str | None] = []
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, "/healthz")
        response = connection.getresponse()
        lengths.append(response.headers["content-length"])
        assert response.read() == (b"" if method == "HEAD" else b'{"status":"ok"}')
    assert lengths == ["15"] * 3
    connection.close()


def test_no_content_on_the_wire(server: Served) -> None:
    """A 204 has neither length nor type, and the connection goes on."""
    sent = raw(server, b"OPTIONS /v4/profile HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert sent.count(b"HTTP/1.1 204 No Content\r\n") == 2
    assert b"\ncontent-length" not in sent
    assert b"\ncontent-type" not in sent


def test_connections_are_kept(server: Served) -> None:
    """Requests follow one another on one connection, errors included."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    for path, status in (("/healthz", 200), ("/x", 404), ("/v4/profile", 401)) * 2:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def test_encoded_path(server: Served) -> None:
    """A percent-encoded path is the path that it stands for."""
    assert send(server, "GET", "/v4/%70rofile").status == 200


def test_writes_at_once(server: Served) -> None:
    """Tokens created at the same time are all there, with ids of their own."""

    def create(number: int) -> Answer:
        return send(server, "POST", TOKENS, {"label": f"n{number}"})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(64)))
    assert [answer.status for answer in answers] == [200] * 64
    assert len({answer.json["id"] for answer in answers}) == 64
    for answer in answers[:3]:
        got = send(server, "GET", "/v4/profile", secret=answer.json["token"])
        assert got.status == 200


def test_lives_at_once(server: Served) -> None:
    """Sixteen at once create, list, use and revoke: each token works until its DELETE has returned, and not after."""

    def live(number: int) -> list[int]:
        made = send(server, "POST", TOKENS, {"label": f"life-{number}"}).json
        path, secret = f"{TOKENS}/{made['id']}", made["token"]
        listed = send(server, "GET", f"{TOKENS}?page_size=500").json
        ids = [row["id"] for row in listed["data"]]
        assert ids == sorted(set(ids))
        assert len(ids) == listed["results"]
        return [
            made["id"] in ids,
            send(server, "GET", "/v4/profile", secret=secret).status,
            send(server, "DELETE", path, secret=secret).status,
            send(server, "GET", "/v4/profile", secret=secret).status,
            send(server, "DELETE", path).status,
        ]

    with ThreadPoolExecutor(16) as pool:
        lives = list(pool.map(live, range(64)))
    assert lives == [[True, 200, 200, 401, 404]] * 64


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_body_too_long(server: Served, size: int) -> None:
    """A body over 64 KiB is 413, and a good request afterwards is good."""
    answer = send(server, "POST", TOKENS, b" " * size)
    assert answer.status == 413
    assert answer.json == {
        "errors": [{"reason": "The body is longer than 65536 bytes"}]
    }
    assert send(server, "POST", TOKENS, b"{}".ljust(65_536)).status == 200


@pytest.mark.parametrize("secret", ["pql_mistyped", None])
def test_long_body_of_a_stranger(server: Served, secret: str | None) -> None:
    """A batch may be long; without a token that may send one, nothing of it is waited for."""
    reader = send(server, "POST", TOKENS, {"scopes": "account:read_only"}).json["token"]
    head = (
        f"POST /v4/patql/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret or reader}\r\n"
        "Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"
    )
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 401 ")


def test_endless_body(server: Served) -> None:
    """A body that is announced as endless is refused as soon as it is too long, without its end."""
    head = (
        f"POST {TOKENS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.secret}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    declared = head + b"Content-Length: 10000000000\r\n\r\n"
    assert b"HTTP/1.1 413 " in raw(server, declared, b" " * 70_000)
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    assert b"HTTP/1.1 413 " in raw(server, chunked, chunk, chunk, chunk)


def test_chunked_body(server: Served) -> None:
    """A body in chunks is put together."""
    head = (
        f"POST {TOKENS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.secret}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    sent = raw(
        server, head, b'8\r\n{"label"\r\n', b'7\r\n:"bits"\r\n', b"1\r\n}\r\n0\r\n\r\n"
    )
    assert b"HTTP/1.1 200 " in sent
    assert b'"label":"bits"' in sent


def test_slow_request(server: Served) -> None:
    """A request that comes letter by letter is answered, and so are others meanwhile."""
    request = f"GET /v4/profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.secret}\r\n\r\n"
    letters = [letter.encode() for letter in request]
    answers: list[bytes] = []
    slow = threading.Thread(
        target=lambda: answers.append(raw(server, *letters, pause=0.005))
    )
    slow.start()
    while slow.is_alive():
        assert send(server, "GET", "/healthz").status == 200
    assert answers[0].startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests(server: Served) -> None:
    """Requests sent in one go are answered in their order."""
    request = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = raw(
        server, b"".join(request % path for path in (b"/healthz", b"/x", b"/healthz"))
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", sent) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    "part",
    [
        b"GET /v4/prof",
        b"POST /v4/profile/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
    ],
)
def test_client_that_goes_away(server: Served, part: bytes) -> None:
    """A request that its client doesn't finish leaves nothing behind."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(part)
    assert send(server, "GET", "/healthz").status == 200
    assert "Traceback" not in server.written()


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"BREW /v4/profile HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX: a\0b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_no_http(server: Served, text: bytes) -> None:
    """What isn't HTTP, or could be read in two ways, is a 400 in JSON, and nothing breaks."""
    head, _, body = raw(server, text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head
    assert json.loads(body) == {
        "errors": [{"reason": "Invalid HTTP request received."}]
    }
    assert send(server, "GET", "/healthz").status == 200


@pytest.mark.parametrize("begun", [b"GET /healthz HTTP/1.1\r\nX: ", b"GET /"])
def test_endless_head(server: Served, begun: bytes) -> None:
    """A head that doesn't end is refused once it is too long, and one that ends before that is read."""
    piece = b"a" * 32 * 1024
    sent = raw(server, begun, piece, piece, piece, pause=0.05)
    assert sent.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    told = json.loads(sent.partition(b"\r\n\r\n")[2])
    assert told == {"errors": [{"reason": "The request line and headers are too long"}]}
    ended = b" HTTP/1.1\r\n\r\n" if begun == b"GET /" else b"\r\n\r\n"
    read = raw(server, begun, piece, piece[:-100], ended, pause=0.05)
    assert re.match(rb"HTTP/1.1 (200|404) ", read)


def test_heads_are_measured_one_by_one(server: Served) -> None:
    """Many requests on one connection, in pieces that end within a head, are no long head."""
    padding = b"X: %b\r\n" % (b"a" * 20_000)
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + padding + b"\r\n"
    stream = request * 12
    pieces = [stream[at : at + 13_000] for at in range(0, len(stream), 13_000)]
    assert raw(server, *pieces, pause=0.005).count(b"HTTP/1.1 200 ") == 12


def test_headers_sent_twice(server: Served) -> None:
    """Two Authorization headers are refused on the wire too."""
    line = f"Authorization: Bearer {server.secret}\r\n"
    request = f"GET /v4/profile HTTP/1.1\r\nHost: x\r\n{line}{line}\r\n"
    assert raw(server, request.encode()).startswith(b"HTTP/1.1 401 ")


def test_access_log(serving: Serving, tmp_path: Path) -> None:
    """Each request is a line of time, client, 16 characters of a token, method, path, status and bytes."""
    with serving(tmp_path) as served:
        sizes = [
            len(send(served, "GET", f"{TOKENS}?page=1&x=query").body),
            len(send(served, "POST", TOKENS, {"label": "in-the-body"}).body),
            len(send(served, "GET", "/v4/no%0Athing%20here", secret="x" * 20).body),
        ]
    announced, *lines = served.written().splitlines()
    assert announced == f"patql serves {served.url} until it is interrupted"
    handle = served.secret[:16]
    found = [LINE.fullmatch(line) for line in lines]
    assert [match.groups() if match else None for match in found] == [
        ("127.0.0.1", handle, "GET", TOKENS, "200", str(sizes[0])),
        ("127.0.0.1", handle, "POST", TOKENS, "200", str(sizes[1])),
        ("127.0.0.1", "-", "GET", "/v4/no\\nthing\\x20here", "404", str(sizes[2])),
    ]


def test_secrets_are_written_nowhere(serving: Serving, tmp_path: Path) -> None:
    """However a token is sent, neither log nor database holds it."""
    with serving(tmp_path) as served:
        made = send(served, "POST", TOKENS, {"label": "x", "scopes": ""}).json["token"]
        for secret in (served.secret, made):
            send(served, "GET", f"/v4/{secret}/x")
            send(served, "GET", f"{TOKENS}/{secret}?token={secret}")
            send(served, "GET", TOKENS, headers={"X-Filter": json.dumps({secret: 1})})
            send(served, "POST", TOKENS, {"scopes": secret})
            send(served, "POST", TOKENS, {"api_token": secret})
            send(served, "POST", TOKENS, secret.encode())
            send(
                served,
                "GET",
                "/v4/profile",
                headers={"Authorization": f"Basic {secret}"},
            )
            send(served, "GET", "/v4/profile", headers={"Authorization": secret})
        logged(served, f"GET /v4/{made[:16]}…/x 404")
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        for secret in (served.secret, made):
            assert secret[:16].encode() in held
            assert secret.encode() not in held
            assert secret[16:].encode() not in held
            assert secret[17:33].encode() not in held
