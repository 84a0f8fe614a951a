"""The database file: for its owner alone."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from patql.authority.authority import Authority
from patql.kernel.clock import ManualClock, SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.store.sqlite import SqliteStore, file

NOW = 1_800_000_000


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_only_its_owner_can_read_it(tmp_path: Path, umask: int) -> None:
    """The file, its log and its index have mode 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        store = SqliteStore(tmp_path / "tokens.db")
        with Authority(store, SystemClock()) as authority:
            authority.issue("alice")
            made = {path.name: _mode(path) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert made == {
        "tokens.db": 0o600,
        "tokens.db-wal": 0o600,
        "tokens.db-shm": 0o600,
    }


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660, 0o601])
@pytest.mark.parametrize("exposed", ["tokens.db", "tokens.db-wal", "tokens.db-shm"])
def test_refused_where_others_can_read_it(
    tmp_path: Path, exposed: str, mode: int
) -> None:
    """A file that others can use is refused, naming the remedy, and is left as it was."""
    for name in ("tokens.db", exposed):
        (tmp_path / name).touch(0o600)
    (tmp_path / exposed).chmod(mode)
    with pytest.raises(PatqlError, match=f"chmod 600 {tmp_path / exposed}$") as refused:
        SqliteStore(tmp_path / "tokens.db")
    assert refused.value.code is Code.EXPOSED
    assert _mode(tmp_path / exposed) == mode
    assert (tmp_path / "tokens.db").stat().st_size == 0


def test_refused_where_it_belongs_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's file can be read by them, whatever its mode; root may use any."""
    path = tmp_path / "tokens.db"
    path.touch(0o600)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(PatqlError, match=f"belongs to another user .uid {owner}"):
        file.ensure(path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    file.ensure(path)


def test_an_empty_file_of_ones_own_will_do(tmp_path: Path) -> None:
    """A file that was made beforehand, as mktemp does, is filled."""
    path = tmp_path / "tokens.db"
    path.touch(0o600)
    with Authority(SqliteStore(path), SystemClock()) as authority:
        assert authority.is_empty()


def test_a_link_to_a_file_of_ones_own_will_do(tmp_path: Path) -> None:
    """What counts is the file that a link leads to."""
    (tmp_path / "target.db").touch(0o600)
    (tmp_path / "tokens.db").symlink_to("target.db")
    with Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority:
        authority.issue("alice")
    (tmp_path / "target.db").chmod(0o644)
    with pytest.raises(PatqlError, match="can be read by others"):
        SqliteStore(tmp_path / "tokens.db")


def test_a_link_is_never_created_through(tmp_path: Path) -> None:
    """A link that leads nowhere, planted by somebody, makes no file there."""
    (tmp_path / "tokens.db").symlink_to("elsewhere.db")
    with pytest.raises(PatqlError, match="link to a file that doesn't exist"):
        SqliteStore(tmp_path / "tokens.db")
    assert not (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("missing/tokens.db", "can't be made: no such file or directory"),
        ("folder", "isn't a regular file"),
        ("pipe", "isn't a regular file"),
        ("plain/tokens.db", "can't be made: not a directory"),
    ],
)
def test_places_that_cannot_hold_it(tmp_path: Path, place: str, told: str) -> None:
    """A place that can't hold a file is told, and nothing is made."""
    (tmp_path / "folder").mkdir(0o700)
    (tmp_path / "plain").touch(0o600)
    os.mkfifo(tmp_path / "pipe", 0o600)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PatqlError, match=told) as refused:
        SqliteStore(tmp_path / place)
    assert refused.value.code is Code.UNAVAILABLE
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a b'\"%.db", "é"])
def test_any_name_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name is a file's name and nothing else, however SQLite would read it."""
    monkeypatch.chdir(tmp_path)
    with Authority(SqliteStore(name), SystemClock()) as authority:
        authority.issue("alice")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """Neither the file nor its log holds a secret, or more of a token than its first 16 characters."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), SystemClock()) as authority:
        issued = [authority.issue("alice", label=f"l{n}") for n in range(50)]
        authority.rename("alice", 1, "renamed")
        authority.revoke("alice", 2)
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert (tmp_path / "tokens.db-wal").stat().st_size > 0
    kept += (tmp_path / "tokens.db").read_bytes()
    for token in issued:
        secret = token.secret.reveal().encode()
        assert secret[:16] in kept
        assert secret[:20] not in kept
        assert secret[16:] not in kept
        assert secret[16:32] not in kept


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_is_there_no_more(tmp_path: Path, how: str) -> None:
    """A process doesn't go on with a file whose name is another's, where it would never see what is revoked."""
    path, away, clock = tmp_path / "tokens.db", tmp_path / "away.db", ManualClock(NOW)
    authority = Authority(SqliteStore(path, clock=clock), clock)
    secret = authority.issue("alice").secret
    path.rename(away)
    if how == "replaced":
        path.touch(0o600)
    clock.advance(1)

    def together() -> None:
        with authority.together():
            pass

    acts: list[Callable[[], object]] = [
        lambda: authority.verify(secret),
        authority.is_empty,
        lambda: authority.issue("alice"),
        together,
    ]
    for act in acts * 2:
        with pytest.raises(PatqlError, match="was removed or replaced") as caught:
            act()
        assert caught.value.code is Code.UNAVAILABLE
    away.rename(path)
    assert authority.verify(secret)
    authority.close()
