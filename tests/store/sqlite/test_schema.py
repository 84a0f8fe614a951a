"""Migrations: applied once, in order, whole or not at all; a database from the future is refused."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from patql.authority.authority import Authority
from patql.authority.listing import Field, Listing
from patql.authority.model import Denied, Granted, Reason, Role, Token, User
from patql.authority.ports import NewToken
from patql.kernel.clock import ManualClock, SystemClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.store.sqlite import SqliteStore, schema
from patql.store.sqlite.connection import connect
from patql.store.sqlite.file import ensure

NOW = 1_800_000_000

_Asked = tuple[str, Any]  # a statement, and the values bound to it


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(query))
    finally:
        connection.close()


def _issue(path: Path) -> int:
    with Authority(SqliteStore(path), SystemClock()) as authority:
        return authority.issue("alice").token.id


def test_versions_are_recorded(tmp_path: Path) -> None:
    """Each migration is recorded by number and name, and applied only once."""
    path = tmp_path / "tokens.db"
    assert [_issue(path), _issue(path)] == [1, 2]
    recorded = _rows(path, "SELECT version, name FROM migration ORDER BY version")
    files = [migration.stem for migration in schema.migrations()]
    assert recorded == list(enumerate(files, start=1))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of today's version, and a file for the migration after it."""
    _issue(tmp_path / "tokens.db")
    folder = tmp_path / "migrations"
    folder.mkdir()
    for migration in schema.migrations():
        (folder / migration.name).write_bytes(migration.read_bytes())
    monkeypatch.setattr(schema, "_FOLDER", folder)
    return folder / f"{len(schema.migrations()) + 1:04}_next.sql"


def test_an_older_database_is_brought_forward(
    tmp_path: Path, next_migration: Path
) -> None:
    """What a database holds is still there after the next migration."""
    next_migration.write_text(
        "SELECT 1; ALTER TABLE user ADD COLUMN note TEXT; -- done"
    )
    assert _issue(tmp_path / "tokens.db") == 2
    assert _rows(tmp_path / "tokens.db", "SELECT username, note FROM user") == [
        ("alice", None)
    ]


def test_a_newer_database_is_refused(tmp_path: Path, next_migration: Path) -> None:
    """A database that a newer version has migrated is left alone."""
    next_migration.write_text("CREATE TABLE tomorrow (x)")
    _issue(tmp_path / "tokens.db")
    next_migration.unlink()
    with pytest.raises(PatqlError, match="made by a newer PatQL") as refused:
        SqliteStore(tmp_path / "tokens.db")
    assert refused.value.code is Code.SCHEMA


def test_a_failing_migration_changes_nothing(
    tmp_path: Path, next_migration: Path
) -> None:
    """A migration that fails halfway is undone, and not recorded."""
    next_migration.write_text("CREATE TABLE half (x); CREATE TABLE user (y);")
    before = _rows(tmp_path / "tokens.db", "SELECT * FROM sqlite_schema")
    with pytest.raises(apsw.SQLError, match="table user already exists"):
        SqliteStore(tmp_path / "tokens.db")
    assert _rows(tmp_path / "tokens.db", "SELECT * FROM sqlite_schema") == before
    next_migration.unlink()
    assert _issue(tmp_path / "tokens.db") == 2


def test_anothers_database_is_left_as_it_is(tmp_path: Path) -> None:
    """A SQLite database of something else is refused without a byte being changed."""
    path = tmp_path / "music.db"
    path.touch(0o600)
    _rows(path, "CREATE TABLE song (title)")
    before = path.read_bytes()
    with pytest.raises(PatqlError, match="not one of PatQL's") as refused:
        SqliteStore(path)
    assert refused.value.code is Code.SCHEMA
    assert path.read_bytes() == before


def test_the_audit_is_append_only(tmp_path: Path) -> None:
    """The database itself refuses to change or delete an audit line."""
    path = tmp_path / "tokens.db"
    _issue(path)
    for change in ("DELETE FROM event", "UPDATE event SET actor = 'mallory'"):
        with pytest.raises(apsw.ConstraintError, match="audit lines"):
            _rows(path, change)
    assert len(_rows(path, "SELECT * FROM event")) == 2


def test_commits_are_flushed(tmp_path: Path) -> None:
    """Every connection writes ahead, and flushes before a commit is acknowledged."""
    path = tmp_path / "tokens.db"
    _issue(path)
    connection = connect(str(path), 1)
    assert connection.execute("PRAGMA journal_mode").get == "wal"
    assert connection.execute("PRAGMA synchronous").get == 2  # FULL
    connection.close()


def test_a_token_has_an_owner(tmp_path: Path) -> None:
    """A token of a user who doesn't exist can't be kept."""
    nobody = User(99, "nobody", "", restricted=False, role=Role.USER)
    token = Token(1, "pql_0123456789AB", "x", "*", 0, None)
    store = SqliteStore(tmp_path / "tokens.db")
    with pytest.raises(apsw.ConstraintError, match="FOREIGN KEY"):
        store.write(lambda at: at.add_tokens([NewToken(token, b"", nobody, None)]))
    store.close()


def test_what_stays_of_a_token(tmp_path: Path) -> None:
    """A row keeps which token created it, when it was revoked, and all else; expired and revoked rows stay."""
    path = tmp_path / "tokens.db"
    clock = ManualClock(NOW)
    with Authority(SqliteStore(path), clock) as authority:
        acting = authority.verify(authority.issue("alice", label="root").secret)
        assert isinstance(acting, Granted)
        child = authority.issue("alice", expiry=NOW + 5, acting=acting)
        grandchild = authority.verify(child.secret)
        assert isinstance(grandchild, Granted)
        authority.issue("alice", scopes="", acting=grandchild)
        clock.advance(7.5)
        authority.revoke("alice", 3)
        assert [token.id for token in authority.list("alice")] == [1]
    query = "SELECT id, label, scopes, parent, expiry, revoked_at, disabled_at FROM token ORDER BY id"
    assert _rows(path, query) == [
        (1, "root", "*", None, None, None, None),
        (2, "token-2", "*", 1, NOW + 5, None, None),
        (3, "token-3", "", 2, None, NOW + 7, None),
    ]


def test_a_disabled_token_is_as_good_as_revoked(tmp_path: Path) -> None:
    """A token whose owner is suspended is refused, and in no list, lookup, rename or revoke."""
    path = tmp_path / "tokens.db"
    with Authority(SqliteStore(path), SystemClock()) as authority:
        issued = authority.issue("alice")
        _rows(path, "UPDATE token SET disabled_at = 1")
        assert authority.verify(issued.secret) == Denied(Reason.REVOKED)
        assert authority.list("alice") == ()
        assert authority.get("alice", 1) is None
        assert authority.rename("alice", 1, "x") is None
        assert authority.revoke("alice", 1) is False
        granted = Granted("alice", 1, 1, "*", None)
        with pytest.raises(InvalidRequestError, match="Invalid Token"):
            authority.issue("alice", acting=granted)


def test_verification_is_one_look_by_key(tmp_path: Path) -> None:
    """Verifying reads one row by its primary key; a list, its count and its offsets only the index that covers them."""
    path = tmp_path / "tokens.db"
    store = SqliteStore(path)
    with Authority(store, SystemClock()) as authority:
        secret = authority.issue("alice").secret
        asked = list[_Asked]()
        store._reads().connection.exec_trace = _keep(asked)
        authority.verify(secret)
        assert [_plan(path, one) for one in asked] == [
            ["SEARCH token USING PRIMARY KEY (handle=?)"]
        ]
        asked.clear()
        authority.page("alice", Listing(offset=0))
        authority.page("alice", Listing(order=Field.LABEL, limit=5))
        plans = [_plan(path, one) for one in asked if "FROM token" in one[0]]
    assert len(plans) == 5  # surveyed twice; a page; counted, and another page
    for plan in plans:
        assert plan[0].startswith(
            "SEARCH token USING COVERING INDEX token_listing (uid=?"
        )


def _keep(asked: list[_Asked]) -> Callable[[apsw.Cursor, str, Any], bool]:
    def keep(_cursor: apsw.Cursor, query: str, bound: Any) -> bool:  # noqa: ANN401
        asked.append((query, bound))
        return True

    return keep


def _plan(path: Path, asked: _Asked) -> list[str]:
    connection = apsw.Connection(str(path))
    try:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1]).fetchall()
    finally:
        connection.close()
    return [str(row[-1]) for row in rows]


def test_an_audit_from_before_chains_becomes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that a database had are its first chain, as they were, which the next writer's chain names."""
    path = tmp_path / "tokens.db"
    ensure(path)
    connection = connect(str(path), 1)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", _first_only)
        schema.migrate(connection, str(path))
    connection.execute(
        "INSERT INTO user VALUES (1, 'alice', '', 0, 'admin', 5);"
        "INSERT INTO event (at, action, uid, username, token_id, actor, actor_token, detail) VALUES"
        " (5, 'user_create', 1, 'alice', NULL, NULL, NULL, '{}'), (6, 'token_create', 1, 'alice', 1, 'alice', 1, '{}')"
    ).fetchall()
    connection.close()
    with Authority(SqliteStore(path), ManualClock(NOW)) as authority:
        authority.issue("alice")
        report = authority.admin.examine()
        events = authority.events()
    assert (report.lines, report.faults, len(report.heads)) == (3, (), 2)
    assert [(e.id, e.action, e.at, e.sequence) for e in events] == [
        (1, "user_create", 5, 1),
        (2, "token_create", 6, 2),
        (3, "token_create", NOW, 1),
    ]
    assert [e.writer == "before-chains" for e in events] == [True, True, False]
    assert _rows(
        path, "SELECT count(*) FROM event WHERE heads LIKE '%before-chains%'"
    ) == [(1,)]
    with pytest.raises(apsw.ConstraintError, match="audit lines"):
        _rows(path, "DELETE FROM event")


def _first_only() -> list[Path]:
    return sorted(Path(schema.__file__).with_name("migrations").glob("0001*.sql"))
