"""What those are told who watch over the service: on a port of its own, for all workers."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Generator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import TOKENS, Answer, raw, send

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason
from patql.catalog.load import builtin
from patql.config import Settings
from patql.faces.http import limits
from patql.faces.http.admin import Listener
from patql.faces.http.app import App
from patql.faces.http.host import Host
from patql.faces.http.metrics import Metrics
from patql.kernel.clock import SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.store.sqlite import SqliteStore

SAMPLE = re.compile(r'(\w+)(\{\w+="[^"\\\n]*"(?:,\w+="[^"\\\n]*")*\})? (\S+)')


def samples(text: str) -> dict[str, float]:
    """Prometheus' text, read: each name with its labels, and its value."""
    found: dict[str, float] = {}
    described: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, what = line.split(" ", 3)
            assert what
            assert kind in ("HELP", "TYPE")
            described.add(name)
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        base = re.sub("_(bucket|sum|count)$", "", match[1])
        assert base in described or match[1] in described
        assert match[1] + (match[2] or "") not in found
        found[match[1] + (match[2] or "")] = float(match[3])
    return found


def ask(port: int, path: str, method: str = "GET") -> Answer:
    """What the admin listener answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, headers, response.read())
    connection.close()
    return answer


@pytest.fixture
def admin_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def watched(
    serving: Serving, tmp_path: Path, admin_port: int
) -> Generator[tuple[Served, int]]:
    """A server of two workers, with an admin listener."""
    with serving(tmp_path, "--workers", "2", "--admin", str(admin_port)) as served:
        yield served, admin_port


@pytest.mark.slow
def test_watched(watched: tuple[Served, int]) -> None:
    """Metrics are sums over all workers, whichever is asked; they tell nothing of tokens and users."""
    served, port = watched
    deadline = time.monotonic() + 30
    while b"\npatql_workers 2\n" not in ask(port, "/metrics").body:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for _ in range(20):
        assert send(served, "GET", "/authorize").status == 200
    assert send(served, "GET", "/authorize?scope=x").status == 400
    assert send(served, "GET", "/authorize", secret="x").status == 401
    made = send(served, "POST", TOKENS, {"label": "x"}).json
    assert send(served, "POST", TOKENS, {"label": ""}).status == 400
    assert send(served, "GET", f"{TOKENS}/{made['id']}").status == 200
    assert send(served, "BREW", "/v4/nothing").status == 400
    answer = ask(port, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    found = samples(text)
    requests = "patql_requests_total"
    told = {
        f'{requests}{{route="/authorize",method="GET",status="200"}}': 20,
        f'{requests}{{route="/authorize",method="GET",status="400"}}': 1,
        f'{requests}{{route="/authorize",method="GET",status="401"}}': 1,
        f'{requests}{{route="/v4/profile/tokens",method="POST",status="200"}}': 1,
        f'{requests}{{route="/v4/profile/tokens",method="POST",status="400"}}': 1,
        f'{requests}{{route="/v4/profile/tokens/{{tokenId}}",method="GET",status="200"}}': 1,
        'patql_request_duration_seconds_count{route="/authorize"}': 22,
        'patql_request_duration_seconds_bucket{route="/authorize",le="+Inf"}': 22,
        'patql_verifications_total{verdict="granted"}': 23,
        'patql_verifications_total{verdict="unknown"}': 1,
        'patql_writes_total{outcome="done"}': 1,
        'patql_writes_total{outcome="refused"}': 1,
        "patql_workers": 2,
    }
    assert {name: found.get(name) for name in told} == told
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_resident_memory_bytes"] > 10_000_000
    for secret in ("alice", served.secret[:16], served.secret):
        assert secret not in text


@pytest.mark.slow
def test_paths(watched: tuple[Served, int]) -> None:
    """Health is told there and only there, on this machine alone; the API isn't; and nothing can be changed."""
    served, port = watched
    for where in (port, served.port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", where))
    assert ask(port, "/healthz").body == b"alive\n"
    assert ask(port, "/readyz").body == b"ready\n"
    assert ask(port, "/readyz", "HEAD").body == b""
    assert ask(port, "/v4/profile").status == 404
    assert ask(port, "/metrics", "POST").status == 405
    for path in ("/metrics", "/readyz"):
        assert send(served, "GET", path).status == 404
    assert raw(served, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").startswith(
        b"HTTP/1.1 404 "
    )


def test_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store can't be read the process is alive and not ready, and says why in its log."""
    written: list[bytes] = []
    authority = Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock())
    api = Api(authority, builtin("linode"), b"{}")
    app = App(api, Settings(data_dir=tmp_path), write=written.append)
    listener = Listener(app)

    async def statuses() -> list[int]:
        paths = ("/healthz", "/readyz")
        asked = [await listener._response(Request("GET", path)) for path in paths]
        return [response.status for response in asked]

    def fail() -> bool:
        raise PatqlError(Code.UNAVAILABLE, "disk gone")

    assert asyncio.run(statuses()) == [200, 200]
    monkeypatch.setattr(authority, "is_empty", fail)
    assert asyncio.run(statuses()) == [200, 503]
    assert written == [b"unavailable: disk gone\n"]
    app.close()


def test_counts_outlive_a_worker() -> None:
    """A worker that takes the place of another goes on counting, and what it spends is added."""
    host = Host(1)
    first = Metrics(host.memory, limits.SIZE, 1, ("/x",))
    first.request("/x", "GET", 200, 0.0003)
    first.request("/x", "BREW", 299, 9.0)
    first.request(None, "GET", 404, 0.0)
    first.verdict(Granted("ada", 1, 1, "", None))
    for reason in Reason:
        first.verdict(Denied(reason))
    first.limited("failures")
    for status in (200, 204, 404, 503):
        first.write(status)
    first.close()
    second = Metrics(host.memory, limits.SIZE, 1, ("/x",))
    second.request("/x", "GET", 200, 0.0003)
    found = samples(second.text())
    requests = "patql_requests_total"
    assert found[f'{requests}{{route="/x",method="GET",status="200"}}'] == 2
    assert found[f'{requests}{{route="/x",method="other",status="other"}}'] == 1
    assert found[f'{requests}{{route="other",method="GET",status="404"}}'] == 1
    duration = "patql_request_duration_seconds"
    assert found[f'{duration}_bucket{{route="/x",le="0.00025"}}'] == 0
    assert found[f'{duration}_bucket{{route="/x",le="0.0005"}}'] == 2
    assert found[f'{duration}_bucket{{route="/x",le="1"}}'] == 2
    assert found[f'{duration}_bucket{{route="/x",le="+Inf"}}'] == 3
    assert found[f'{duration}_sum{{route="/x"}}'] == pytest.approx(9.0006)
    for reason in Reason:
        label = reason.name.lower()
        assert found[f'patql_verifications_total{{verdict="{label}"}}'] == 1
    assert found['patql_limited_total{limit="failures"}'] == 1
    for outcome, count in (("done", 2), ("refused", 1), ("failed", 1)):
        assert found[f'patql_writes_total{{outcome="{outcome}"}}'] == count
    assert found["patql_workers"] == 1


@pytest.mark.slow
def test_log_as_json(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PATQL_LOG=json every line is an object: requests with how long they took, and what else happens."""
    monkeypatch.setenv("PATQL_LOG", "json")
    with serving(tmp_path, "--workers", "2") as served:
        named = {"X-Request-Id": "abc-1.2", "Expect": "100-continue"}
        assert send(served, "GET", "/v4/profile?a=b", headers=named).status == 200
        forged = {"X-Request-Id": served.secret}
        assert send(served, "GET", "/v4/nothing", headers=forged).status == 404
        given = {"X-Request-Id": "way_7"}
        assert send(served, "GET", "/authorize/x/y", headers=given).status == 400
        assert raw(served, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert served.secret not in served.written()
    lines = [json.loads(line) for line in served.written().splitlines()]
    assert lines[0]["event"] == "start"
    assert served.url in lines[0]["message"]
    requests = {line["path"]: line for line in lines if line["event"] == "request"}
    profile = requests["/v4/profile"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", profile.pop("time"))
    assert 0 < profile.pop("duration_ms") < 10_000
    assert profile.pop("bytes") > 100
    assert profile == {
        "level": "info",
        "event": "request",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/v4/profile",
        "status": 200,
        "handle": served.secret[:16],
        "request_id": "abc-1.2",
    }
    ids = {line["request_id"] for line in requests.values()}
    assert len(ids) == 3
    assert requests["/authorize/x/y"]["status"] == 400
    assert requests["/authorize/x/y"]["request_id"] == "way_7"
    others = [line for line in lines[1:] if line["event"] != "request"]
    assert {line["message"] for line in others} == {"Invalid HTTP request received."}


@pytest.mark.slow
def test_last_used(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When and from where a token was last used is kept, once it is, and at the latest when the server ends."""
    monkeypatch.setenv("PATQL_PROXIES", "127.0.0.1")
    with serving(tmp_path) as served:
        client = {"X-Forwarded-For": "198.51.100.7"}
        before = int(time.time())
        for _ in range(3):
            assert send(served, "GET", "/authorize", headers=client).status == 200
        made = send(served, "POST", TOKENS, {"label": "never used"}).json
    with Authority(SqliteStore(served.database), SystemClock()) as authority:
        used = authority._store.entry(1)
        unused = authority._store.entry(made["id"])
    assert used is not None
    assert unused is not None
    assert used.last_used is not None
    assert before - 60 <= used.last_used <= time.time()
    assert used.last_used_from == "198.51.100.7"
    assert unused.last_used is None
