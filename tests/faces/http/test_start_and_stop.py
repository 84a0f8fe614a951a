"""How a real `patql serve` starts, with whom it shares its work, and how it stops."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path

import apsw
import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import TOKENS, raw, send

from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

pytestmark = pytest.mark.slow


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
        time.sleep(2.5)
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


@pytest.mark.parametrize("workers", ["1", "2"])
def test_newer_database(tmp_path: Path, workers: str) -> None:
    """A database that a newer version has made isn't served, however many workers there would be."""
    path = tmp_path / "tokens.db"
    Authority(SqliteStore(path), SystemClock()).close()
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO migration (version, name) VALUES (99, 'newer')")
    connection.close()
    done = refused(tmp_path, "--workers", workers, "--port", "0")
    assert done.returncode == 1, done.stderr
    assert "made by a newer PatQL" in done.stderr
    assert "Traceback" not in done.stderr
