"""`/authorize` on the wire: the answers, and that it doesn't matter which of two ways a request takes."""

import re
import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import TOKENS, logged, raw, send

from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

pytestmark = pytest.mark.slow

ODD = b"Expect: 100-continue\r\n"
"""What makes a request odd, so that the application answers it and not the connection."""


class Holders:
    """A server with tokens of several kinds, by name."""

    def __init__(self, served: Served) -> None:
        self.served = served
        with Authority(SqliteStore(served.database), SystemClock()) as authority:
            reader = authority.issue("ada", scopes="linodes:read_only")
            revoked = authority.issue("ada")
            authority.revoke("ada", revoked.token.id)
            odd = authority.issue("Zoë, 50%\r\n", scopes="")
        self.secrets = {
            "root": served.secret,
            "reader": reader.secret.reveal(),
            "revoked": revoked.secret.reveal(),
            "odd": odd.secret.reveal(),
            "mistyped": served.secret[:-1] + ("x" if served.secret[-1] != "x" else "y"),
        }
        self.reader = reader.token

    def request(self, text: str, *, odd: bool = False) -> bytes:
        """A request, written as `METHOD TARGET [HEADER: VALUE]…` with tokens' names in braces."""
        line, *headers = text.split(" | ")
        lines = [f"{line} HTTP/1.1", "Host: x", *headers]
        for name, secret in self.secrets.items():
            lines = [each.replace(f"{{{name}}}", secret) for each in lines]
        head = "".join(f"{each}\r\n" for each in lines).encode()
        return head + (ODD if odd else b"") + b"\r\n"


@pytest.fixture(scope="module")
def holders(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Holders]:
    """Such a server."""
    with serving(tmp_path_factory.mktemp("authorize")) as served:
        yield Holders(served)


BEARER = "Authorization: Bearer"
CASES = [
    (f"GET /authorize | {BEARER} {{root}}", 200),
    (f"GET /authorize? | {BEARER} {{reader}}", 200),
    (f"GET /authorize?scope=linodes:read_only | {BEARER} {{reader}}", 200),
    (f"GET /authorize/linodes:read_only/x?y=z | {BEARER} {{reader}}", 200),
    (f"HEAD /authorize | {BEARER} {{root}}", 200),
    (f"POST /authorize | {BEARER} {{root}}", 200),
    (f"DELETE /authorize | {BEARER} {{root}} | Content-Length: 0", 200),
    (f"PATCH /authorize/*/x | {BEARER} {{root}}", 200),
    (f"OPTIONS /authorize | {BEARER} {{odd}}", 200),
    (f"GET /authorize | {BEARER} {{root}} | X-Auth-User: mallory | X-Auth-Scopes: *", 200),
    (f"GET /authorize?scope=linodes:read_write | {BEARER} {{reader}}", 403),
    (f"GET /authorize/linodes:read_write/?scope=linodes:read_only | {BEARER} {{reader}}", 403),
    (f"GET /authorize?scope=* | {BEARER} {{reader}}", 403),
    ("GET /authorize", 401),
    ("GET /authorize?scope=linodes:read_only | Authorization: Basic cm9vdDo=", 401),
    (f"GET /authorize | {BEARER} {{mistyped}}", 401),
    (f"GET /authorize | {BEARER} {{revoked}}", 401),
    (f"GET /authorize | {BEARER}", 401),
    (f"GET /authorize | {BEARER} {{root}} | {BEARER} {{root}}", 401),
    (f"GET /authorize | Authorization: | {BEARER} {{root}}", 401),
    ("GET /authorize?token={root}", 400),
    (f"GET /authorize?scope= | {BEARER} {{root}}", 400),
    (f"GET /authorize/ | {BEARER} {{root}}", 400),
    (f"GET /authorize?scope=linodes:read_only&scope=x | {BEARER} {{root}}", 400),
    (f"GET /authorize/nothing:read_only/x | {BEARER} {{root}}", 400),
    (f"GET /authorize?#x | {BEARER} {{root}}", 400),
    (f"GET /authorize?scope=linodes:read_only#x | {BEARER} {{root}}", 400),
    (f"GET /authorize/linodes:read_only#x/y | {BEARER} {{root}}", 400),
    (f"GET /authorize/linodes:read_only/y?z#x | {BEARER} {{reader}}", 200),
    (f"GET /authorize#x | {BEARER} {{root}}", 404),
    (f"GET /authorized | {BEARER} {{root}}", 404),
    (f"GET /%61uthorize | {BEARER} {{root}}", 404),
    (f"GET /authorize | {BEARER} {{root}} | Connection: close", 200),
    (f"GET /authorize | {BEARER} {{root}} | Connection: keep-alive", 200),
    (f"GET /authorize | {BEARER} {{reader}} | X-Forwarded-For: 203.0.113.9", 200),
]  # fmt: skip


def _undated(answer: bytes) -> bytes:
    return re.sub(rb"\ndate: [^\r]+", b"\ndate: -", answer)


@pytest.mark.parametrize(("text", "status"), CASES)
def test_both_ways(holders: Holders, text: str, status: int) -> None:
    """A request is answered in the same bytes whether the connection answers it or the application does."""
    served = holders.served
    plain = _undated(raw(served, holders.request(text)))
    assert plain.startswith(b"HTTP/1.1 %d " % status)
    head, _, body = plain.partition(b"\r\n\r\n")
    if status != 404:
        assert body == b""
        assert head.count(b"\r\ncontent-length: 0") == 1
        assert head.count(b"\r\ncache-control: no-store") == 1
        assert (b"\r\nwww-authenticate: Bearer " in head) is (status in (401, 403))
    assert (b"\r\nx-auth-" in head) is (status == 200)
    assert (b"\r\nconnection: close" in head) is ("Connection: close" in text)
    assert _undated(raw(served, holders.request(text, odd=True))) == plain


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("odd", [False, True])
def test_old_version(holders: Holders, version: str, *, odd: bool) -> None:
    """A connection of HTTP 1.0 ends with the answer, even where the client would rather keep it."""
    text = f"GET /authorize | {BEARER} {{root}} | Connection: keep-alive"
    request = holders.request(text, odd=odd)
    request = request.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)
    answer = raw(holders.served, request)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"\r\nconnection: close\r\n" in answer) is (version == "1.0")


def test_identity(holders: Holders) -> None:
    """The product learns whose the token is, which one, and what it may do."""
    request = holders.request(f"GET /authorize | {BEARER} {{reader}}")
    head = raw(holders.served, request).decode("ascii")
    assert head.partition("cache-control")[2].split("\r\n")[2:6] == [
        "x-auth-user: ada",
        "x-auth-scopes: linodes:read_only",
        f"x-auth-token-id: {holders.reader.id}",
        f"x-auth-handle: {holders.reader.shown}",
    ]
    odd = raw(holders.served, holders.request(f"GET /authorize | {BEARER} {{odd}}"))
    assert b"\r\nx-auth-user: Zo%C3%AB,%2050%25%0D%0A\r\nx-auth-scopes: \r\n" in odd


def test_body(holders: Holders) -> None:
    """A gateway that sends its client's body along gets its answer, and so does the next request."""
    asked = holders.request(f"POST /authorize | {BEARER} {{root}} | Content-Length: 5")
    chunked = f"POST /authorize | {BEARER} {{root}} | Transfer-Encoding: chunked"
    sent = asked + b"hello" + holders.request(chunked) + b"2\r\nhi\r\n0\r\n\r\n"
    last = holders.request("GET /authorize")
    answers = raw(holders.served, sent + last)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answers)
    assert statuses == [b"200", b"200", b"401"]


def test_many_at_once_on_one_connection(holders: Holders) -> None:
    """Requests that don't wait for answers are answered in their order, whichever way each takes."""
    texts = [
        f"GET /authorize | {BEARER} {{root}}",
        f"GET /v4/profile | {BEARER} {{root}}",
        f"GET /authorize | {BEARER} {{mistyped}}",
        "GET /healthz",
        f"GET /authorize?scope=linodes:read_write | {BEARER} {{reader}}",
        f"GET /authorize?scope=x | {BEARER} {{reader}}",
    ] * 20
    answers = raw(holders.served, b"".join(map(holders.request, texts)), pause=0.3)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answers)
    assert statuses == [b"200", b"200", b"401", b"200", b"403", b"400"] * 20


def test_the_same_bytes_again(holders: Holders) -> None:
    """What has been read before is answered alike, and only what is the same from beginning to end has been."""
    good = holders.request(f"GET /authorize | {BEARER} {{root}}")
    bad = holders.request(f"GET /authorize | {BEARER} {{mistyped}}")
    pieces = [good, good, good + bad, good + bad, bad, good + b"\r\n", good + b"GET ",
              good[4:], good[:30], good[30:], good + good[:9], good[9:], good]  # fmt: skip
    address = ("127.0.0.1", holders.served.port)
    with socket.create_connection(address, timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        answers = b""
        while answers.count(b"\r\n\r\n") < 14:
            answers += connection.recv(65536)
    statuses = [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", answers)]
    expected = [200, 200, 200, 401, 200, 401, 401, 200, 200, 200, 200, 200, 200, 200]
    assert statuses == expected


def test_client_that_does_not_read(holders: Holders) -> None:
    """Answers that nobody reads wait, and the server goes on; read at last, they are all there."""
    many = 30_000
    request = holders.request(f"GET /authorize | {BEARER} {{root}}")
    with socket.create_connection(("127.0.0.1", holders.served.port)) as connection:
        sender = threading.Thread(target=connection.sendall, args=(request * many,))
        sender.start()
        sender.join(0.5)
        assert send(holders.served, "GET", "/authorize").status == 200
        connection.settimeout(10)
        count, rest = 0, b""
        while count < many:
            rest += connection.recv(1 << 20)
            count += rest.count(b"HTTP/1.1 200")
            rest = rest[-11:]
        sender.join()


def test_after_the_last_request(holders: Holders) -> None:
    """What comes after a request that was the connection's last is not answered."""
    last = holders.request(f"GET /authorize | {BEARER} {{root}} | Connection: close")
    more = holders.request(f"GET /authorize | {BEARER} {{root}}")
    assert raw(holders.served, last + more).count(b"HTTP/1.1") == 1


def test_revoked_at_once(holders: Holders) -> None:
    """The first question after a revoke is answered with 401."""
    served = holders.served
    for _ in range(20):
        made = send(served, "POST", TOKENS, {"label": "brief"}).json
        secret = made["token"]
        assert send(served, "GET", "/authorize", secret=secret).status == 200
        assert send(served, "DELETE", f"{TOKENS}/{made['id']}").status == 200
        assert send(served, "GET", "/authorize", secret=secret).status == 401


def test_what_is_logged(serving: Serving, tmp_path: Path) -> None:
    """Questions are in the log as any other request, without queries and secrets."""
    with serving(tmp_path) as served:
        send(served, "GET", "/authorize?scope=linodes:read_only")
        send(
            served,
            "GET",
            f"/authorize/linodes:read_only/{served.secret}?a={served.secret}",
        )
        send(served, "GET", "/authorize", secret="x" * 30)
        text = logged(served, " - GET /authorize 401 0\n")
    handle = served.secret[:16]
    assert f" {handle} GET /authorize 200 0\n" in text
    assert f" {handle} GET /authorize/linodes:read_only/{handle}… 200 0\n" in text
    assert served.secret[16:] not in text


def test_store_out_of_order(serving: Serving, tmp_path: Path) -> None:
    """Where the store can't be read nobody passes, either way; and it is told once it can."""
    with serving(tmp_path) as served:
        holders = Holders(served)
        request = f"GET /authorize | {BEARER} {{root}}"
        database = served.database
        content = database.read_bytes()
        wal = database.with_name("tokens.db-wal")
        wal.unlink()
        database.write_bytes(b"no database" * 10_000)
        for odd in (False, True):
            answer = raw(served, holders.request(request, odd=odd))
            assert re.match(rb"HTTP/1.1 (503|500) ", answer)
            assert b"x-auth-" not in answer
            if answer.startswith(b"HTTP/1.1 503 "):
                assert b"\r\nretry-after: 1\r\n" in answer
        database.write_bytes(content)
    assert "Traceback" not in served.written()
