"""The owner of a token that was just verified: kept while nothing changes, and never older than the verification."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from pathlib import Path

import apsw
import pytest

from patql.authority.authority import Authority
from patql.authority.model import Granted, Issued, User
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore
from patql.store.sqlite.queries import _OWNERS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "tokens.db"


def verified(authority: Authority, issued: Issued) -> Granted:
    """The verdict on a good token."""
    verdict = authority.verify(issued.secret)
    assert isinstance(verdict, Granted)
    return verdict


def email(authority: Authority, issued: Issued) -> str:
    """The owner's address, right after a verification."""
    owner = authority.owner(verified(authority, issued))
    assert owner is not None
    assert owner == authority.user(owner.username)
    return owner.email


def change(path: Path, address: str) -> None:
    """Give every user another address, as another program would."""
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE user SET email = ?", (address,))
    connection.close()


def test_owner_is_as_new_as_the_verification(path: Path) -> None:
    """Whatever another connection changed before a verification, the owner shows it."""
    with Authority(SqliteStore(path), SystemClock()) as authority:
        issued = authority.issue("alice")
        for number in range(20):
            assert email(authority, issued) == (
                f"{number}@example.com" if number else ""
            )
            assert email(authority, issued) == (
                f"{number}@example.com" if number else ""
            )
            change(path, f"{number + 1}@example.com")


def test_owner_after_a_checkpoint(path: Path) -> None:
    """A log that was written back and begun anew hides no change."""
    with Authority(SqliteStore(path), SystemClock()) as authority:
        issued = authority.issue("alice")
        assert email(authority, issued) == ""
        change(path, "new@example.com")
        other = apsw.Connection(str(path))
        other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        other.close()
        assert email(authority, issued) == "new@example.com"


def test_owner_after_a_change_of_our_own(path: Path) -> None:
    """A change through the authority itself is seen too, and owners aren't mixed up."""
    with Authority(SqliteStore(path), SystemClock()) as authority:
        alice, bob = authority.issue("alice"), authority.issue("bob")
        for _ in range(3):
            for issued, name in ((alice, "alice"), (bob, "bob")):
                owner = authority.owner(verified(authority, issued))
                assert owner is not None
                assert owner.username == name
            authority.add_user(f"user-{authority.issue('alice').token.id}")


def test_owner_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing changes, an owner is read once."""
    store = SqliteStore(path)
    with Authority(store, SystemClock()) as authority:
        issued = authority.issue("alice")
        queries = store._reads()
        read = queries.user
        asked: list[str] = []

        def counted(username: str) -> User | None:
            asked.append(username)
            return read(username)

        monkeypatch.setattr(queries, "user", counted)
        for _ in range(5):
            authority.owner(verified(authority, issued))
        assert asked == ["alice"]
        for number in range(_OWNERS + 5):
            assert store.owner(f"nobody-{number}") is None
        assert len(queries._owners) == 1
