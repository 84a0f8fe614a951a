"""A change whose audit line can't be written isn't made: here the database refuses every line."""

# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import apsw
import psycopg
import pytest
from tests.api.conftest import Client, reasons

from patql.api import problems
from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Granted, UserState
from patql.authority.ports import TokenStore
from patql.catalog.load import builtin, builtin_openapi
from patql.store.sqlite import SqliteStore

SQLITE = (
    "CREATE TRIGGER refuse BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no line'); END",
    "DROP TRIGGER refuse",
)
POSTGRES = (
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no line'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()
    """,
    "DROP TRIGGER refuse ON event; DROP FUNCTION refuse()",
)

TOKENS, BATCH, USERS = "/v4/profile/tokens", "/v4/patql/batch", "/v4/patql/users"
CHANGES: list[tuple[str, str, object]] = [
    ("POST", TOKENS, {"label": "new"}),
    ("PUT", f"{TOKENS}/2", {"label": "new"}),
    ("DELETE", f"{TOKENS}/2", {}),
    ("DELETE", f"{TOKENS}/1?cascade=true", {}),  # that which it is sent with
    ("POST", BATCH, {"tokens": [{"label": "a"}, {"label": "b"}]}),
    ("PUT", BATCH, {"tokens": [{"id": 1, "label": "a"}, {"id": 2, "label": "b"}]}),
    ("DELETE", BATCH, {"ids": [1, 2]}),
    ("DELETE", "/v4/patql/tokens/3", {}),
    ("POST", USERS, {"username": "carol", "role": "user"}),
    ("PUT", f"{USERS}/bob", {"state": "suspended"}),
    ("PUT", f"{USERS}/bob", {"role": "admin"}),
    ("DELETE", f"{USERS}/bob", {}),
]


@pytest.fixture
def refusing(
    store: TokenStore, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], AbstractContextManager[None]]:
    """Has the database refuse every line of the audit for a while."""

    def run(number: int) -> None:
        if isinstance(store, SqliteStore):
            with closing(apsw.Connection(str(tmp_path / "tokens.db"))) as other:
                other.execute(SQLITE[number])
        else:
            url: str = request.getfixturevalue("tokens_url")
            with psycopg.connect(url) as connection:
                connection.execute(POSTGRES[number].encode())

    @contextmanager
    def refuse() -> Generator[None]:
        run(0)
        try:
            yield
        finally:
            run(1)

    return refuse


def test_nothing_is_changed_without_its_line(
    authority: Authority, refusing: Callable[[], AbstractContextManager[None]]
) -> None:
    """The client is told of a failure, whatever it asked for; afterwards all is as before, and each change can be made."""
    founded = authority.found("alice")
    assert founded is not None
    issued = [founded, authority.issue("alice", label="ci"), authority.issue("bob")]
    api = Api(
        authority,
        builtin("linode"),
        builtin_openapi("linode"),
        lambda: builtin("patql"),
    )
    client = Client(api, founded.secret.reveal())

    def known() -> object:
        verdicts = [authority.verify(one.secret) for one in issued]
        assert all(isinstance(verdict, Granted) for verdict in verdicts)
        users = [authority.user(name) for name in ("alice", "bob", "carol")]
        lists = [authority.list(name) for name in ("alice", "bob")]
        return verdicts, users, lists, authority.events(), authority.admin.examine()

    before = known()
    with refusing():
        for method, path, body in CHANGES:
            refused = client.send(method, path, body)
            assert refused.status == 500, (method, path, refused.body)
            assert reasons(refused) == [(problems.INTERNAL, None)]
            assert known() == before
    for method, path, body in (CHANGES[0], CHANGES[1], CHANGES[9], CHANGES[2]):
        assert client.send(method, path, body).status == 200
    bob = authority.user("bob")
    assert bob is not None
    assert bob.state is UserState.SUSPENDED
    report = authority.admin.examine()
    assert (report.lines, report.faults) == (len(authority.events()), ())


def test_nor_in_process(
    authority: Authority, refusing: Callable[[], AbstractContextManager[None]]
) -> None:
    """A product that has the authority in its process is told by an exception."""
    issued = authority.issue("alice")
    before = authority.list("alice")
    acts: list[Callable[[], object]] = [
        lambda: authority.issue("alice"),
        lambda: authority.issue("carol"),
        lambda: authority.rename("alice", issued.token.id, "new"),
        lambda: authority.revoke("alice", issued.token.id),
        lambda: authority.admin.change("alice", suspended=True),
    ]
    with refusing():
        for act in acts:
            with pytest.raises((apsw.Error, psycopg.Error), match="no line"):
                act()
            assert isinstance(authority.verify(issued.secret), Granted)
            assert authority.list("alice") == before
            assert authority.user("carol") is None
    assert authority.revoke("alice", issued.token.id)
    assert not authority.verify(issued.secret)
