"""What `patql serve` costs, in CPU of its process tree.

`python -m bench.serve [ROUNDS]` prints both comparisons as JSON.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from patql import config
from patql.api.api import Api, Report, Verify
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.compose import api_from_environment
from patql.faces.http.app import App
from patql.faces.http.host import Host
from patql.kernel.clock import SystemClock
from patql.kernel.http import Request, Response
from patql.store.sqlite import SqliteStore

ROOT = Path(__file__).parent.parent
TOKENS = 200_000
SENDERS = 1_000
"""How many different tokens the requests carry."""
REQUESTS = 30_000
CONNECTIONS = 32
PAGE_SIZE = 500
BULK = "bulk"
ROWS = "SELECT id, scopes, created, label, handle, expiry FROM token WHERE uid = ? ORDER BY id"


class Constant(Api):
    """An API that always says the same, and looks at nothing."""

    def __init__(self, real: Api, response: Response) -> None:
        self.__dict__.update(real.__dict__)
        self._response = response

    def handle(
        self,
        request: Request,
        report: Report | None = None,
        verify: Verify | None = None,
    ) -> Response:
        """The one response."""
        return self._response


def constant(_host: Host) -> App:
    """The application that answers what the real one answers to GET /v4/profile."""
    api = api_from_environment()
    credential = os.environ["BENCH_TOKEN"].encode()
    headers = [(b"authorization", b"Bearer " + credential)]
    response = api.handle(Request("GET", "/v4/profile", headers=headers))
    if response.status != 200:
        raise RuntimeError(response.body.decode())
    return App(Constant(api, response), config.read(os.environ))


def fill(path: Path, tokens: int = TOKENS) -> list[str]:
    """A database of so many tokens of one user, and SENDERS of another, whose secrets are returned."""
    with Authority(SqliteStore(path), SystemClock()) as authority:

        def make(user: str, count: int) -> list[str]:
            wanted = [Wanted(f"{user}-{n}", "*") for n in range(count)]
            return [one.secret.reveal() for one in authority.issue_many(user, wanted)]

        return [make(BULK, tokens)[0], *make("sender", SENDERS)]


@contextmanager
def serving(factory: str, environment: dict[str, str]) -> Generator[tuple[int, int]]:
    """A server process around a factory: its process id and port."""
    code = f"from patql.faces.http.server import run; run({factory!r}, port=0)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        port = int(line.split("/v4")[0].rpartition(":")[2])
        drain = subprocess.Popen(
            ["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL
        )
        try:
            yield server.pid, port
        finally:
            server.terminate()
            server.wait()
            drain.wait()


def cpu(pid: int) -> int:
    """CPU of a process and its children so far, in nanoseconds."""
    own = sum(
        int(task.read_text().split()[0])
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu(int(child)) for child in children)


def spent(pid: int, port: int, requests: list[str], connections: int) -> float:
    """CPU that a server spends on requests, in microseconds a request."""
    before = cpu(pid)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", str(port), str(connections)],
        cwd=ROOT,
        input="\n".join(requests),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == len(requests), "not every answer was 200"
    return (cpu(pid) - before) / 1000 / len(requests)


def select_and_encode(path: Path) -> float:
    """CPU of one SELECT of all bulk rows and their encoding as JSON, in microseconds."""
    connection = apsw.Connection(str(path))
    uid = connection.execute("SELECT uid FROM user WHERE username = ?", (BULK,)).get
    before = time.thread_time_ns()
    rows = connection.execute(ROWS, (uid,)).fetchall()
    msgspec.json.encode(rows)
    spent = time.thread_time_ns() - before
    assert len(rows) == TOKENS
    connection.close()
    return spent / 1000


def run(rounds: int) -> list[dict[str, Any]]:
    """Both comparisons, each of so many interleaved rounds; medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokens.db")
        secrets = fill(path)
        environment = {
            **os.environ,
            "PATQL_DB": f"sqlite:///{path}",
            "BENCH_TOKEN": secrets[1],
        }
        application = "patql.faces.http.app:application"
        with (
            serving(application, environment) as real,
            serving("bench.serve:constant", environment) as same,
        ):
            return [
                _profile(real, same, secrets[1:], rounds),
                _pages(real, path, secrets[0], rounds),
            ]


def _profile(
    real: tuple[int, int], same: tuple[int, int], secrets: list[str], rounds: int
) -> dict[str, Any]:
    requests = [f"/v4/profile {secrets[n % len(secrets)]}" for n in range(REQUESTS)]
    for server in (real, same):
        spent(*server, requests, CONNECTIONS)
    values: list[float] = []
    baselines: list[float] = []
    for _ in range(rounds):
        values.append(spent(*real, requests, CONNECTIONS))
        baselines.append(spent(*same, requests, CONNECTIONS))
    return _result(
        "GET /v4/profile over HTTP, a verification each, server process tree",
        "the same server answering a constant with the same headers and body",
        1.8,
        "CPU µs a request",
        values,
        baselines,
    )


def _pages(
    real: tuple[int, int], path: Path, secret: str, rounds: int
) -> dict[str, Any]:
    requests = [
        f"/v4/profile/tokens?page={page}&page_size={PAGE_SIZE} {secret}"
        for page in range(1, TOKENS // PAGE_SIZE + 1)
    ]
    values: list[float] = []
    baselines: list[float] = []
    for _ in range(rounds):
        values.append(spent(*real, requests, 1) * len(requests) / 1000)
        baselines.append(select_and_encode(path) / 1000)
    return _result(
        f"{TOKENS:,} tokens read page by page from `patql serve`, server CPU",
        "one SELECT of the same rows + msgspec encode",
        5.0,
        "CPU ms",
        values,
        baselines,
    )


def _result(
    what: str,
    against: str,
    bar: float,
    unit: str,
    values: list[float],
    baselines: list[float],
) -> dict[str, Any]:
    value, baseline = statistics.median(values), statistics.median(baselines)
    return {
        "what": what,
        "against": against,
        "ratio": value / baseline,
        "bar": bar,
        "unit": unit,
        "value": value,
        "baseline": baseline,
    }


if __name__ == "__main__":
    print(
        json.dumps(
            run(int(sys.argv[1]) if sys.argv[1:] else 5), indent=2, ensure_ascii=False
        )
    )
