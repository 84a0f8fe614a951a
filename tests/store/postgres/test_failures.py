"""What the outside world does to a database is one clean sentence, without a password or a traceback."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from tests.postgres import Cluster

from patql.authority.authority import Authority
from patql.authority.model import Use
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.store.postgres import PostgresStore
from patql.store.postgres.failures import fail


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        (
            "postgresql://ada:hunter2@127.0.0.1:1/tokens",
            Code.UNAVAILABLE,
            "postgresql://127.0.0.1:1/tokens can't be reached: Connection refused",
        ),
        ("postgresql://ada:hunter2@127.0.0.1:x/tokens", Code.UNAVAILABLE, "invalid"),
        ("postgresql://ada:hunter2@[::1/tokens", Code.USAGE, "URL can't be read"),
        ("postgresql://127.0.0.1/t?hunter2=1", Code.USAGE, "URL can't be read"),
        ("postgresql://127.0.0.1/t?password=%", Code.USAGE, "URL can't be read"),
    ],
)
def test_where_there_is_none(url: str, code: Code, told: str) -> None:
    """The database is named without whose and with which password."""
    with pytest.raises(PatqlError) as refused:
        PostgresStore(url)
    assert refused.value.code is code
    assert told in refused.value.message
    assert "hunter2" not in str(refused.value)


def test_no_such_database_or_user(cluster: Cluster) -> None:
    """The server's own words."""
    with pytest.raises(PatqlError, match='database "nowhere" does not exist'):
        PostgresStore(cluster.url("nowhere"))
    url = cluster.url().replace("patql@", "nobody:hunter2@")
    with pytest.raises(PatqlError, match='role "nobody" does not exist'):
        PostgresStore(url)


def test_a_role_without_privileges(cluster: Cluster, tokens_url: str) -> None:
    """Is told that it lacks them."""
    cluster.run("CREATE ROLE stranger LOGIN")
    with pytest.raises(PatqlError, match="lacks a privilege") as refused:
        PostgresStore(tokens_url.replace("patql@", "stranger@"))
    assert refused.value.code is Code.UNAVAILABLE


def test_a_role_with_no_more_than_it_needs(cluster: Cluster, tokens_url: str) -> None:
    """What docs/scale.md grants is enough for all that a server does, and leaves the audit as it is."""
    name = tokens_url.rpartition("/")[2]
    for statement in _shown_statements():
        cluster.run(statement, name)
    url = tokens_url.replace("patql@", "server@")
    with Authority(PostgresStore(url), _Clock()) as authority:
        authority.found("root")
        issued = authority.issue("alice")
        authority.rename("alice", 2, "x")
        authority.use([Use(issued.token.shown, 5, "::1")])
        authority.admin.change("alice", suspended=True)
        authority.admin.change("alice", suspended=False)
        assert authority.revoke("alice", 2)
        assert authority.admin.examine().faults == ()
    with psycopg.connect(url) as connection:
        for statement in ("DELETE FROM event", "UPDATE event SET actor = 'x'"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()


def _shown_statements() -> list[str]:
    """What makes a role for servers, as docs/scale.md shows it."""
    page = Path(__file__).parents[3] / "docs" / "scale.md"
    blocks = re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (shown,) = [block for block in blocks if "CREATE ROLE" in block]
    return [each for each in shown.splitlines() if each]


class _Clock:
    def now(self) -> float:
        return 1_800_000_000


def test_tables_that_are_gone(postgres_url: str) -> None:
    """A mistake of whoever administers it isn't taken for an empty list."""
    with Authority(PostgresStore(postgres_url), _Clock()) as authority:
        with psycopg.connect(postgres_url) as connection:
            connection.execute("DROP TABLE token")
        with pytest.raises(errors.UndefinedTable):
            authority.issue("alice")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (errors.DiskFull, "its disk is full"),
        (errors.TooManyConnections, "no connection left"),
        (errors.SerializationFailure, "try again"),
        (errors.LockNotAvailable, "try again"),
        (errors.QueryCanceled, "takes too long"),
        (errors.AdminShutdown, "starting or shutting down"),
        (errors.CannotConnectNow, "starting or shutting down"),
        (errors.ReadOnlySqlTransaction, "is read-only"),
        (errors.IoError, "its system reports an error"),
        (errors.DataCorrupted, "restore it from a backup"),
        (errors.InvalidPassword, "the user or the password"),
        (errors.OutOfMemory, "out of memory"),
        (errors.ConfigurationLimitExceeded, "out of resources"),
        (errors.InternalError_, "failed"),
        (psycopg.OperationalError, "can't be reached"),
        (psycopg.InterfaceError, "can't be reached"),
    ],
)
def test_each_has_a_sentence(raised: Callable[[str], psycopg.Error], told: str) -> None:
    """All are UNAVAILABLE, and said."""
    with pytest.raises(PatqlError, match=told) as refused:
        fail(raised("why"), "postgresql://db/tokens")
    assert refused.value.code is Code.UNAVAILABLE


def test_our_own_mistakes_stay_as_they_are() -> None:
    """They are for a developer."""
    with pytest.raises(errors.SyntaxError):
        fail(errors.SyntaxError("at or near"), "postgresql://db/tokens")
    with pytest.raises(InvalidRequestError, match="valid Unicode"):
        fail(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), "x")
