"""Many tokens by one statement against a real server: few requests, all or none, and nothing twice."""

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from tests.conftest import Served, Serving

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.compose import Choice, open_session
from patql.config import Settings
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.store.sqlite import SqliteStore

TOKENS = "linode.profile.tokens"
LONG = os.environ.get("PATQL_LONG") == "1"


class Alone:
    """A Dialogue that nobody is at, which consents to whatever needs that."""

    def note(self, message: str) -> None:
        """Leave it."""

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Go on."""
        return otherwise or bool(question)


class Relay:
    """A TCP relay to a server that loses the answers to the next `lost` batches, once the server has given them."""

    def __init__(self, port: int) -> None:
        self.lost = 0
        self.batches = 0
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v4"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        losing = False
        with (
            suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._server)) as server,
        ):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for one in ready:
                    data = one.recv(1 << 16)
                    if not data or (losing and one is server):
                        return
                    if one is client and b" /v4/patql/batch " in data:
                        self.batches += 1
                        losing = self.lost > 0
                        self.lost -= losing
                    (server if one is client else client).sendall(data)


@pytest.fixture(scope="module")
def served(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server."""
    with serving(tmp_path_factory.mktemp("batch")) as running:
        yield running


@pytest.fixture
def relay(served: Served) -> Iterator[Relay]:
    """A way to the server that loses answers."""
    made = Relay(served.port)
    yield made
    made.close()


@pytest.fixture
def session(served: Served, relay: Relay, tmp_path: Path) -> Iterator[Session]:
    """SQL over that way."""
    choice = Choice(url=relay.url, token=Secret(served.secret), retry=20)
    settings = Settings(data_dir=tmp_path)
    with open_session(settings, choice, Alone(), options=Options(timeout=120)) as made:
        yield made
        list(made.run(f"DELETE FROM {TOKENS} WHERE label <> 'root'"))


def rows(session: Session, sql: str) -> list[tuple[object, ...]]:
    """What a statement gives."""
    (result,) = session.run(sql)
    return result.rows()


def asked(session: Session) -> int:
    """How many answers the last statement had."""
    return sum(meter.requests for meter in session.state.meters)


def test_a_request_for_many(session: Session, relay: Relay) -> None:
    """As many as there may be in one; secrets are whole and work, and what is deleted works no more."""
    sql = f"INSERT INTO {TOKENS} (label, scopes) SELECT 'n' || i, 'account:read_only' FROM range(2500) t(i) RETURNING label, token"
    made = rows(session, sql)
    assert [label for label, _ in made] == [f"n{i}" for i in range(2500)]
    assert (asked(session), relay.batches) == (1, 1)
    assert len({secret for _, secret in made}) == 2500
    own = Choice(url=relay.url, token=Secret(str(made[-1][1])))
    settings = Settings(data_dir=Path("/nonexistent"))
    with open_session(settings, own, Alone()) as one:
        assert rows(one, f"SELECT count(*) FROM {TOKENS}") == [(2501,)]
        sql = f"UPDATE {TOKENS} SET label = label || '!' WHERE label LIKE 'n%' RETURNING label"
        assert len(rows(session, sql)) == 2500
        assert asked(session) == 5 + 1
        (done,) = session.run(f"DELETE FROM {TOKENS} WHERE label LIKE 'n%!'")
        assert done.message == "2500 rows deleted"
        assert asked(session) == 5 + 1
        with pytest.raises(PatqlError, match="Invalid Token"):
            rows(one, f"SELECT count(*) FROM {TOKENS}")


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_is_had_again(session: Session, relay: Relay, lost: int) -> None:
    """Nothing is made twice, no secret is lost, and what is gone the second time was revoked the first time."""
    relay.lost = lost
    sql = f"INSERT INTO {TOKENS} (label) VALUES ('x'), ('y'), ('z') RETURNING id, token"
    made = rows(session, sql)
    assert (len(made), relay.batches) == (3, 1 + lost)
    listed = rows(session, f"SELECT id FROM {TOKENS} WHERE label <> 'root' ORDER BY id")
    assert listed == [(number,) for number, _ in made]
    sql = f"SELECT token FROM {TOKENS} WHERE label <> 'root' ORDER BY id"
    assert rows(session, sql) == [(Secret(str(text)).shown,) for _, text in made]
    relay.lost = lost
    (done,) = session.run(f"UPDATE {TOKENS} SET label = 'u' WHERE label <> 'root'")
    assert done.message == "3 rows updated"
    relay.lost = lost
    (done,) = session.run(f"DELETE FROM {TOKENS} WHERE label = 'u'")
    assert done.message == "3 rows deleted"


def test_a_lost_answer_is_told_where_nothing_is_sent_again(
    served: Served, relay: Relay, tmp_path: Path
) -> None:
    """With --retry 0 nobody knows what became of the rows."""
    relay.lost = 1
    choice = Choice(url=relay.url, token=Secret(served.secret), retry=0)
    settings = Settings(data_dir=tmp_path)
    with open_session(settings, choice, Alone()) as session:
        with pytest.raises(PatqlError) as caught:
            rows(session, f"INSERT INTO {TOKENS} (label) VALUES ('x'), ('y')")
        assert caught.value.code is Code.UNREACHABLE
        assert "0 done, 0 failed, 2 not known (row 1, row 2), 0 not done" in str(
            caught.value
        )
        (done,) = session.run(f"DELETE FROM {TOKENS} WHERE label <> 'root'")
        assert done.message == "2 rows deleted"


def test_none_is_made_where_one_is_wrong(session: Session) -> None:
    """The row is named, with what the server says of it."""
    sql = f"INSERT INTO {TOKENS} (label, scopes) SELECT 'n' || i, CASE i WHEN 7 THEN 'no:such' ELSE '' END FROM range(20) t(i)"
    with pytest.raises(PatqlError) as caught:
        rows(session, sql)
    told = str(caught.value)
    assert told.startswith("row 8 of 20: POST http://127.0.0.1:")
    assert (
        "scopes: Unknown scope: no:such; 0 done, 1 failed (row 8), 19 not done" in told
    )
    assert rows(session, f"SELECT label FROM {TOKENS}") == [("root",)]


def test_a_tokens_own_batch_may_revoke_it(served: Served, session: Session) -> None:
    """It is in the last batch, after which nothing more is asked for."""
    made = rows(session, f"INSERT INTO {TOKENS} (label) VALUES ('own') RETURNING token")
    rows(session, f"INSERT INTO {TOKENS} (label) VALUES ('a'), ('b')")
    own = Choice(url=served.url, token=Secret(str(made[0][0])))
    with open_session(Settings(data_dir=Path("/nonexistent")), own, Alone()) as one:
        (done,) = one.run(f"DELETE FROM {TOKENS} WHERE label <> 'root'")
        assert done.message == "3 rows deleted"
        with pytest.raises(PatqlError, match="Invalid Token"):
            rows(one, f"SELECT id FROM {TOKENS}")


@pytest.mark.skipif(not LONG, reason="takes minutes; PATQL_LONG=1 runs it")
def test_a_hundred_thousand_by_one_predicate(
    served: Served, session: Session, relay: Relay
) -> None:
    """In ten requests beside those that read, and in little more time than those take."""
    with Authority(SqliteStore(served.database), SystemClock()) as authority:
        for batch in range(10):
            wanted = [Wanted(f"old{batch}-{n}", "") for n in range(10_000)]
            authority.issue_many("alice", wanted)
        last = authority.issue("alice", label="oldest").secret
    begun = time.perf_counter()
    read = len(rows(session, f"SELECT id FROM {TOKENS} WHERE label LIKE 'old%'"))
    reading = time.perf_counter() - begun
    assert read == 100_001
    begun = time.perf_counter()
    (done,) = session.run(f"DELETE FROM {TOKENS} WHERE label LIKE 'old%'")
    assert done.message == "100001 rows deleted"
    assert relay.batches == 11
    assert time.perf_counter() - begun < 3 * reading + 30
    with Authority(SqliteStore(served.database), SystemClock()) as authority:
        assert not authority.verify(last)
    assert rows(session, f"SELECT count(*) FROM {TOKENS}") == [(1,)]
