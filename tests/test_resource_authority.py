"""The resources of whoever runs an authority, and the events of an account, in SQL: embedded, and over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Served, Serving

from patql.authority.authority import Authority
from patql.authority.model import Granted, Role
from patql.compose import Choice, open_session
from patql.compose.authority import Authority as OwnAuthority
from patql.config import read
from patql.engine.session import Session
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret


class Alone:
    """A Dialogue that nobody is at, which consents to whatever needs that."""

    def note(self, message: str) -> None:
        """Leave it."""

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Go on."""
        return otherwise or bool(question)


class Desk:
    """An authority with the admin `root` and the user `ada`, who has two tokens; and sessions of either."""

    def __init__(self, folder: Path) -> None:
        self.settings = read({"PATQL_DATA_DIR": str(folder)})
        self.path = folder / "tokens.db"
        with OwnAuthority(self.path) as made:
            root = made.found("root")
            assert root is not None
            self.root = root.secret
            self.first = made.issue("ada", label="first").secret
            verdict = made.verify(self.first)
            assert isinstance(verdict, Granted)
            self.second = made.issue("ada", label="second", acting=verdict).secret

    def session(self, secret: Secret) -> Session:
        """SQL with a token."""
        choice = Choice(embedded=True, token=secret)
        return open_session(self.settings, choice, Alone())

    def accepts(self, secret: Secret) -> bool:
        """Whether a token is good."""
        with OwnAuthority(self.path) as authority:
            return bool(authority.verify(secret))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A fresh one."""
    return Desk(tmp_path)


@pytest.fixture
def admin(desk: Desk) -> Iterator[Session]:
    """SQL of the admin."""
    with desk.session(desk.root) as session:
        yield session


def rows(session: Session, sql: str) -> list[tuple[object, ...]]:
    """What a statement gives."""
    (result,) = session.run(sql)
    return result.rows()


def message(session: Session, sql: str) -> str | None:
    """What a statement says it has done."""
    (result,) = session.run(sql)
    return result.message


def test_users(admin: Session) -> None:
    """INSERT adds one, UPDATE changes and suspends one, DELETE removes one; SELECT shows what became of each."""
    users = "patql.authority.users"
    sql = f"INSERT INTO {users} (username, email, role) VALUES ('eve', 'e@x.example', 'verifier') RETURNING username, role, state"
    assert rows(admin, sql) == [("eve", "verifier", "active")]
    sql = f"UPDATE {users} SET role = 'user', email = 'new@x.example' WHERE username = 'eve' RETURNING role, email"
    assert rows(admin, sql) == [("user", "new@x.example")]
    assert message(admin, f"DELETE FROM {users} WHERE username = 'eve'") == (
        "1 row deleted"
    )
    sql = f"SELECT username, role, restricted, state FROM {users} ORDER BY uid"
    assert rows(admin, sql) == [
        ("root", "admin", False, "active"),
        ("ada", "user", False, "active"),
        ("eve", "user", False, "removed"),
    ]
    with pytest.raises(PatqlError) as taken:
        rows(admin, f"INSERT INTO {users} (username) VALUES ('eve')")
    assert taken.value.code is Code.SERVER_REFUSED


def test_suspending_refuses_all_tokens_of_a_user(desk: Desk, admin: Session) -> None:
    """At once, until the user is active again; whoever is told so by the list."""
    users, tokens = "patql.authority.users", "patql.authority.tokens"
    state = f"SELECT DISTINCT state FROM {tokens} WHERE username = 'ada'"
    sql = f"UPDATE {users} SET state = 'suspended' WHERE username = 'ada'"
    assert message(admin, sql) == "1 row updated"
    assert not desk.accepts(desk.first)
    assert rows(admin, state) == [("suspended",)]
    sql = f"SELECT username FROM {users} WHERE suspended_at IS NOT NULL"
    assert rows(admin, sql) == [("ada",)]
    rows(admin, f"UPDATE {users} SET state = 'active' WHERE username = 'ada'")
    assert desk.accepts(desk.first)


def test_everybodys_tokens(desk: Desk, admin: Session) -> None:
    """An admin finds tokens by whatever is known of them, and revokes them; a descendant goes with its ancestor if asked."""
    tokens = "patql.authority.tokens"
    sql = f"SELECT username, label, state, parent FROM {tokens} ORDER BY id"
    assert rows(admin, sql) == [
        ("root", "root", "active", None),
        ("ada", "first", "active", None),
        ("ada", "second", "active", 2),
    ]
    sql = f"DELETE FROM {tokens} WHERE username = 'ada' AND label = 'second'"
    assert message(admin, sql) == "1 row deleted"
    assert desk.accepts(desk.first)
    assert not desk.accepts(desk.second)
    sql = f"SELECT handle, revoked_at IS NOT NULL FROM {tokens} WHERE id = 3"
    assert rows(admin, sql) == [(desk.second.shown, True)]


def test_cascade(desk: Desk, admin: Session) -> None:
    """`cascade` is a parameter of the one that revokes: in WHERE of DELETE, or of EXEC."""
    tokens = "patql.authority.tokens"
    assert message(
        admin, f"DELETE FROM {tokens} WHERE tokenId = 2 AND cascade = true"
    ) == ("1 row deleted")
    assert not desk.accepts(desk.first)
    assert not desk.accepts(desk.second)
    rows(admin, f"EXEC {tokens}.deleteToken @tokenId = 1, @cascade = true")
    assert not desk.accepts(desk.root)


def test_who_owns_tokens_sees_their_own(desk: Desk) -> None:
    """All that is known of them, revoked ones too; of others, and of users and the audit, nothing."""
    with desk.session(desk.first) as session:
        sql = "SELECT label, last_used FROM patql.authority.tokens ORDER BY id"
        assert [label for label, _ in rows(session, sql)] == ["first", "second"]
        for sql in (
            "SELECT * FROM patql.authority.users",
            "SELECT * FROM patql.authority.events",
            "INSERT INTO patql.authority.users (username) VALUES ('eve')",
            "DELETE FROM patql.authority.tokens WHERE id = 3",
        ):
            with pytest.raises(PatqlError, match=r"answered 40[13]: ") as caught:
                rows(session, sql)
            assert caught.value.code is Code.SERVER_REFUSED


def test_audit(admin: Session) -> None:
    """Whatever was done is there, newest first, with who did it and by which token; its details are JSON."""
    rows(admin, "UPDATE linode.profile.tokens SET label = 'r2' WHERE id = 1")
    sql = (
        "SELECT action, username, token_id, actor, actor_token, detail->>'label' FROM patql.authority.events "
        "WHERE username = 'root' ORDER BY id DESC LIMIT 1"
    )
    assert rows(admin, sql) == [("token_update", "root", 1, "root", 1, "r2")]
    sql = "SELECT id FROM patql.authority.events"
    ids = [number for (number,) in rows(admin, sql)]
    assert ids == sorted(ids, reverse=True)  # type: ignore[type-var]


def test_account_events(desk: Desk) -> None:
    """What happened to one's tokens, as Linode tells it; a condition on the action is the server's to check."""
    with desk.session(desk.first) as session:
        rows(session, "DELETE FROM linode.profile.tokens WHERE label = 'second'")
        sql = (
            "SELECT action, username, entity.type, entity.id, entity.label, status FROM linode.account.events "
            "WHERE action = 'token_delete'"
        )
        assert rows(session, sql) == [
            ("token_delete", "ada", "token", 3, "second", "notification")
        ]
        sql = "SELECT id, action FROM linode.account.events ORDER BY id DESC LIMIT 1"
        ((number, action),) = rows(session, sql)
        assert action == "token_delete"
        sql = f"SELECT action FROM linode.account.events WHERE eventId = {number}"
        assert rows(session, sql) == [("token_delete",)]
        sql = "SELECT count(*) FROM linode.account.events WHERE action = 'token_create'"
        assert rows(session, sql) == [(2,)]


@pytest.fixture(scope="module")
def served(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server."""
    with serving(tmp_path_factory.mktemp("authority")) as running:
        yield running


def test_over_http(served: Served, tmp_path: Path) -> None:
    """The same, with the same credential, at the same server as one's own tokens."""
    from patql.kernel.clock import SystemClock
    from patql.store.sqlite import SqliteStore

    with Authority(SqliteStore(served.database), SystemClock()) as authority:
        authority.add_user("boss", role=Role.ADMIN)
        boss = authority.issue("boss", label="boss").secret
    settings = read({"PATQL_DATA_DIR": str(tmp_path)})
    with open_session(settings, Choice(url=served.url, token=boss), Alone()) as session:
        sql = (
            "SELECT u.username, count(*) FROM patql.authority.users u JOIN patql.authority.tokens t "
            "ON t.username = u.username GROUP BY ALL ORDER BY ALL"
        )
        assert rows(session, sql) == [("alice", 1), ("boss", 1)]
        sql = (
            "SELECT count(*) FROM patql.authority.events WHERE action = 'token_create'"
        )
        assert rows(session, sql) == [(2,)]
        sql = "DELETE FROM patql.authority.users WHERE username = 'alice'"
        assert message(session, sql) == "1 row deleted"
    alice = Choice(url=served.url, token=Secret(served.secret))
    with (
        open_session(settings, alice, Alone()) as session,
        pytest.raises(PatqlError, match="Invalid Token"),
    ):
        rows(session, "SELECT * FROM linode.profile.tokens")


def test_owners_cascade_over_http(served: Served, tmp_path: Path) -> None:
    """In a session's first statement too, which doesn't know yet whose server that is."""
    from patql.kernel.clock import SystemClock
    from patql.store.sqlite import SqliteStore

    with Authority(SqliteStore(served.database), SystemClock()) as authority:
        first, own = authority.issue("ada"), authority.issue("ada")
        verdict = authority.verify(first.secret)
        assert isinstance(verdict, Granted)
        second = authority.issue("ada", acting=verdict)
        settings = read({"PATQL_DATA_DIR": str(tmp_path)})
        choice = Choice(url=served.url, token=own.secret)
        with open_session(settings, choice, Alone()) as session:
            sql = f"DELETE FROM linode.profile.tokens WHERE id = {first.token.id} AND cascade = true"
            assert message(session, sql) == "1 row deleted"
        assert [token.id for token in authority.list("ada")] == [own.token.id]
        assert not authority.verify(second.secret)
