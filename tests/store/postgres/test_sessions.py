"""What a process asks of a server: few connections, no lock for long, and no change again for ever."""

import asyncio
import threading
from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from patql.authority.authority import Authority
from patql.authority.listing import Listing
from patql.authority.ports import Transaction
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.store.postgres import PostgresStore

_OURS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'patql'"
)


def _connections(url: str) -> object:
    with psycopg.connect(url) as other:
        row = other.execute(_OURS).fetchone()
    return row and row[0]


def test_connections(
    opened: Callable[[], PostgresStore], clock: ManualClock, tokens_url: str
) -> None:
    """One for changes, one for a loop's verifications, and for lists as many as are read at once, at most 16."""
    authority = Authority(opened(), clock)
    secret = authority.issue("alice").secret
    assert _connections(tokens_url) == 2  # the tables were looked at by one that reads
    seen: list[object] = []
    together = threading.Barrier(24)

    def read() -> None:
        together.wait()
        for _ in range(20):
            authority.page("alice", Listing())

    async def verify() -> None:
        await asyncio.gather(*(authority.verify_async(secret) for _ in range(50)))
        seen.append(_connections(tokens_url))

    asyncio.run(verify())
    assert seen == [3]
    threads = [threading.Thread(target=read) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    most = _connections(tokens_url)
    assert isinstance(most, int)
    assert 3 < most <= 2 + 16


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("idle_in_transaction_session_timeout", "3s"),
        ("transaction_isolation", "read committed"),
    ],
)
def test_changes(store: PostgresStore, setting: str, value: str) -> None:
    """A process that stops in the midst of a change loses its locks after three seconds."""
    shown = f"SELECT current_setting('{setting}')"
    transaction = store._writer.session.transaction
    assert store.write(lambda _at: transaction.row(shown)) == (value,)


@pytest.mark.parametrize(
    "error", [errors.SerializationFailure, errors.DeadlockDetected]
)
def test_what_is_in_the_way_for_ever(
    store: PostgresStore, error: type[psycopg.Error]
) -> None:
    """A change that others stand in the way of is tried six times, and then is told to come again."""
    tried: list[Transaction] = []

    def change(at: Transaction) -> None:
        tried.append(at)
        raise error("in the way")

    with pytest.raises(PatqlError, match="try again") as given_up:
        store.write(change)
    assert given_up.value.code is Code.UNAVAILABLE
    assert len(tried) == 6
