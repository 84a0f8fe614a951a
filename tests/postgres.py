"""A PostgreSQL of the tests' own: real, empty, gone afterwards.

`postgres_url` is a fresh database, `tokens_url` one that has our empty tables; `cluster` is the server, which a test may
stop, start and kill.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest

from patql.store.postgres import PostgresStore

ROLE = "patql"
_DEBIAN = "/usr/lib/postgresql/*/bin/postgres"  # not on the path there
_START = 30  # seconds; recovery after a kill is part of it
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "fsync": "on",
    "log_min_messages": "warning",
}


def program() -> str:
    """The newest `postgres` of this machine; its bare name where there is none."""
    debian = sorted(Path("/").glob(_DEBIAN[1:]), key=lambda path: path.parts[-3])
    return shutil.which("postgres") or str(next(reversed(debian), "postgres"))


class Cluster:
    """A PostgreSQL server over a data folder of its own; it flushes its disk, and trusts whoever reaches it.

    PostgreSQL refuses to run as root, so where the tests do, it runs as `postgres` or `nobody`.

    Args:
        postgres: the server's program, beside which the others are.
    """

    def __init__(self, postgres: str) -> None:
        programs = Path(postgres).resolve().parent
        self._postgres = str(programs / "postgres")
        self._psql = shutil.which("psql") or str(programs / "psql")
        self.user = _unprivileged()
        # Not pytest's folder, which only we may enter; and a socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="patql-pg-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.port = free_port()
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C"]
        where = ["--pgdata", str(self.folder / "data"), "--no-sync"]
        subprocess.run(
            [programs / "initdb", "--username", ROLE, *options, *where],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self.user,
            cwd="/",
        )

    def start(self) -> None:
        """Start the server, and return once it takes connections."""
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        where = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._postgres, *where, "-p", str(self.port), *settings],
                stdout=log,
                stderr=log,
                user=self.user,
                cwd="/",
            )
        deadline = time.monotonic() + _START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self._log.read_text())
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends sessions and writes everything out, SIGQUIT is as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START)
            self._process = None

    def restart(self) -> None:
        """Crash the server, and have it recover."""
        self.stop(signal.SIGQUIT)
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def database(self, options: str = "") -> str:
        """Make a database, with options of CREATE DATABASE; its URL."""
        name = f"test_{next(self._names)}"
        self.run(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """A database's URL over TCP, through another port where one is given."""
        return f"postgresql://{ROLE}@127.0.0.1:{port or self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """A database's URL over the unix socket."""
        return f"postgresql://{ROLE}@/{database}?host={self.folder}&port={self.port}"

    def run(self, sql: str, database: str = "postgres") -> str:
        """Run SQL by psql; what it prints: values alone, columns with `|` between."""
        done = self._run(sql, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self.run("SELECT pg_reload_conf()")

    def _answers(self) -> bool:
        return self._run("SELECT 1", "postgres").returncode == 0

    def _run(self, sql: str, database: str) -> subprocess.CompletedProcess[str]:
        form = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        strict = ["--set", "ON_ERROR_STOP=1"]
        return subprocess.run(
            [self._psql, *form, *strict, "--command", sql, self.url(database)],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def cluster(need: Callable[..., str]) -> Generator[Cluster]:
    """A running PostgreSQL; a test that stops it starts it again."""
    made = Cluster(need(program()))
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def postgres_url(cluster: Cluster) -> str:
    """The URL of a database of the test's own, empty."""
    return cluster.database()


_EMPTY = """
DELETE FROM change; DELETE FROM head; DELETE FROM event; DELETE FROM sealed; DELETE FROM token_use; DELETE FROM token;
DELETE FROM founding; DELETE FROM users;
SELECT setval('user_id', 1, false), setval('token_id', 1, false), setval('event_id', 1, false)
"""


@pytest.fixture(scope="session")
def _tables(cluster: Cluster) -> str:
    url = cluster.database()
    PostgresStore(url).close()
    return url


@pytest.fixture
def tokens_url(_tables: str) -> str:
    """The URL of a database with our tables and nothing in them. One after the other, tests use the same: it takes less."""
    empty(_tables)
    return _tables


def empty(url: str) -> None:
    """Take everything out of our tables in a database."""
    with psycopg.connect(url) as connection:
        connection.execute(_EMPTY)


def _unprivileged() -> str | None:
    """Whom to run the server as; None for ourselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def free_port() -> int:
    """A port on which nobody listens, for a server that will come back to it.

    Not one of those that the system gives to outgoing connections: while the server is away, one could take it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
