"""Workers that are replaced while requests come: none is refused, none fails."""

import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.conftest import Served, Serving
from tests.faces.http.conftest import TOKENS, logged

pytestmark = pytest.mark.slow

CLIENTS = 4


class Load:
    """Clients that go on asking, each over new connections or over one that it keeps, and count what they see."""

    def __init__(self, served: Served) -> None:
        self.seen: Counter[str] = Counter()
        self._served = served
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number % 2 == 0,))
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        connection: socket.socket | None = None
        requests = [*map(self._request, ("/authorize", "/v4/profile")), self._change()]
        for number in range(1_000_000):
            if self._over.is_set():
                break
            try:
                if connection is None:
                    address = ("127.0.0.1", self._served.port)
                    connection = socket.create_connection(address, timeout=10)
                connection.sendall(requests[number % 3])
                answer = connection.recv(65536)
            except OSError as error:
                self.seen[type(error).__name__] += 1
                if connection is not None:
                    connection.close()
                connection = None
                continue
            status = answer[9:12].decode() or "nothing"
            self.seen[status] += 1
            if not keeps or b"connection: close" in answer or not answer:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _change(self) -> bytes:
        """One of several, which wait for the disk."""
        body = b'{"label":"root"}'
        return (
            f"PUT {TOKENS}/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._served.secret}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _request(self, path: str) -> bytes:
        return (
            f"GET {path} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {self._served.secret}\r\n\r\n"
        ).encode()


def workers(served: Served) -> set[int]:
    """The processes that serve, which multiprocessing's own isn't."""
    pid = served.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if _is_worker(child)}


def both(served: Served) -> set[int]:
    """The two that there are to be, once there are."""
    deadline = time.monotonic() + 30
    while len(found := workers(served)) != 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _is_worker(pid: str) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it has just ended
        return False


def test_restart_under_load(serving: Serving, tmp_path: Path) -> None:
    """At SIGHUP every worker is replaced; clients who ask and change see nothing of it, whether they keep connections or not."""
    with serving(tmp_path, "--workers", "2") as served:
        before = both(served)
        with Load(served) as load:
            deadline = time.monotonic() + 60
            while load.seen["200"] < 100 and time.monotonic() < deadline:
                time.sleep(0.05)
            served.process.send_signal(signal.SIGHUP)
            while workers(served) & before and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not workers(served) & before
            after = load.seen["200"]
            while load.seen["200"] < after + 100 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert set(load.seen) == {"200"}
        both(served)
    assert "Traceback" not in served.written()


def test_restart_runs_new_code(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that take over at SIGHUP run what is installed then."""
    code = tmp_path / "code" / "sitecustomize.py"  # every interpreter runs it first
    code.parent.mkdir()
    code.write_text("import os; os.write(2, b'first edition\\n')")
    python = (str(code.parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(python))
    with serving(tmp_path, "--workers", "2") as served:
        before = both(served)
        assert "second edition" not in served.written()
        code.write_text("import os; os.write(2, b'second edition\\n')")
        served.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while workers(served) & before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert served.written().count("second edition") >= 2


def test_worker_that_dies(serving: Serving, tmp_path: Path) -> None:
    """A worker that is killed is replaced, and the service goes on."""
    with serving(tmp_path, "--workers", "2") as served:
        killed = min(both(served))
        with Load(served) as load:
            os.kill(killed, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while killed in workers(served) or len(workers(served)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            after = load.seen["200"]
            while load.seen["200"] < after + 50 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert load.seen["200"] >= after + 50


# A server whose workers are given less time than 30 s to say that they are alive.
_IMPATIENT = """
import sys
from patql import cli
from patql.faces.http import server
if __name__ == "__main__":
    server.HEALTH = 8
    sys.exit(cli.main(sys.argv[1:]))
"""


def test_worker_that_hangs(serving: Serving, tmp_path: Path) -> None:
    """A worker that says nothing any more is replaced, and only that one."""
    program = tmp_path / "impatient.py"
    program.write_text(_IMPATIENT)
    with serving(tmp_path, "--workers", "2", patql=[str(program)]) as served:
        before = both(served)
        hangs = min(before)
        os.kill(hangs, signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while hangs in workers(served):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert both(served) & before == before - {hangs}


def test_hang_up_of_one_process(serving: Serving, tmp_path: Path) -> None:
    """A server of one process has nobody to hand over to: at SIGHUP it finishes what is under way, and ends."""
    with serving(tmp_path) as served:
        with Load(served) as load:
            while load.seen["200"] < 20:
                time.sleep(0.02)
            served.process.send_signal(signal.SIGHUP)
            assert served.process.wait(15) == 0
        logged(served, "GET /authorize 200")
    assert not [seen for seen in load.seen if seen.startswith("5")]
    assert "Traceback" not in served.written()
