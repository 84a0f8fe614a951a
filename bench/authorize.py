"""What `/authorize` costs, in CPU of the server's process tree."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.serve import CONNECTIONS, ROOT, SENDERS, cpu, fill, serving
from bench.serving import compared, cores, on_core

from patql import config
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.authority.verify import Presented
from patql.compose import api_from_environment
from patql.faces.http.app import App
from patql.faces.http.host import Host

TOKENS = 1_000_000
REQUESTS = 30_000
PATH = "/authorize?scope=linodes:read_only"

Server = tuple[int, int]


def constant(_host: Host) -> App:
    """The application whose authority says the same of every secret, and looks at nothing."""
    api = api_from_environment()
    real = api.authority
    verdict = real.verify(os.environ["BENCH_TOKEN"])

    class Constant(Authority):
        """An authority that has made up its mind."""

        def verify(
            self, secret: Presented, needs: str | Sequence[str] = ()
        ) -> Granted | Denied:
            """The one verdict."""
            return verdict

    real.__class__ = Constant
    return App(api, config.read(os.environ))


@contextmanager
def bare() -> Generator[Server]:
    """The hand-written server: its process id and port."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.bare"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:  # fmt: skip
        assert server.stdout is not None
        try:
            yield server.pid, int(server.stdout.readline())
        finally:
            server.terminate()


def spent(server: Server, secrets: list[str], *, good: bool = True) -> float:
    """CPU that a server spends on requests with these secrets, in microseconds a request."""
    pid, port = server
    requests = [f"{PATH} {secrets[n % len(secrets)]}" for n in range(REQUESTS)]
    before = cpu(pid)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", str(port), str(CONNECTIONS)],
        cwd=ROOT,
        input="\n".join(requests),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == (REQUESTS if good else 0), "not the answers expected"
    return (cpu(pid) - before) / 1000 / REQUESTS


def run(rounds: int) -> list[dict[str, Any]]:
    """`/authorize` against the same code and a constant, and against a hand-written server; in turns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokens.db")
        secrets = fill(path, TOKENS)[1:]
        environment = {
            **os.environ,
            "PATQL_DB": f"sqlite:///{path}",
            "BENCH_TOKEN": secrets[0],
        }
        return measured(environment, secrets, rounds)


def measured(
    environment: dict[str, str], secrets: list[str], rounds: int
) -> list[dict[str, Any]]:
    """All three comparisons; the servers share one core, the load comes from another."""
    client, server = cores()
    with ExitStack() as stack:
        with on_core(server):
            application = "patql.faces.http.app:application"
            real = stack.enter_context(serving(application, environment))
            constant = "bench.authorize:constant"
            same = stack.enter_context(serving(constant, environment))
            least = stack.enter_context(bare())
        with on_core(client):
            return _compared(real, same, least, secrets, rounds)


def _compared(
    real: Server, same: Server, least: Server, secrets: list[str], rounds: int
) -> list[dict[str, Any]]:
    wrong = [secret[:-1] + ("0" if secret[-1] != "0" else "1") for secret in secrets]
    measures: list[Callable[[], float]] = [
        lambda: spent(real, secrets),
        lambda: spent(real, wrong, good=False),
        lambda: spent(same, secrets),
        lambda: spent(least, secrets),
    ]
    turns = [[measure() for measure in measures] for _ in range(rounds + 1)][1:]
    good, bad, constant, hand = (list(column) for column in zip(*turns, strict=True))
    unit = "CPU µs a request"
    what = f"/authorize, {SENDERS:,} of {TOKENS:,} tokens in SQLite"
    by_hand = "an asyncio.Protocol (uvloop, httptools) that answers a constant"
    same_code = "the same code with a constant verdict"
    return [
        compared(what, same_code, 2.3, good, constant, unit),
        compared(f"{what}, wrong checksums", same_code, 1.3, bad, constant, unit),
        compared(what, by_hand, 3.0, good, hand, unit),
    ]
