"""A real `patql serve` on loopback: what goes over the wire, what is written down, how it starts and stops."""

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conftest import Served, Serving

TOKENS = "/v4/profile/tokens"
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (\S+) (pql_\w{12}|-) (\S+) (\S+) (\d{3}) (\d+)"
)

pytestmark = pytest.mark.slow


class Answer(NamedTuple):
    """What came back: status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, read as JSON."""
        return json.loads(self.body)


@pytest.fixture(scope="module")
def server(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Served]:
    """One server for the tests that only send requests."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


def send(
    served: Served,
    method: str,
    path: str,
    body: object = None,
    secret: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    sent = {"Authorization": f"Bearer {secret or served.secret}", **(headers or {})}
    raw = None
    if body is not None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, raw, sent)
    response = connection.getresponse()
    answer = Answer(
        response.status,
        {name.lower(): value for name, value in response.getheaders()},
        response.read(),
    )
    connection.close()
    return answer


def raw(served: Served, *parts: bytes, pause: float = 0.0) -> bytes:
    """What a server sends back for some bytes, until it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        connection.settimeout(0.2)
        try:
            while more := connection.recv(65536):
                received += more
        except TimeoutError:
            pass
        return received


def logged(served: Served, wanted: str) -> str:
    """What a server has written, once that is in it."""
    deadline = time.monotonic() + 5
    while wanted not in (text := served.written()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert wanted in text
    return text


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


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_body_too_long(server: Served, size: int) -> None:
    """A body over 64 KiB is 413, and a good request afterwards is good."""
    answer = send(server, "POST", TOKENS, b" " * size)
    assert answer.status == 413
    assert answer.json == {
        "errors": [{"reason": "The body is longer than 65536 bytes"}]
    }
    assert send(server, "POST", TOKENS, b"{}".ljust(65_536)).status == 200


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
    [b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET /\xff HTTP/1.1\r\n\r\n"],
)
def test_no_http(server: Served, text: bytes) -> None:
    """What isn't HTTP is a 400, and nothing breaks."""
    assert raw(server, text).startswith(b"HTTP/1.1 400 ")
    assert send(server, "GET", "/healthz").status == 200


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


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(
    serving: Serving, tmp_path: Path, stop: signal.Signals, workers: str
) -> None:
    """Told to stop, a server finishes the request that is under way, takes no other, and ends with 0."""
    with serving(tmp_path, "--workers", workers, stop=stop) as served:
        _wait_until_well(served)
        body = b'{"label": "last"}'
        head = (
            f"POST {TOKENS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.2)
        served.process.send_signal(stop)
        time.sleep(0.7)
        connection.sendall(body[5:])
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"label":"last"' in answer
        assert b"connection: close" in answer
        connection.close()
        assert served.process.wait(15) == 0
        with pytest.raises(ConnectionError):
            send(served, "GET", "/healthz")
    assert f"POST {TOKENS} 200" in served.written()
    assert "Traceback" not in served.written()


def _wait_until_well(served: Served) -> None:
    """Workers take a moment to start; the first answers mean that they have."""
    for _ in range(20):
        assert send(served, "GET", "/healthz").status == 200


def test_two_workers(serving: Serving, tmp_path: Path) -> None:
    """What one worker did, the other knows at once: a revoked token is refused by both."""
    with serving(tmp_path, "--workers", "2") as served:
        _wait_until_well(served)
        children = Path(
            f"/proc/{served.process.pid}/task/{served.process.pid}/children"
        )
        assert len(children.read_text().split()) >= 2
        for _ in range(10):
            made = send(served, "POST", TOKENS, {"label": "brief"}).json
            for _ in range(4):
                seen = send(served, "GET", "/v4/profile", secret=made["token"])
                assert seen.status == 200
            send(served, "DELETE", f"{TOKENS}/{made['id']}")
            for _ in range(4):
                seen = send(served, "GET", "/v4/profile", secret=made["token"])
                assert seen.status == 401


def test_tls(serving: Serving, tmp_path: Path, need: Callable[..., str]) -> None:
    """With a certificate it serves https, says that only https will do from now on, and no plain http."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with serving(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as served:
        assert served.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(cert))
        connection = HTTPSConnection("127.0.0.1", served.port, context=context)
        headers = {"Authorization": f"Bearer {served.secret}"}
        connection.request("GET", "/v4/profile", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["strict-transport-security"] == "max-age=31536000"
        response.read()
        connection.close()
        assert raw(served, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""


def test_insecure_on_every_address(serving: Serving, tmp_path: Path) -> None:
    """A public address is served without TLS where one insists."""
    with serving(tmp_path, "--host", "0.0.0.0", "--insecure") as served:
        assert send(served, "GET", "/healthz").status == 200


def refused(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A `patql serve` that isn't expected to start."""
    database = f"sqlite:///{folder / 'tokens.db'}"
    command = [sys.executable, "-m", "patql", "serve", "--db", database, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], ["0.0.0.0", "--tls-cert", "--insecure"]),
        (["--host", "::"], ["::", "--tls-cert", "--insecure"]),
        (["--host", "192.0.2.1"], ["192.0.2.1", "--tls-cert", "--insecure"]),
        (["--host", "tokens.example"], ["tokens.example", "--insecure"]),
        (["--tls-cert", "x.pem"], ["--tls-cert", "--tls-key"]),
        (["--tls-key", "x.pem"], ["--tls-cert", "--tls-key"]),
        (
            ["--tls-cert", "x.pem", "--tls-key", "y.pem"],
            ["x.pem", "y.pem", "No such file"],
        ),
        (["--port", "{port}"], ["{port}", "in use", "--port"]),
        (["--port", "99999"], ["99999", "--port"]),
        (["--host", "192.0.2.1", "--insecure"], ["192.0.2.1", "--host"]),
    ],
)
def test_refused_start(server: Served, options: list[str], words: list[str]) -> None:
    """A server that can't or mustn't listen says why, and what would help, and exits with 2."""
    port = str(server.port)
    options = [option.format(port=port) for option in options]
    done = refused(server.database.parent, *options)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word.format(port=port) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_database(tmp_path: Path, workers: str) -> None:
    """Without a database there is no server, however many workers it would have."""
    done = refused(tmp_path, "--workers", workers, "--port", "0")
    assert done.returncode == 1, done.stderr
    assert "patql init" in done.stderr
    assert "Traceback" not in done.stderr
