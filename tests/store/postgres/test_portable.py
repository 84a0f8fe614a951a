"""What PostgreSQLs that spread tables over machines lack isn't used, and docs/scale.md names each table as it is."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.replay import Replay
from patql.kernel.clock import ManualClock
from patql.kernel.errors import PatqlError
from patql.kernel.secrets import Secret
from patql.store import postgres
from patql.store.postgres import PostgresStore

PAGE = Path(__file__).parents[3] / "docs" / "scale.md"
SOURCES = Path(postgres.__file__).parent
LOCAL = {"migration", "founding"}
"""Tables that Citus keeps on its coordinator."""

_ABSENT = re.compile(
    r"\b(UN)?LISTEN\b|\bNOTIFY\b|advisory|\bTRIGGER\b|\bREFERENCES\b|\bFOREIGN KEY\b|\bFUNCTION\b|\bPROCEDURE\b|"
    r"\bEXTENSION\b|\bUNLOGGED\b|\bTEMP(ORARY)?\b|\bUNIQUE\b|\bLOCK TABLE\b|\bTRUNCATE\b|\bDO \$"
)
_OURS = "relnamespace = 'public'::regnamespace"
_FURTHER = {
    "constraints": "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('p', 'n')",
    "unique": f"SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE {_OURS} AND indisunique AND NOT indisprimary",
    "triggers": "SELECT tgname FROM pg_trigger",
    "functions": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "kinds": f"SELECT relname FROM pg_class WHERE {_OURS} AND (relpersistence <> 'p' OR relkind NOT IN ('r', 'i', 'S'))",
    "extensions": "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'",
}
"""Queries for what there must be none of."""


def test_statements() -> None:
    """No statement uses LISTEN, advisory locks or anything else that page says is done without."""
    files = [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.sql")]
    assert len(files) > 10
    found = [
        (file.name, match[0])
        for file in files
        for match in _ABSENT.finditer(_bare(file))
    ]
    assert found == []


def _bare(file: Path) -> str:
    """A file without comments of SQL's."""
    return re.sub(r"--.*", "", file.read_text("utf-8"))


@pytest.mark.parametrize("query", _FURTHER.values(), ids=_FURTHER)
def test_tables(tokens_url: str, query: str) -> None:
    """Nor does what the migrations have made."""
    with psycopg.connect(tokens_url) as connection:
        assert connection.execute(query.encode()).fetchall() == []


def test_distribution(tokens_url: str) -> None:
    """Each table but two is told to be spread, by the first column of its primary key, and tokens are by their handle."""
    told = dict(
        re.findall(
            r"create_distributed_table\('(\w+)', '(\w+)'", PAGE.read_text("utf-8")
        )
    )
    query = (
        "SELECT relname, attname FROM pg_index JOIN pg_class ON pg_class.oid = indrelid"
        f" JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE {_OURS} AND indisprimary"
    )
    with psycopg.connect(tokens_url) as connection:
        keys: dict[str, str] = dict(connection.execute(query.encode()).fetchall())
    assert keys.keys() - told.keys() == LOCAL
    assert told == {table: key for table, key in keys.items() if table not in LOCAL}
    assert (told["token"], told["token_use"]) == ("handle", "handle")


_WRITTEN = """
SELECT 1 FROM token FOR UPDATE; SELECT 1 FROM event FOR UPDATE; SELECT 1 FROM sealed FOR UPDATE;
SELECT 1 FROM users FOR SHARE
"""
"""Holds on to rows that a process has written."""


def test_no_row_is_everybodys(
    authority: Authority,
    opened: Callable[[], PostgresStore],
    clock: ManualClock,
    tokens_url: str,
) -> None:
    """What one process has written nobody else waits for: not for other users' tokens, nor for the same user's."""
    stores = [opened() for _ in range(2)]
    one, other = (Authority(store, clock) for store in stores)
    for shard, store in enumerate(stores):
        store._writer.session.transaction._shard = shard
    authority.found("root")
    for each in (one, other):  # its chain is begun
        each.issue("alice")
    made = one.issue_many(
        "alice", [Wanted()] * 3, repeat=Replay(b"k" * 32, Secret("5" * 64), b"r" * 32)
    )
    (writer,) = {
        e.writer for e in authority.events("alice") if e.token_id == made[0].token.id
    }
    with psycopg.connect(tokens_url) as held:
        held.execute(_WRITTEN)
        held.execute("SELECT 1 FROM change WHERE shard = 0 FOR UPDATE")
        held.execute("SELECT 1 FROM head WHERE writer = %s FOR UPDATE", (writer,))
        for user in ("alice", "bob"):
            issued = other.issue(user)
            assert other.rename(user, issued.token.id, "renamed")
            assert other.revoke(user, issued.token.id)
            assert not other.verify(issued.secret)


def test_several_hosts(tokens_url: str, clock: ManualClock) -> None:
    """Of several servers, the one that takes changes is found; where none does, all are named."""
    url = tokens_url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:")
    with Authority(PostgresStore(url), clock) as authority:
        issued = authority.issue("alice")
        assert authority.verify(issued.secret)
        assert asyncio.run(authority.verify_async(issued.secret))
    for hosts, told in (
        ("127.0.0.1:1,localhost:2", "127.0.0.1:1,localhost:2"),
        ("127.0.0.1,localhost", "127.0.0.1,localhost"),
    ):
        with pytest.raises(PatqlError) as nowhere:
            PostgresStore(f"postgresql://patql@{hosts}/t?connect_timeout=1")
        assert f"postgresql://{told}/t" in nowhere.value.message
