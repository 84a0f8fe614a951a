"""What a verification costs among 10,000,000 tokens, against among 10,000."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import random
import shutil
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
from bench.serving import CACHE, compared

from patql import Authority
from patql.authority import tokens
from patql.kernel.secrets import Secret

FEW, MANY = 10_000, 10_000_000
BAR = 1.8
OWNER = "bench"

_SAMPLE = 20_000  # verifications a round
_SAMPLES = 8  # enough for as many rounds to have one of their own
_TEMPLATE = "SELECT * FROM token WHERE id = 1"


def run(rounds: int) -> list[dict[str, Any]]:
    """`Authority.verify` of handles drawn at random from all, CPU; databases of both sizes in turns."""
    few, many = _database(FEW), _database(MANY)
    for path in (few, many):
        _into_memory(path)
    with Authority(few) as small, Authority(many) as large:
        times = [
            (_microseconds(large, MANY, turn), _microseconds(small, FEW, turn))
            for turn in range(rounds + 1)
        ]
    return [
        compared(
            f"Authority.verify in process, random ones of {MANY:,} tokens in SQLite",
            f"of {FEW:,} tokens",
            BAR,
            [cost for cost, _ in times[1:]],
            [cost for _, cost in times[1:]],
            "µs CPU a verification",
        )
    ]


def _microseconds(authority: Authority, count: int, turn: int) -> float:
    first = turn % _SAMPLES * _SAMPLE
    sample = [_secret(n, count) for n in _drawn(count)[first : first + _SAMPLE]]
    verify = authority.verify
    begun = time.thread_time()
    for secret in sample:
        if not verify(secret, "linodes:read_only"):
            raise AssertionError
    return (time.thread_time() - begun) / _SAMPLE * 1e6


def _drawn(count: int) -> list[int]:
    """The tokens that are presented, of each round."""
    return random.Random(count).choices(range(count), k=_SAMPLE * _SAMPLES)


def _handle(n: int, count: int) -> str:
    """The handle of the n-th token by it; they are evenly spaced."""
    return f"pql_{n * (16**12 // count):012x}"


def _secret(n: int, count: int) -> str:
    handle = _handle(n, count)
    body = (handle + sha256(handle.encode()).hexdigest()[:43]).encode()
    return (body + tokens._checksum(body)).decode()  # pyright: ignore[reportPrivateUsage]


def _database(count: int) -> Path:
    """A database of so many tokens with our schema, kept for the next time.

    Its rows are copies of one that the authority made, in the order of their handles. Only of those that are presented
    are the digests real.
    """
    folder = CACHE / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "fresh.db"
    for leftover in folder.glob("fresh.db*"):
        leftover.unlink()
    with Authority(fresh) as authority:
        authority.issue(OWNER, label="one of many", scopes="*")
    connection = apsw.Connection(str(fresh))
    made = connection.execute("SELECT group_concat(sql) FROM sqlite_schema").get
    path = folder / f"{count}-{sha256(made.encode()).hexdigest()[:12]}.db"
    if not path.exists():
        for outdated in folder.glob(f"{count}-*"):  # made with another schema
            outdated.unlink()
        _fill(connection, count)
    connection.close()
    if path.exists():
        fresh.unlink()
    else:
        fresh.rename(path)
    return path


def _fill(connection: apsw.Connection, count: int) -> None:
    execute = connection.execute
    execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").fetchall()
    indices = {
        str(name): str(sql)
        for name, sql in execute(
            "SELECT name, sql FROM sqlite_schema"
            " WHERE type = 'index' AND tbl_name = 'token' AND sql IS NOT NULL"
        )
    }
    names = [str(name) for _, name, *_ in execute("PRAGMA table_info(token)")]
    own = {
        "handle": f"printf('pql_%012x', n * {16**12 // count})",
        "digest": "randomblob(32)",
        "id": "n + 2",
    }
    execute("BEGIN IMMEDIATE")
    for name in indices:
        execute(f"DROP INDEX {name}")
    execute(
        f"WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < {count - 1}),"
        f" one AS MATERIALIZED ({_TEMPLATE})"
        f" INSERT INTO token ({', '.join(names)})"
        f" SELECT {', '.join(own.get(name, name) for name in names)} FROM number, one"
    )
    execute("DELETE FROM token WHERE id = 1")
    for n in sorted(set(_drawn(count))):
        digest = tokens.digest(Secret(_secret(n, count)))
        execute(
            "UPDATE token SET digest = ? WHERE handle = ?", (digest, _handle(n, count))
        )
    for sql in indices.values():
        execute(sql)
    execute("COMMIT")
    execute("PRAGMA journal_mode = WAL").fetchall()


def _into_memory(path: Path) -> None:
    """Have the system read the file, so that no verification waits for the disk."""
    with path.open("rb") as source, Path(os.devnull).open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
