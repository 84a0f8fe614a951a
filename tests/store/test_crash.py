"""What was acknowledged survives `kill -9` of the process that wrote, and a crash of the database's server, at any moment."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from tests.postgres import Cluster
from tests.prove import setup

from patql.authority.authority import Authority
from patql.kernel.errors import Code, PatqlError

pytestmark = pytest.mark.slow

_KILLS = 8
_CRASHES = 3  # as many kills where the server crashes before each
_LINES = 60  # that are read before something happens, at most

# Issues and revokes from three threads, and says what it does before and after, each in one write.
_WORKER = """
import os, threading, time
from patql import config
from patql.compose import open_authority
from patql.kernel.errors import PatqlError

authority = open_authority(config.read(os.environ))

def say(*words):
    os.write(1, " ".join(map(str, words)).encode() + b"\\n")

def live():
    issued = authority.issue("alice")
    say("issued", issued.token.id, issued.secret.reveal())
    if issued.token.id % 2:
        say("revoking", issued.token.id)
        authority.revoke("alice", issued.token.id)
        say("revoked", issued.token.id)

def work():
    while True:
        try:
            live()
        except PatqlError:  # the database's server is down
            time.sleep(0.02)

for _ in range(3):
    threading.Thread(target=work).start()
"""


class _Said:
    """What workers have said so far."""

    def __init__(self) -> None:
        self.secrets = dict[int, str]()
        self.revoking = set[int]()
        self.revoked = set[int]()

    def hear(self, output: bytes) -> None:
        """Take whole lines; the last may have been cut off."""
        for line in output[: output.rfind(b"\n") + 1].decode().splitlines():
            word, number, *secret = line.split()
            if word == "issued":
                self.secrets[int(number)] = secret[0]
            elif word == "revoking":
                self.revoking.add(int(number))
            else:
                self.revoked.add(int(number))

    def check(self, authority: Authority) -> None:
        """Nothing of it is lost, and the audit is whole."""
        good = {n for n, secret in self.secrets.items() if authority.verify(secret)}
        assert good >= self.secrets.keys() - self.revoking
        assert good.isdisjoint(self.revoked)
        events = authority.events(limit=10**6)
        lines = [(event.action, event.token_id) for event in events if event.token_id]
        assert len(lines) == len(set(lines))
        assert set(lines) >= {("token_create", number) for number in self.secrets}
        assert set(lines) >= {("token_delete", number) for number in self.revoked}
        assert authority.admin.examine().faults == ()


def test_sqlite(tmp_path: Path) -> None:
    """A process is killed; the file is whole, and has all that was acknowledged."""
    database = f"sqlite:///{tmp_path}/tokens.db"
    _kill_and_look(database, tmp_path)
    connection = apsw.Connection(str(tmp_path / "tokens.db"))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


def test_postgres(postgres_url: str, tmp_path: Path) -> None:
    """A process is killed; the database has all that was acknowledged."""
    _kill_and_look(postgres_url, tmp_path)


def test_postgres_that_crashes(
    cluster: Cluster, postgres_url: str, tmp_path: Path
) -> None:
    """The server crashes under the process, which goes on; then the process is killed, too."""
    _kill_and_look(postgres_url, tmp_path, cluster.restart)


def _kill_and_look(
    database: str, folder: Path, crash: Callable[[], None] | None = None
) -> None:
    setup.make(database, folder)
    chance = random.Random()
    said = _Said()
    for _ in range(_KILLS if crash is None else _CRASHES):
        with _start(database, folder) as worker:
            assert worker.stdout is not None
            for _ in range(chance.randint(1, _LINES)):
                said.hear(worker.stdout.readline())
            if crash is not None:
                crash()
                for _ in range(chance.randint(1, _LINES)):
                    said.hear(worker.stdout.readline())
            worker.send_signal(signal.SIGKILL)
            said.hear(worker.stdout.read())
        with setup.opened(database, folder) as authority:
            said.check(authority)
    assert said.revoked


def _start(database: str, folder: Path) -> subprocess.Popen[bytes]:
    variables = {
        "PATQL_DB": database,
        "PATQL_DATA_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER],
        stdout=subprocess.PIPE,
        env=os.environ | variables,
    )


def test_a_lost_standby(cluster: Cluster, postgres_url: str, tmp_path: Path) -> None:
    """What a synchronous standby hasn't confirmed isn't acknowledged, whoever ends the waiting for it."""
    setup.make(postgres_url, tmp_path)
    waiting = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    told = list[PatqlError]()
    with setup.opened(postgres_url, tmp_path) as authority:
        issued = authority.issue("alice")

        def revoke() -> None:
            try:
                authority.revoke("alice", issued.token.id)
            except PatqlError as error:
                told.append(error)

        cluster.configure("synchronous_standby_names", "nobody")
        thread = threading.Thread(target=revoke)
        thread.start()
        try:
            while cluster.run(waiting) != "1":
                time.sleep(0.02)
            thread.join(20)
        finally:
            cluster.configure("synchronous_standby_names", "")
            thread.join()
        assert [error.code for error in told] == [Code.UNAVAILABLE]
        assert "unknown" in str(told[0])
        assert authority.issue("alice").token.id > issued.token.id
