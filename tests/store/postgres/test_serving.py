"""A server over PostgreSQL, from `patql init` to a revocation, by the command line and over HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.postgres import Cluster, free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(postgres_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of commands over an empty database."""
    ours = {"PATQL_DB": postgres_url, "PATQL_DATA_DIR": str(tmp_path / "data")}
    return os.environ | ours


def _patql(
    environ: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "patql", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _status(url: str, secret: str, method: str = "GET") -> int:
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Bearer {secret}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_server(
    environ: dict[str, str], tmp_path: Path, cluster: Cluster, postgres_url: str
) -> None:
    """It needs a database that was made; it says 503 while there is none to be reached, and goes on when there is."""
    early = _patql(environ, "serve", "--port", "0")
    assert early.returncode != 0
    assert "there is no token database in postgresql://" in early.stderr
    assert "patql init" in early.stderr
    root = tmp_path / "root.token"
    made = _patql(
        environ,
        "init",
        "--db",
        postgres_url,
        "--user",
        "root",
        "--secrets-to",
        str(root),
    )
    assert made.returncode == 0, made.stderr
    again = _patql(environ, "init", "--db", postgres_url, "--secrets-to", "x")
    assert "users already" in again.stderr
    log = tmp_path / "log"
    admin = str(free_port())
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "patql", "serve", "--port", "0", "--admin", admin],
            env=environ,
            stderr=stderr,
        ) as server,
    ):
        try:
            _use(_base(log), f"http://127.0.0.1:{admin}", root, environ, cluster)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    assert "Traceback" not in log.read_text()


def _base(log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := re.search(r"https?://\S+/v4", log.read_text()):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_ASKED = [
    ("GET", "/authorize", None, _JSON),
    ("GET", "/authorize/linodes:read_only/x", None, _JSON),
    ("GET", "/v4/profile", None, _JSON),
    ("GET", "/v4/profile/tokens", None, _JSON),
    ("POST", "/v4/profile/tokens", b"{}", _JSON),
    ("PUT", "/v4/profile/tokens/1", b'{"label":"x"}', _JSON),
    ("DELETE", "/v4/profile/tokens/1", None, _JSON),
    ("POST", "/v4/patql/batch", b'{"tokens":[{}]}', _JSON),
    ("DELETE", "/v4/patql/batch", b'{"ids":[1]}', _JSON),
    ("GET", "/v4/patql/users", None, _JSON),
    ("PUT", "/v4/patql/users/root", b'{"state":"active"}', _JSON),
    ("GET", "/v4/patql/tokens", None, _JSON),
    ("DELETE", "/v4/patql/tokens/1", None, _JSON),
    ("GET", "/v4/patql/events", None, _JSON),
    ("GET", "/v4/account/events", None, _JSON),
    ("POST", "/oauth/introspect", b"token={}", _FORM),
    ("POST", "/oauth/revoke", b"token={}", _FORM),
]
"""Everything that takes a look at the store, as method, path, body and its type; `{}` in a form stands for the token."""


def _refusal(
    origin: str, secret: str, method: str, path: str, body: bytes | None, kind: str
) -> tuple[int, str | None]:
    """The status, and when to come again."""
    if kind == _FORM and body is not None:
        body = body.replace(b"{}", secret.encode())
    request = urllib.request.Request(origin + path, body, method=method)
    request.add_header("Authorization", f"Bearer {secret}")
    request.add_header("Content-Type", kind)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    with refused.value as answer:
        assert not answer.headers.get("X-Auth-User")
        return answer.code, answer.headers["Retry-After"]


def _health(admin: str) -> list[int]:
    """Whether it is alive, and whether it can do its work."""
    return [_status(f"{admin}/{path}", "") for path in ("healthz", "readyz")]


def _use(
    base: str, admin: str, root: Path, environ: dict[str, str], cluster: Cluster
) -> None:
    secret = root.read_text().split()[0]
    authorize = base.removesuffix("v4") + "authorize"
    target = ("--url", base, "--token-file", str(root))
    child = root.with_name("child.token")
    issued = _patql(
        environ,
        *target,
        "--secrets-to",
        str(child),
        "INSERT INTO linode.profile.tokens (label) VALUES ('ci') RETURNING id",
    )
    assert issued.returncode == 0, issued.stderr
    ci = child.read_text().split()[0]
    assert [_status(authorize, s) for s in (secret, ci)] == [200, 200]
    assert _health(admin) == [200, 200]
    cluster.stop()
    try:
        for asked in _ASKED:
            assert _refusal(base.removesuffix("/v4"), secret, *asked) == (503, "1")
        assert _health(admin) == [200, 503]
    finally:
        cluster.start()
    assert _status(authorize, ci) == 200
    assert _health(admin) == [200, 200]
    revoked = _patql(
        environ, *target, "DELETE FROM linode.profile.tokens WHERE label = 'ci'"
    )
    assert revoked.returncode == 0, revoked.stderr
    assert [_status(authorize, s) for s in (secret, ci)] == [200, 401]
