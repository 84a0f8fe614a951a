"""How fast tokens are issued over HTTP, each one durable before it is answered, against bare INSERTs.

`python -m bench.issue PORT CLIENTS TOKENS` reads a token from standard input, has so many clients issue so many tokens
with it, and prints how many seconds that took.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
from bench.serve import serving
from bench.serving import CACHE, ROOT, compared, cores, on_core

from patql import Authority

TOKENS = 2_000
"""How many are issued, or inserted, in each part of a round."""
BARS = {1: 1 / 0.25, 16: 1 / 1.2}
"""By clients: how many times the time of a bare row a token may take, so that a quarter, or 1.2 times, as many come out."""
BODY = b'{"label":"ci","scopes":"linodes:read_only"}'
REQUEST = (
    b"POST /v4/profile/tokens HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)
BARE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE token (
    handle TEXT PRIMARY KEY, digest BLOB, id INTEGER, username TEXT,
    label TEXT, scopes TEXT, created INTEGER, expiry INTEGER
) WITHOUT ROWID
"""


def run(rounds: int) -> list[dict[str, Any]]:
    """One client, sixteen, and one bare row a commit, in turns, on one disk."""
    CACHE.mkdir(exist_ok=True)
    client, server = cores()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder, "tokens.db")
        with Authority(path) as authority:
            secret = authority.issue("bench", scopes="*").secret.reveal()
        bare = apsw.Connection(str(Path(folder, "bare.db")))
        bare.execute(BARE).fetchall()
        environment = {**os.environ, "PATQL_DB": f"sqlite:///{path}"}
        application = "patql.faces.http.app:application"
        with on_core(server), serving(application, environment) as (_, port):
            times = [
                (
                    _inserted(bare),
                    *(_issued(port, clients, secret, client) for clients in BARS),
                )
                for _ in range(rounds + 1)  # the first one fills caches
            ][1:]
        bare.close()
    return [
        compared(
            f"tokens issued over HTTP, durable, {clients} at once",
            "one INSERT and COMMIT a row, synchronous=FULL, bare",
            BARS[clients],
            [row[column] for row in times],
            [row[0] for row in times],
            "µs a row",
        )
        for column, clients in enumerate(BARS, 1)
    ]


def _inserted(connection: apsw.Connection) -> float:
    """How long a bare row takes, in microseconds."""
    now = time.time_ns()
    rows = [
        (
            f"pql_{sha256(b'%d' % (now + n)).hexdigest()[:12]}",
            sha256(b"%d" % n).digest(),
            now + n,
            "bench",
            "ci",
            "linodes:read_only",
            now // 10**9,
            None,
        )
        for n in range(TOKENS)
    ]
    begun = time.perf_counter()
    for row in rows:
        connection.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return (time.perf_counter() - begun) / TOKENS * 1e6


def _issued(port: int, clients: int, secret: str, core: int) -> float:
    """How long a token takes, in microseconds, with all clients on one core."""
    with on_core(core):
        done = subprocess.run(
            [sys.executable, "-m", "bench.issue", str(port), str(clients), str(TOKENS)],
            cwd=ROOT,
            input=secret,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return float(done.stdout) / TOKENS * 1e6


def main() -> None:
    """Issue tokens; each client sends its next request as soon as it has an answer."""
    port, clients, left = map(int, sys.argv[1:])
    request = REQUEST % (sys.stdin.read().encode(), len(BODY), BODY)
    waiting = selectors.DefaultSelector()
    for _ in range(clients):
        waiting.register(
            socket.create_connection(("127.0.0.1", port)), selectors.EVENT_READ
        )
    begun = time.perf_counter()
    for key in waiting.get_map().values():
        _connection(key).sendall(request)
        left -= 1
    under_way = clients
    while under_way:
        for key, _ in waiting.select():
            _check(_connection(key).recv(1 << 16))
            if left:
                _connection(key).sendall(request)
                left -= 1
            else:
                under_way -= 1
    print(time.perf_counter() - begun)


def _connection(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


def _check(answer: bytes) -> None:
    """That it is the whole of a good one, which is far smaller than what one read may return."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    assert body.endswith(b"}"), "an answer in two pieces"


if __name__ == "__main__":
    main()
