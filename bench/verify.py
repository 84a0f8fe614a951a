"""What a verification costs, against the least that any verification must do."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import random
import tempfile
import time
from binascii import crc32
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

import apsw

from patql.authority import tokens
from patql.authority.authority import Authority
from patql.authority.model import Role, Token
from patql.authority.ports import NewToken, Transaction
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

TOKENS = 200_000
BAR = 1.5

_SAMPLE = 20_000  # verifications a round
_BATCH = 5_000  # tokens a transaction
_SELECT = (
    "SELECT digest, id, uid, username, scopes, expiry, revoked_at, disabled_at"
    " FROM token WHERE handle = ?"
)


def run(rounds: int) -> list[dict[str, object]]:
    """`Authority.verify` in process against CRC-32 + SHA-256 + one prepared point SELECT in a bare loop.

    Both read tokens at random from the same database of 200,000, in turns. A token is verified with one needed scope.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.db"
        store = SqliteStore(path)
        sample = random.Random(1).choices(_fill(store), k=_SAMPLE)
        bare = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        with Authority(store, SystemClock()) as authority:
            times = [
                (
                    _microseconds(lambda: _bare(bare, sample)),
                    _microseconds(lambda: _verify(authority, sample)),
                )
                for _ in range(rounds + 1)  # the first one fills caches
            ][1:]
        bare.close()
    return [
        {
            "what": f"Authority.verify in process, {TOKENS:,} tokens in SQLite",
            "against": "CRC-32 + SHA-256 + one prepared point SELECT, bare loop",
            "ratio": median(ours / least for least, ours in times),
            "bar": BAR,
            "unit": "µs CPU a verification",
            "value": median(ours for _, ours in times),
            "baseline": median(least for least, _ in times),
        }
    ]


def _fill(store: SqliteStore) -> list[str]:
    secrets = list[str]()

    def change(at: Transaction) -> None:
        owner = at.user("bench") or at.add_user(
            "bench", "", Role.ADMIN, restricted=False, at=0
        )
        for token_id in range(len(secrets) + 1, len(secrets) + _BATCH + 1):
            handle, secret = tokens.mint("pql_")
            token = Token(token_id, handle, f"token-{token_id}", "*", 0, None)
            at.add_tokens([NewToken(token, tokens.digest(secret), owner, None)])
            secrets.append(secret.reveal())

    while len(secrets) < TOKENS:
        store.write(change)
    return secrets


def _microseconds(loop: Callable[[], None]) -> float:
    begun = time.thread_time()
    loop()
    return (time.thread_time() - begun) / _SAMPLE * 1e6


def _bare(connection: apsw.Connection, sample: list[str]) -> None:
    execute = connection.cursor().execute
    for secret in sample:
        raw = secret.encode()
        crc32(raw[:59])
        sha256(raw).digest()
        _ = execute(_SELECT, (secret[:16],)).get


def _verify(authority: Authority, sample: list[str]) -> None:
    verify = authority.verify
    for secret in sample:
        if not verify(secret, "linodes:read_only"):
            raise AssertionError
