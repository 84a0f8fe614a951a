"""The HTTP transport against real servers on loopback."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.rest.conftest import Server, Start

from patql import __version__
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.kernel.secrets import Secret
from patql.rest import target
from patql.rest.http import HttpTransport
from patql.rest.loop import AHEAD

TOKEN = Secret("pql_" + "x" * 66)


@pytest.fixture
def transport(server: Server) -> Iterator[HttpTransport]:
    """A transport to the server."""
    made = HttpTransport(server.base, TOKEN)
    yield made
    made.close()


def get(name: str, query: str = "") -> Request:
    """A GET of one of the server's behaviours."""
    return Request("GET", f"/{name}", query)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_request_is_sent_as_it_is(
    transport: HttpTransport, server: Server, *, many: bool
) -> None:
    """Method, path, query, headers and body arrive, with the credential and our name."""
    request = Request(
        "PUT",
        "/a%20b/%C3%BC%2Fc",
        "x=%2F&y=1",
        [(b"x-filter", b'{"a": 1}')],
        b'{"label": "x"}',
    )
    answers = list(transport.send([request] * (3 if many else 1), 2))
    assert [a.status for a in answers] == [200] * len(answers)
    for method, path, headers, body in server.seen:
        assert (method, path) == ("PUT", "/v4/a%20b/%C3%BC%2Fc?x=%2F&y=1")
        assert headers["authorization"] == f"Bearer {TOKEN.reveal()}"
        assert headers["x-filter"] == '{"a": 1}'
        assert headers["user-agent"] == f"patql/{__version__}"
        assert "gzip" in headers["accept-encoding"]
        assert "referer" not in headers
        assert body == b'{"label": "x"}'


@pytest.mark.parametrize("token", ["…", "two words", "a\nb: c", "", "é"])
def test_what_a_header_cant_hold_isnt_sent(server: Server, token: str) -> None:
    """The error names the target, and not the token."""
    transport = HttpTransport(server.base, Secret(token))
    with pytest.raises(PatqlError, match=f"the token for {server.base} can't") as told:
        transport.send([get("n")], 1)
    assert told.value.code is Code.CREDENTIAL
    assert server.seen == []


def test_answers_come_in_the_order_of_the_requests(transport: HttpTransport) -> None:
    """However the server takes its time."""
    requests = [get("n", f"n={n}&after={n * 7 % 5 / 500}") for n in range(60)]
    answers = transport.send(requests, 8)
    assert [json.loads(a.body)["n"] for a in answers] == [str(n) for n in range(60)]


def test_only_so_many_answers_wait_for_their_reader(
    transport: HttpTransport, server: Server
) -> None:
    """A reader that pauses stops the requests, and all come once it goes on."""
    answers = transport.send([get("n", f"n={n}") for n in range(100)], 4)
    next(answers)
    deadline = time.monotonic() + 10
    while len(server.seen) < AHEAD * 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(server.seen) == AHEAD * 4
    assert len(list(answers)) == 99
    assert len(server.seen) == 100


def test_only_so_many_are_under_way(transport: HttpTransport, server: Server) -> None:
    """More are made ready than may be sent, and wait until there is a place for them."""
    answers = transport.send([get("hang")] * 40, 4)

    def read() -> None:
        with pytest.raises(PatqlError):
            next(answers)

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 10
    while len(server.seen) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(server.seen) == 4
    transport.cancel()
    reader.join()


def test_closing_the_iterator_gives_up(
    transport: HttpTransport, server: Server
) -> None:
    """At once: nothing more is sent, and the transport can be used again."""
    answers = transport.send([get("n"), *[get("hang")] * 9], 4)
    next(answers)
    began = time.monotonic()
    answers.close()  # type: ignore[attr-defined]
    assert [a.status for a in transport.send([get("n")] * 3, 4)] == [200] * 3
    assert time.monotonic() - began < 5
    assert sum("hang" in path for _, path, _, _ in server.seen) <= 4


def test_closing_the_transport_waits_for_nothing(server: Server) -> None:
    """Whatever is still under way."""
    transport = HttpTransport(server.base, TOKEN)
    answers = transport.send([get("n"), *[get("hang")] * 3], 4)
    next(answers)
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("copies", [1, 3])
def test_a_redirect_is_an_answer(
    transport: HttpTransport, start: Start, copies: int
) -> None:
    """It isn't followed, so the credential reaches no other origin, nor another path of this one."""
    other = start()
    request = get("redirect", f"to={other.base}/n")
    answers = list(transport.send([request] * copies, 4))
    assert [a.status for a in answers] == [302] * copies
    assert answers[0].header(b"location") == f"{other.base}/n".encode()
    assert other.seen == []


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("close", Code.UNREACHABLE, "the connection broke"),
        ("half", Code.BAD_RESPONSE, "can't be read: end of file"),
        (
            "hang",
            Code.UNREACHABLE,
            "got no answer (waited 10 s to connect, 0.2 s in all)",
        ),
        ("broken-gzip", Code.BAD_RESPONSE, "can't be read"),
    ],
)
def test_no_answer_is_an_error_that_names_the_target(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    copies: int,
    name: str,
    code: Code,
    says: str,
) -> None:
    """And never the token."""
    if name == "hang":
        monkeypatch.setattr(target, "TIMEOUT", 0.2)
    transport = HttpTransport(server.base, TOKEN, retry=0)
    with pytest.raises(PatqlError) as caught:
        list(transport.send([get(name)] * copies, 4))
    transport.close()
    assert caught.value.code is code
    assert says in str(caught.value)
    assert server.base in str(caught.value)
    assert TOKEN.reveal() not in repr(caught.getrepr(style="long", showlocals=True))


def test_a_failing_page_fails_after_those_before_it(server: Server) -> None:
    """Answers are in order, so what came before the failing one is given first."""
    transport = HttpTransport(server.base, TOKEN, retry=0)
    answers = transport.send([get("n"), get("n"), get("close"), get("n")], 4)
    assert [next(answers).status for _ in range(2)] == [200, 200]
    with pytest.raises(PatqlError, match="the connection broke"):
        next(answers)
    transport.close()


@pytest.mark.parametrize("copies", [1, 3])
def test_nobody_listens(copies: int) -> None:
    """The error names the target, the reason and what to check."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v4"
    transport = HttpTransport(base, TOKEN)
    with pytest.raises(
        PatqlError, match=f"can't connect to {base}: .*refused"
    ) as caught:
        list(transport.send([get("n")] * copies, 4))
    transport.close()
    assert caught.value.code is Code.UNREACHABLE
    assert (
        caught.value.hint
        == "check the host and port of --url, and that the server is running"
    )


def test_every_status_and_body_is_an_answer(transport: HttpTransport) -> None:
    """What isn't JSON or isn't a success is for others to judge; gzip is undone; odd headers are left out."""
    failing, page, packed, latin = transport.send(
        [get("failing"), get("not-json"), get("gzip"), get("latin")], 1
    )
    assert failing.status == 500
    assert page.body == b"<h1>hello</h1>"
    assert page.header(b"content-type") == b"text/html"
    assert packed.body == b'{"a": 1}'
    assert latin.header(b"x-plain") == b"yes"
    assert latin.header(b"x-name") is None


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("path", ["/profile/tokens/..", "/profile/./tokens", "/../x"])
def test_a_path_can_leave_the_base_by_no_dots(
    transport: HttpTransport, server: Server, path: str, copies: int
) -> None:
    """URL parsers would resolve them, and another path would be asked for."""
    with pytest.raises(PatqlError, match="can't be asked for"):
        list(transport.send([Request("GET", path)] * copies, 4))
    assert server.seen == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ctrl_c_comes_through(transport: HttpTransport, method: str) -> None:
    """At once; the transport can be used again."""
    interruption = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
    interruption.start()
    with pytest.raises(KeyboardInterrupt):
        list(transport.send([Request(method, "/hang")], 1))
    interruption.join()
    assert [a.status for a in transport.send([get("n")], 1)] == [200]


def test_without_a_token_nothing_is_sent(server: Server) -> None:
    """The error says how to give one."""
    transport = HttpTransport(server.base, None, variable="PATQL_TOKEN")
    assert transport.acting is None
    with pytest.raises(PatqlError, match="there is no token for") as caught:
        transport.send([get("n")], 1)
    assert caught.value.code is Code.CREDENTIAL
    assert "PATQL_TOKEN" in str(caught.value)
    assert server.seen == []


def test_it_is_known_by_16_characters() -> None:
    """Of its token, that is."""
    transport = HttpTransport("https://api.linode.com/v4", TOKEN)
    assert transport.acting == "pql_xxxxxxxxxxxx"
    assert TOKEN.reveal() not in repr(vars(transport))


def test_plain_http_ignores_proxies(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would read the token."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        transport = HttpTransport(server.base, TOKEN)
        assert [a.status for a in transport.send([get("n")], 1)] == [200]
        transport.close()


def test_certificates_are_verified(
    start: Start, need: Callable[..., str], tmp_path: Path
) -> None:
    """A self-signed one is refused before anything is sent."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = start(context)
    transport = HttpTransport(server.base, TOKEN)
    with pytest.raises(PatqlError, match="certificate") as caught:
        list(transport.send([get("n")], 1))
    transport.close()
    assert caught.value.code is Code.UNREACHABLE
    assert "this machine trusts" in str(caught.value.hint)
    assert server.seen == []


def test_one_request_imports_no_asyncio(server: Server) -> None:
    """It would cost a third of a cold start."""
    program = (
        "import sys\n"
        "from patql.kernel.http import Request\n"
        "from patql.kernel.secrets import Secret\n"
        "from patql.rest.http import HttpTransport\n"
        f"transport = HttpTransport({server.base!r}, Secret('x'))\n"
        "print([a.status for a in transport.send([Request('GET', '/n')], 16)])\n"
        "print('asyncio' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout.split("\n") == ["[200]", "False", ""]
