"""What tests of every part share."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

pytest_plugins = ("tests.postgres",)

# A shell has what runs in its background ignore Ctrl-C, and so would the tests of Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def need() -> Callable[..., str]:
    """Finds a program that a test can't do without, by any of its names.

    Where there is none the test is skipped, naming it; in CI, which must run everything, it fails.
    """

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        problem = f"{names[0]} isn't installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{problem}, and CI runs every test")
        pytest.skip(problem)

    return find


@dataclass(frozen=True)
class Served:
    """A running `patql serve`: where it answers, its database, its first token, its process and what it wrote."""

    url: str
    port: int
    database: Path
    secret: str = field(repr=False)
    process: subprocess.Popen[bytes]
    log: Path

    def written(self) -> str:
        """What it has written to standard error so far."""
        return self.log.read_text()


Serving = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Runs `patql serve` with the given options over a new database in a folder, whose first user is `alice`."""
    return _serving


@contextmanager
def _serving(
    folder: Path,
    *options: str,
    stop: int = signal.SIGTERM,
    patql: Sequence[str] = ("-m", "patql"),
) -> Generator[Served]:
    database = folder / "tokens.db"
    with Authority(SqliteStore(database), SystemClock()) as authority:
        secret = authority.issue("alice", label="root").secret.reveal()
    log = folder / "serve.log"
    given = ["--db", f"sqlite:///{database}", "--port", "0", *options]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, *patql, "serve", *given], stderr=stderr
        ) as process,
    ):
        try:
            url = _url(log, process)
            port = int(url.rpartition(":")[2].removesuffix("/v4"))
            yield Served(url, port, database, secret, process, log)
        finally:
            process.send_signal(stop)
            process.wait(20)


def _url(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The base URL that a server names once it listens."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"https?://\S+/v4", log.read_text()):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(log.read_text())
