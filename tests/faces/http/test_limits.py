"""Limits, counted in memory that workers share, and where a proxy says that a client is."""

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import send
from tests.faces.http.test_app import Message, run, scope

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.ports import Record
from patql.authority.tokens import mint
from patql.catalog.load import builtin
from patql.config import Limit, Settings
from patql.faces.http.app import App
from patql.faces.http.host import Host
from patql.faces.http.limits import FAILURES, Limits
from patql.faces.http.proxies import NOBODY, UNIX, Proxies
from patql.kernel.clock import ManualClock
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000.0
PER_MINUTE = Limit(3, 60)


def limits(host: Host, failures: Limit | None = PER_MINUTE, requests: Limit | None = None) -> Limits:  # fmt: skip
    """Limits of a worker."""
    return Limits(host.memory, failures, requests, lambda client: client == "192.0.2.1")


def test_failures() -> None:
    """An address that has failed as often as it may is refused until the next minute, by every worker."""
    host = Host(2)
    one, other = limits(host), limits(host)
    for _ in range(3):
        assert one.failing("198.51.100.7", NOW) is None
        one.failed("198.51.100.7", NOW)
    standing = other.failing("198.51.100.7", NOW + 30.5)
    assert standing is not None
    assert (standing.limit, standing.remaining) == (3, 0)
    assert standing.reset == NOW + 60
    assert standing.wait(NOW + 30.5) == 30
    assert other.failing("198.51.100.8", NOW) is None
    assert other.failing("198.51.100.7", NOW + 60) is None


@pytest.mark.parametrize(
    ("failing", "asking", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
        (UNIX, UNIX, False),
        (NOBODY, NOBODY, False),
        ("192.0.2.1", "192.0.2.1", False),
    ],
)
def test_source(failing: str, asking: str, *, same: bool) -> None:
    """A network of IPv6 is one address; this machine, and proxies, behind which others are, are never refused."""
    limited = limits(Host())
    for _ in range(5):
        limited.failed(failing, NOW)
    assert (limited.failing(asking, NOW) is not None) is same


def test_no_limit() -> None:
    """What is off doesn't count."""
    limited = limits(Host(), None, None)
    for _ in range(100):
        limited.failed("198.51.100.7", NOW)
        assert limited.used(b"x", NOW) is None
    assert limited.failing("198.51.100.7", NOW) is None


def test_many_addresses() -> None:
    """The place is bounded; however many fail, nobody is refused for what others did."""
    limited = limits(Host())
    for number in range(FAILURES * 4):
        limited.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW)
    wrong = [
        number
        for number in range(20_000)
        if limited.failing(f"172.16.{number >> 8}.{number & 255}", NOW)
    ]
    assert wrong == []


def test_nothing_readable() -> None:
    """Neither an address nor a token can be read in the memory, nor told from it by who doesn't have its key."""
    host, other = Host(), Host()
    for each in (host, other):
        limited = limits(each, requests=PER_MINUTE)
        limited.failed("198.51.100.7", NOW)
        limited.used(b"pql_secret", NOW)
    kept = [bytes(each.memory.cells(0, each.memory.size)) for each in (host, other)]
    assert b"pql_secret" not in kept[0]
    assert bytes([198, 51, 100, 7]) not in kept[0]
    assert kept[0] != kept[1]


def test_requests() -> None:
    """A token may be used so often in a while; what another token does has no part in it."""
    limited = limits(Host(), requests=PER_MINUTE)
    remaining: list[int] = []
    for _ in range(5):
        standing = limited.used(b"one", NOW)
        assert standing is not None
        remaining.append(standing.remaining)
    assert remaining == [2, 1, 0, -1, -2]
    another, later = limited.used(b"two", NOW), limited.used(b"one", NOW + 60)
    assert another is not None
    assert later is not None
    assert (another.remaining, later.remaining) == (2, 2)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", [b"198.51.100.1"], "203.0.113.5"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [b"198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [b"6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [b"6.6.6.6", b"198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", [b"10.7.7.7,10.9.9.9"], "10.7.7.7"),
        ("10.1.2.3", [b"198.51.100.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", [b"198.51.100.1, _hidden, 10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", [b""], "10.1.2.3"),
        ("10.1.2.3", [b"198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.2.3", [b"[2001:db8::7]:443"], "2001:db8::7"),
        ("10.1.2.3", [b"2001:DB8::7"], "2001:db8::7"),
        ("10.1.2.3", [b"::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.1.2.3", [b"198.51.100.1"], "198.51.100.1"),
        (UNIX, [b"198.51.100.1"], "198.51.100.1"),
        (NOBODY, [b"198.51.100.1"], NOBODY),
        ("10.1.2.3", [b"198.51.100.1\xff"], "10.1.2.3"),
    ],
)
def test_client(peer: str, forwarded: list[bytes], client: str) -> None:
    """X-Forwarded-For counts from proxies of ours only, and of it the right-most address that isn't one."""
    proxies = Proxies(("10.0.0.0/8", "unix"))
    headers = [(b"host", b"x"), *((b"x-forwarded-for", each) for each in forwarded)]
    assert proxies.client(peer, headers) == client


def test_no_proxies() -> None:
    """Without proxies everyone is who they are, on a unix socket too."""
    headers = [(b"x-forwarded-for", b"198.51.100.1")]
    assert Proxies(()).client("10.1.2.3", headers) == "10.1.2.3"
    assert Proxies(()).client(UNIX, headers) == UNIX


@pytest.fixture(scope="module")
def limited(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Served]]:
    """Runs a server behind a proxy on this machine, with limits."""

    @contextmanager
    def run(*options: str, **settings: str) -> Generator[Served]:
        with pytest.MonkeyPatch.context() as patched:
            for name, value in {"PROXIES": "127.0.0.1", **settings}.items():
                patched.setenv(f"PATQL_{name}", value)
            with serving(tmp_path_factory.mktemp("limited"), *options) as served:
                yield served

    return run


def test_before_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has gone too far is refused without a look into the database, at either door."""
    store = SqliteStore(tmp_path / "tokens.db")
    authority = Authority(store, ManualClock(NOW))
    good = authority.issue("ada").secret.reveal()
    unknown = mint("pql_")[1].reveal()
    api = Api(authority, builtin("linode"), b"{}")
    settings = Settings(
        data_dir=tmp_path, limit_failures=PER_MINUTE, limit_requests=PER_MINUTE
    )
    app = App(api, settings, write=lambda _: None, clock=ManualClock(NOW))
    looked: list[str] = []
    find = store.find

    def observed(handle: str) -> Record | None:
        looked.append(handle)
        return find(handle)

    monkeypatch.setattr(store, "find", observed)

    def status(path: str, secret: str, client: str) -> object:
        asked: Message = {
            **scope(),
            "path": path,
            "raw_path": path.encode(),
            "client": (client, 1),
            "headers": [(b"authorization", f"Bearer {secret}".encode())],
        }
        return run(app, asked, {"type": "http.request"})[0]["status"]

    for path in PATHS * 2:
        status(path, unknown, "198.51.100.7")
        status(path, good, "198.51.100.9")
    assert looked == [unknown[:16], good[:16]] * 3
    for path in PATHS:
        assert status(path, unknown, "198.51.100.7") == 429
        assert status(path, good, "198.51.100.9") == 429
    assert len(looked) == 6
    app.close()


PATHS = ["/authorize", "/v4/profile"]
Limiting = Callable[..., AbstractContextManager[Served]]


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_guesses_on_the_wire(limited: Limiting, workers: str) -> None:
    """Who guesses is refused, with when to come again, whichever worker is asked; others aren't."""
    with limited("--workers", workers, LIMIT_FAILURES="10/hour") as served:
        guess = served.secret[:-1] + ("x" if served.secret[-1] != "x" else "y")
        guessing = {"X-Forwarded-For": "1.1.1.1, 198.51.100.7"}
        seen = [
            send(served, "GET", PATHS[n % 2], secret=guess, headers=guessing).status
            for n in range(12)
        ]
        assert seen == [401] * 10 + [429] * 2
        for path in PATHS:
            answer = send(served, "GET", path, headers=guessing)
            assert answer.status == 429
            assert answer.headers["x-ratelimit-limit"] == "10"
            assert answer.headers["x-ratelimit-remaining"] == "0"
            wait = int(answer.headers["retry-after"])
            assert 1 <= wait <= 3600
            assert int(answer.headers["x-ratelimit-reset"]) % 3600 == 0
            if path == "/authorize":
                assert answer.body == b""
            else:
                reasons = answer.json["errors"]
                assert reasons == [{"reason": "Too many requests"}]
            other = {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}
            assert send(served, "GET", path, headers=other).status == 200
        assert send(served, "GET", "/healthz", headers=guessing).status == 429
        revoking = {**guessing, "Authorization": ""}
        answer = send(served, "POST", "/oauth/revoke", {}, headers=revoking)
        assert answer.status == 429


@pytest.mark.slow
def test_no_guesses_on_the_wire(limited: Limiting) -> None:
    """A token that was revoked was no guess, nor was one that has expired, and neither is none at all."""
    with limited(LIMIT_FAILURES="2/hour") as served:
        made = send(served, "POST", "/v4/profile/tokens", {"label": "brief"}).json
        send(served, "DELETE", f"/v4/profile/tokens/{made['id']}")
        past = ManualClock(NOW - 1_000_000_000)
        with Authority(SqliteStore(served.database), past) as authority:
            expiry = int(past.now()) + 60
            expired = authority.issue("alice", expiry=expiry).secret.reveal()
        client = {"X-Forwarded-For": "198.51.100.7"}
        for path in PATHS * 3:
            for secret in (made["token"], expired):
                answer = send(served, "GET", path, secret=secret, headers=client)
                assert answer.status == 401
            none = {**client, "Authorization": ""}
            assert send(served, "GET", path, headers=none).status == 401
        assert send(served, "GET", "/authorize", headers=client).status == 200


@pytest.mark.slow
def test_requests_on_the_wire(limited: Limiting) -> None:
    """With a limit on requests each answer to a token says where it stands; one too many is refused."""
    with limited(LIMIT_REQUESTS="4/hour") as served:
        answers = [send(served, "GET", PATHS[n % 2]) for n in range(6)]
        assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
        remaining = [answer.headers["x-ratelimit-remaining"] for answer in answers]
        assert remaining == ["3", "2", "1", "0", "0", "0"]
        other = send(served, "GET", "/authorize", secret=served.secret[:-1])
        assert other.status == 401


@pytest.mark.slow
def test_over_a_unix_socket(limited: Limiting, tmp_path: Path) -> None:
    """A unix socket is for its group, is there beside a port, and is gone with the server."""
    import socket

    path = tmp_path / "patql.sock"
    with limited("--unix", str(path), PROXIES="unix") as served:
        assert path.stat().st_mode & 0o777 == 0o660
        for odd in ("", "Expect: 100-continue\r\n"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(str(path))
                head = f"GET /authorize HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.secret}\r\n"
                said = f"X-Forwarded-For: 198.51.100.7\r\n{odd}\r\n"
                connection.sendall((head + said).encode())
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        assert send(served, "GET", "/authorize").status == 200
    assert not path.exists()
    lines = served.written().splitlines()
    assert lines[0].endswith(f"/v4 and unix:{path} until it is interrupted")
    clients = [line.split(" ")[1] for line in lines[1:]]
    assert clients == ["198.51.100.7", "198.51.100.7", "127.0.0.1"]
    assert os.environ.get("PATQL_PROXIES") is None
