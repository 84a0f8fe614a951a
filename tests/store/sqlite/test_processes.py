"""Several processes on one database: revoked means refused, and what was acknowledged survives `kill -9`."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

_LONG = os.environ.get("PATQL_LONG") == "1"
_ROUNDS = 2000 if _LONG else 300
_ISSUED = 300
_KILLS = 8

_OPEN = """
import os, sys, threading
from patql.authority.authority import Authority
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore
authority = Authority(SqliteStore(sys.argv[1]), SystemClock())
"""

# Answers each secret on standard input with 1 (accepted) or 0.
_VERIFIER = (
    _OPEN
    + """
for line in sys.stdin.buffer:
    sys.stdout.write("1" if authority.verify(line.strip()) else "0")
    sys.stdout.flush()
"""
)

# Says each token, once it is issued, in one write.
_ISSUER = (
    _OPEN
    + """
def work():
    while True:
        secret = authority.issue("alice").secret.reveal()
        os.write(1, secret.encode() + b"\\n")
for _ in range(3):
    threading.Thread(target=work).start()
"""
)


def _start(code: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
def test_revoked_here_is_refused_there(tmp_path: Path) -> None:
    """One process revokes, another verifies after the revoke returned: never once accepted."""
    path = tmp_path / "tokens.db"
    with (
        Authority(SqliteStore(path), SystemClock()) as authority,
        _start(_VERIFIER, path) as verifier,
    ):
        assert verifier.stdin is not None
        assert verifier.stdout is not None
        before = after = b""
        for _ in range(_ROUNDS):
            issued = authority.issue("alice")
            line = issued.secret.reveal().encode() + b"\n"
            verifier.stdin.write(line)
            verifier.stdin.flush()
            before += verifier.stdout.read(1)
            authority.revoke("alice", issued.token.id)
            verifier.stdin.write(line)
            verifier.stdin.flush()
            after += verifier.stdout.read(1)
        verifier.stdin.close()
    assert before == b"1" * _ROUNDS
    assert after == b"0" * _ROUNDS


@pytest.mark.slow
def test_acknowledged_tokens_survive_a_kill(tmp_path: Path) -> None:
    """Every token whose secret was returned verifies after `kill -9`, and the database is whole."""
    path = tmp_path / "tokens.db"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    returned = list[bytes]()
    kills = 0
    while len(returned) < _ISSUED or kills < _KILLS:
        with _start(_ISSUER, path) as issuer:
            assert issuer.stdout is not None
            for _ in range(chance.randint(1, 60)):
                returned.append(issuer.stdout.readline().strip())
            issuer.send_signal(signal.SIGKILL)
            rest = issuer.stdout.read()
        kills += 1
        returned += rest[: rest.rfind(b"\n") + 1].split()
        with Authority(SqliteStore(path), SystemClock()) as authority:
            lost = [secret[:16] for secret in returned if not authority.verify(secret)]
            assert lost == [], f"seed {seed}"
            listed = {token.shown for token in authority.list("alice")}
            assert listed >= {secret[:16].decode() for secret in returned}
            audited = [e for e in authority.events(limit=10**6) if e.token_id]
            assert len(audited) == len(listed)
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


# As the issuer, in a process whose files can't grow beyond some bytes; it says what stopped it.
_FILLER = (
    _OPEN
    + """
import resource
from patql.kernel.errors import PatqlError
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
try:
    while True:
        print(authority.issue("alice", label="x" * 90).secret.reveal(), flush=True)
except PatqlError as error:
    print(error.code, authority.is_empty(), len(authority.list("alice")))
"""
)


@pytest.mark.slow
def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    """Where a file has reached its limit, issuing ends cleanly, reading goes on, and what was acknowledged is kept."""
    path = tmp_path / "tokens.db"
    with _start(_FILLER, path) as filler:
        *returned, stopped = filler.communicate()[0].splitlines()
    assert stopped == b"unavailable False %d" % len(returned)
    assert returned
    with Authority(SqliteStore(path), SystemClock()) as authority:
        assert all(authority.verify(secret) for secret in returned)
        assert authority.issue("alice").token.id == len(returned) + 1


@pytest.mark.slow
def test_processes_that_open_at_once(tmp_path: Path) -> None:
    """A database that does not exist yet can be opened by several processes at the same time."""
    path = tmp_path / "tokens.db"
    code = f"{_OPEN}\nfor _ in range(5): authority.issue(str(os.getpid()))"
    processes = [_start(code, path) for _ in range(4)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 4
    with Authority(SqliteStore(path), SystemClock()) as authority:
        assert len(authority.events()) == 4 + 4 * 5
        ids = [token.id for p in processes for token in authority.list(str(p.pid))]
    assert sorted(ids) == list(range(1, 21))


@pytest.mark.slow
def test_processes_that_found_at_once(tmp_path: Path) -> None:
    """Of several processes that would make the first user of one new database, one does."""
    path = tmp_path / "tokens.db"
    code = f"{_OPEN}\nprint(authority.found(str(os.getpid())) is not None)"
    processes = [_start(code, path) for _ in range(4)]
    said = [process.communicate()[0].strip() for process in processes]
    assert sorted(said) == [b"False"] * 3 + [b"True"]
    with Authority(SqliteStore(path), SystemClock()) as authority:
        actions = [event.action for event in authority.events()]
    assert actions == ["user_create", "token_create"]
