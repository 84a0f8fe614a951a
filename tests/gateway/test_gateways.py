"""Each gateway, by its own file of docs/gateways, before a real product and beside a real `patql serve`.

What matters is always the same: what reaches the product, and as whose.
"""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from tests.gateway.conftest import Front, ask, raw, serving_authority
from tests.gateway.gateways import GATEWAYS, free_port, running
from tests.gateway.recorder import recorder

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock, SystemClock
from patql.kernel.secrets import SHOWN
from patql.store.sqlite import SqliteStore

pytestmark = pytest.mark.slow

READ, WRITE = "linodes:read_only", "linodes:read_write"
LAST = b"Connection: close\r\n\r\n"
"""Ends a head, and says that no request follows."""


def test_good_token(clean: Front) -> None:
    """It passes with its owner's name, its number, its public part and its scopes, and without its secret."""
    issued = clean.authority.issue("ada", label="t", scopes=READ)
    secret = issued.secret.reveal()
    assert clean.ask(path="/a/b?c=d", token=secret).status == 200
    (arrived,) = clean.product.arrived
    assert (arrived.method, arrived.target) == ("GET", "/a/b?c=d")
    assert {
        name: value for name, value in arrived.headers if name.startswith("x-auth")
    } == {
        "x-auth-user": "ada",
        "x-auth-token-id": str(issued.token.id),
        "x-auth-handle": secret[:SHOWN],
        "x-auth-scopes": READ,
    }
    assert not any(secret in value for _, value in arrived.headers)


def _bad(front: Front) -> dict[str, str | None]:
    revoked = front.authority.issue("ada", label="t", scopes=WRITE)
    front.authority.revoke("ada", revoked.token.id)
    suspended = front.authority.issue("eve", label="t", scopes=WRITE)
    front.authority.admin.change("eve", suspended=True)
    good = front.token()
    return {
        "none": None,
        "empty": "",
        "no token at all": "nonsense",
        "mistyped": good[:-1] + ("a" if good[-1] != "a" else "b"),
        "revoked": revoked.secret.reveal(),
        "of a suspended user": suspended.secret.reveal(),
    }


def test_bad_tokens(clean: Front) -> None:
    """Whatever is wrong with a token, it is refused with a challenge, and the product isn't troubled."""
    for what, secret in _bad(clean).items():
        for method in ("GET", "POST"):
            answer = clean.ask(method, token=secret)
            assert answer.status == 401, what
            assert answer.headers["www-authenticate"].startswith("Bearer"), what
    assert clean.arrived() == []


def test_name_that_no_header_can_hold(clean: Front) -> None:
    """A user name beyond ASCII arrives percent-encoded."""
    secret = clean.authority.issue("zoë k", scopes=READ).secret.reveal()
    assert clean.ask(token=secret).status == 200
    (arrived,) = clean.product.arrived
    assert arrived.all("x-auth-user") == ["zo%C3%AB%20k"]


def test_other_credentials(clean: Front) -> None:
    """What isn't a bearer token is no credential here."""
    secret = clean.token()
    for value in (secret, f"Basic {secret}", f"Token {secret}", f"Bearer{secret}"):
        answer = clean.ask(headers=[("Authorization", value)])
        assert answer.status == 401
    assert clean.ask(path=f"/?access_token={secret}").status == 401
    assert clean.arrived() == []


def test_expired_token(clean: Front) -> None:
    """An expired token is a bad one."""
    database = clean.log.parent / "tokens.db"
    past = ManualClock(time.time() - 3600)
    with Authority(SqliteStore(database), past) as authority:
        soon = int(past.now()) + 3540
        secret = authority.issue("ada", scopes=READ, expiry=soon).secret.reveal()
    assert clean.ask(token=secret).status == 401
    assert clean.arrived() == []


def test_too_few_scopes(clean: Front) -> None:
    """Refused with 403, and told which scopes it takes."""
    few = clean.token("domains:read_write")
    answer = clean.ask(token=few)
    assert answer.status == 403
    challenge = answer.headers["www-authenticate"]
    assert challenge == f'Bearer error="insufficient_scope", scope="{READ}"'
    answer = clean.ask("DELETE", token=clean.token(READ))
    assert answer.status == 403
    assert WRITE in answer.headers["www-authenticate"]
    assert clean.arrived() == []


def test_revoked_in_between(clean: Front) -> None:
    """The very next request on the same connection is refused."""
    for _ in range(25):
        issued = clean.authority.issue("ada", label="t", scopes=READ)
        sent = {"Authorization": f"Bearer {issued.secret.reveal()}"}
        connection = HTTPConnection("127.0.0.1", clean.port, timeout=20)
        statuses: list[int] = []
        for _ in range(2):
            connection.request("GET", "/", headers=sent)
            with connection.getresponse() as response:
                response.read()
                statuses.append(response.status)
            clean.authority.revoke("ada", issued.token.id)
        connection.close()
        assert statuses == [200, 401]
    assert len(clean.arrived()) == 25


PATHS = (
    "/?scope=",
    f"/?scope={READ}",
    f"/?scope={READ}&scope={READ}",
    f"/authorize?scope={READ}",
    f"/authorize/{READ}/",
    f"/../authorize/{READ}",
    f"/..%2fauthorize%2f{READ}%3f",
    "/%3fscope=",
    "/;scope=",
    "/#?scope=",
    "//",
    "/+domains:read_only",
    "/_authorize",
    "/%00",
)


def test_clients_path_and_query(clean: Front) -> None:
    """Nothing in a client's path or query takes anything away from what is required."""
    read, other = clean.token(READ), clean.token("domains:read_write")
    for path in PATHS:
        assert clean.ask("PUT", path, read).status in {400, 403, 404}, path
        assert clean.ask("GET", path, other).status in {400, 403, 404}, path
        assert clean.ask("GET", path).status in {400, 401, 404}, path
    assert clean.arrived() == []


AS_SENT = frozenset({"nginx", "caddy"})
"""Gateways that hand on a path as it was sent; the others hand on the path that it stands for."""


def test_path_that_has_two_readings(clean: Front) -> None:
    """The product gets a path as it was sent, or in its plain form; Envoy refuses slashes that are encoded."""
    token = clean.token(READ)
    assert clean.ask(path="/a/../b", token=token).status == 200
    as_sent = clean.gateway in AS_SENT
    assert clean.arrived() == ["GET /a/../b" if as_sent else "GET /b"]
    refused = clean.gateway == "envoy"
    assert clean.ask(path="/a%2fb", token=token).status == (400 if refused else 200)
    assert len(clean.arrived()) == (0 if refused else 1)


def test_the_question_is_the_gateways(clean: Front) -> None:
    """A client can't put the question itself: it gets the product's answer, or none, and no identity."""
    token = clean.token("*")
    for path in (
        "/_authorize",
        "/authorize",
        f"/authorize/{READ}",
        f"/_authorize/{READ}",
    ):
        answer = clean.ask(path=path, token=token)
        assert (answer.status, answer.body) == (200, b"{}") or answer.status == 404
        assert not any(name.startswith("x-auth") for name in answer.headers)


METHODS = (
    "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "Head", "CONNECT",
)  # fmt: skip


def test_methods(clean: Front) -> None:
    """GET and HEAD need the scope to read; every other method needs the one to change, or isn't let in at all."""
    read, write = clean.token(READ), clean.token(WRITE)
    for method in ("GET", "HEAD"):
        assert clean.ask(method, "/m", read).status == 200
    assert clean.arrived() == ["GET /m", "HEAD /m"]
    for method in METHODS:
        answer = raw(clean.port, _head(method, "/m", read) + LAST)
        assert b" 200 " not in answer.partition(b"\r\n")[0], method
    assert clean.arrived() == []
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert clean.ask(method, "/m", write).status == 200
    assert len(clean.arrived()) == 5


def test_method_that_is_claimed(clean: Front) -> None:
    """A header that names a method or a path changes nothing in what is required."""
    claimed = [
        (name, value)
        for name, value in (
            ("X-HTTP-Method-Override", "GET"),
            ("X-HTTP-Method", "GET"),
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Uri", "/public"),
            ("X-Original-URL", f"/authorize/{READ}"),
            ("X-Rewrite-URL", f"/authorize/{READ}"),
            ("X-Original-Method", "GET"),
        )
    ]
    assert clean.ask("DELETE", token=clean.token(READ), headers=claimed).status == 403
    assert clean.arrived() == []


def test_head(clean: Front) -> None:
    """HEAD is answered without a body, passed or refused."""
    clean.product.body = b"x" * 100
    for token in (clean.token(READ), None):
        answer = clean.ask("HEAD", token=token)
        assert (answer.status, answer.body) == (200 if token else 401, b"")


def test_large_body(clean: Front) -> None:
    """A body goes to the product, whole; a refused one goes nowhere."""
    body = bytes(range(256)) * 3_000
    assert clean.ask("POST", "/up", clean.token(WRITE), body=body).status == 200
    assert [arrived.body for arrived in clean.product.arrived] == [body]
    clean.product.arrived.clear()
    refused = _head("POST", "/up", clean.token(READ)) + b"Content-Length: 9\r\n"
    assert b" 403 " in raw(clean.port, refused + LAST + b"123456789")
    assert clean.arrived() == []


NAMES = tuple(
    f"{x}{one}{auth}{two}{rest}"
    for x, one, auth, two, rest in itertools.product(
        "Xx", "-_", ("Auth", "AUTH"), "-_", ("User", "Scopes", "Token-Id", "Token_Id", "handle"),
    )
)  # fmt: skip
"""Every way to write the names of identity headers that something may take for them."""


def test_identity_of_its_own(clean: Front) -> None:
    """What a client says of itself never reaches the product, however its name is written."""
    claimed = [(name, "mallory") for name in NAMES]
    assert clean.ask(token=clean.token(READ), headers=claimed).status == 200
    (arrived,) = clean.product.arrived
    assert "mallory" not in str(arrived.headers)
    assert arrived.all("x-auth-user") == ["ada"]
    assert arrived.all("x-auth-scopes") == [READ]
    clean.product.arrived.clear()
    assert clean.ask(headers=claimed).status == 401
    assert clean.arrived() == []


def _head(method: str, target: str, token: str | None) -> bytes:
    """A request's head up to its last line end, which is to follow."""
    lines = [f"{method} {target} HTTP/1.1", "Host: h"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "".join(f"{line}\r\n" for line in lines).encode()


NAMED = (
    "X-Auth-User, X-Auth-Scopes, X-Auth-Token-Id, X-Auth-Handle",
    "close, X-Auth-User",
    "upgrade, x-auth-user\r\nUpgrade: websocket",
    "keep-alive\r\nConnection: X-Auth-User\r\nKeep-Alive: X-Auth-User",
    "X-Forwarded-For, X-Auth-Scopes",
)
"""What a client may name in Connection, to have it taken out as a header of one connection (RFC 9110, section 7.6.1)."""


def test_headers_of_the_connection(clean: Front) -> None:
    """A client can't have identity headers taken out by naming them in Connection: all reach the product, or nothing."""
    head = _head("GET", "/", clean.token(READ))
    _all(clean, [head + f"Connection: {names}\r\n\r\n".encode() for names in NAMED])
    for arrived in clean.product.arrived:
        assert arrived.all("x-auth-user") == ["ada"]
        assert arrived.all("x-auth-scopes") == [READ]
        assert len(arrived.all("x-auth-token-id")) == 1
        assert len(arrived.all("x-auth-handle")) == 1


def _all(front: Front, requests: list[bytes]) -> None:
    """Send all of them at once, each on a connection of its own, and wait until nothing more comes."""
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(raw, itertools.repeat(front.port), requests))


def test_several_credentials(clean: Front) -> None:
    """Two Authorization headers are refused, whichever is good."""
    good, bad = clean.token(READ), clean.token(READ)[:-6]
    for first, second in ((good, bad), (bad, good), (good, good)):
        second_line = f"Authorization: Bearer {second}\r\n".encode()
        answer = raw(clean.port, _head("GET", "/", first) + second_line + LAST)
        assert answer.split(b" ")[1] in {b"400", b"401"}
    assert clean.arrived() == []


def test_pipelined(clean: Front) -> None:
    """Of requests that come together, each is judged by its own token, and answered in its turn."""
    good = clean.token(READ)
    heads = (
        _head("GET", "/1", good),
        _head("GET", "/2", None),
        _head("GET", "/3", good),
    )
    received = raw(
        clean.port, heads[0] + b"\r\n" + heads[1] + b"\r\n" + heads[2] + LAST
    )
    statuses = [part.split(b" ")[0] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"401", b"200"]
    assert clean.arrived() == ["GET /1", "GET /3"]


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\nX-Auth-User: mallory\r\n\r\n"
TRICKS: dict[str, bytes] = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n" + SMUGGLED,
    "length with a sign": b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "other encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "encoding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before colon": b"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a body for GET": b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "folded": b"X-A: b\r\n X-Auth-User: mallory\r\n\r\n",
    "space in a name": b"X-Auth-User : mallory\r\n\r\n",
    "lone CR": b"X-A: b\rX-Auth-User: mallory\r\n\r\n",
    "NUL": b"X-A: b\0X-Auth-User: mallory\r\n\r\n",
    "lone LF": b"X-A: b\nX-Auth-User: mallory\n\n",
    "encoded line end": b"X-A: b%0d%0aX-Auth-User: mallory\r\n\r\n",
}  # fmt: skip
"""What follows a good head, to have something reach the product unjudged or in another's name."""


def test_smuggling(clean: Front) -> None:
    """Whatever is made of it, nothing reaches the product that wasn't judged, and nothing in another's name."""
    token = clean.token(WRITE)
    requests = [
        _head(method, f"/{quote(trick)}", token) + rest
        for trick, rest in TRICKS.items()
        for method in ("GET", "POST")
    ]
    _all(clean, requests)
    for arrived in clean.product.arrived:
        assert unquote(arrived.target[1:]) in TRICKS
        assert arrived.all("x-auth-user") == ["ada"]
        assert not any(name.startswith("x-auth-user ") for name, _ in arrived.headers)


def test_line_ends_in_the_target(clean: Front) -> None:
    """Encoded line ends in a path, and in a token, stay what they are."""
    path = "/a%0d%0aX-Auth-User:%20mallory%0d%0a"
    assert clean.ask(path=path, token=clean.token(READ)).status in {200, 400}
    for arrived in clean.product.arrived:
        assert arrived.all("x-auth-user") == ["ada"]
    clean.product.arrived.clear()
    bad = "x%0d%0aX-Auth-User: mallory"
    assert clean.ask(token=bad).status in {400, 401}
    assert clean.arrived() == []


def test_client_address(clean: Front) -> None:
    """The authority learns the client's address from the gateway, and not from the client."""
    spoofed = [
        ("X-Forwarded-For", "198.51.100.66"),
        ("X-Real-IP", "198.51.100.66"),
        ("Forwarded", "for=198.51.100.66"),
        ("True-Client-IP", "198.51.100.66"),
    ]
    secret = clean.token(READ)
    answer = ask(
        clean.port, token=secret, headers=spoofed, path="/", source="127.0.0.7"
    )
    assert answer.status == 200
    # Envoy gives a client on its own machine the machine's address.
    known = "127.0.0.7" if clean.gateway != "envoy" else ""
    line = _line_about(clean.log, secret[:SHOWN])
    assert f" {known}" in line
    assert " 127.0.0.1 " not in line
    assert "198.51.100.66" not in line


def _line_about(log: Path, handle: str) -> str:
    """The line of an access log that has a token's handle."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if handle in line:
                return line
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("name", GATEWAYS)
def test_several_scopes(name: str, need: Callable[..., str], tmp_path: Path) -> None:
    """Scopes with `+` between them are required, all of them."""
    program = need(*GATEWAYS[name].programs)
    at = free_port()
    both = f"{READ}+domains:read_only"
    with (
        Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority,
        recorder() as product,
    ):
        one = authority.issue("ada", scopes=READ).secret.reveal()
        two = authority.issue("ada", scopes=both.replace("+", " ")).secret.reveal()
        with (
            serving_authority(tmp_path, at),
            running(GATEWAYS[name], program, at, product.port, reading=both) as port,
        ):
            assert ask(port, token=one).status == 403
            assert product.arrived == []
            assert ask(port, token=two).status == 200


@pytest.mark.parametrize("name", GATEWAYS)
def test_too_many_requests(name: str, need: Callable[..., str], tmp_path: Path) -> None:
    """A token that is used too often gets 429, and is told when it may be used again."""
    program = need(*GATEWAYS[name].programs)
    at = free_port()
    with Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority:
        secret = authority.issue("ada", scopes=READ).secret.reveal()
    with (
        recorder() as product,
        serving_authority(tmp_path, at, PATQL_LIMIT_REQUESTS="2/hour"),
        running(GATEWAYS[name], program, at, product.port) as port,
    ):
        product.arrived.clear()
        answers = [ask(port, token=secret) for _ in range(5)]
        # An hour may have begun in between.
        passed = [answer for answer in answers if answer.status == 200]
        assert 2 <= len(passed) == len(product.arrived) <= 4
        (refused, *_) = (answer for answer in answers if answer.status != 200)
        assert refused.status == 429
        assert 0 < int(refused.headers["retry-after"]) <= 3600


DOWN = {"nginx": 503, "caddy": 502, "traefik": 500, "envoy": 503}
"""What each gateway says where the authority is out of reach."""


@pytest.mark.parametrize("name", GATEWAYS)
def test_authority_out_of_reach(
    name: str, need: Callable[..., str], tmp_path: Path
) -> None:
    """Nothing passes while there is no authority; once it is back, all is well without a restart."""
    program = need(*GATEWAYS[name].programs)
    at = free_port()
    with (
        Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority,
        recorder() as product,
        running(GATEWAYS[name], program, at, product.port) as port,
    ):
        secret = authority.issue("ada", scopes=READ).secret.reveal()
        for _ in range(2):
            assert ask(port, token=secret).status == DOWN[name]
            assert ask(port).status == DOWN[name]
            assert product.arrived == []
            with serving_authority(tmp_path, at):
                assert ask(port, token=secret).status == 200
                assert ask(port).status == 401
            assert len(product.arrived) == 1
            product.arrived.clear()
