"""`patql user` and `patql db`, over each store: who may do what, and whether the database is as it was written."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from patql import cli
from patql.authority.authority import Authority
from patql.authority.model import Role
from patql.compose import Authority as Opened
from patql.config import SETTINGS

HEAD = re.compile(r"[0-9a-f]{16} \d+ [0-9a-f]{64}")

Patql = Callable[..., tuple[int, str, str]]
Alter = Callable[[str], None]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tokens.db"
    url: str = request.getfixturevalue("tokens_url")
    return url


@pytest.fixture
def patql(
    database: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Patql:
    """Runs the command line on that database: the exit code, standard output and standard error."""
    ours = {setting.variable for setting in SETTINGS}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    monkeypatch.setattr(os, "environ", {**kept, "PATQL_DB": database})

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        written = capfd.readouterr()
        return code, written.out, written.err

    return run


@pytest.fixture
def opened(database: str) -> Callable[[], Authority]:
    """Opens the authority over that database."""
    return lambda: Opened(database.removeprefix("sqlite:///"))


@pytest.fixture
def alter(database: str) -> Alter:
    """Runs a statement on the database as whoever can write it does, past the refusal to change lines of the audit."""

    def sqlite(sql: str) -> None:
        connection = apsw.Connection(database.removeprefix("sqlite:///"))
        connection.execute("DROP TRIGGER event_stays; DROP TRIGGER event_unchanged")
        connection.execute(sql)
        connection.close()

    def postgres(sql: str) -> None:
        with psycopg.connect(database) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(sql.encode())

    return sqlite if database.startswith("sqlite") else postgres


@pytest.fixture
def ann(patql: Patql) -> str:
    """The first user's root token."""
    code, out, _ = patql("init", "--user", "ann")
    assert code == 0
    return out.split()[-1]


def test_users_come_and_go(
    patql: Patql, ann: str, opened: Callable[[], Authority]
) -> None:
    """Each command does what it says, says so, and counts at once."""
    code, out, _ = patql(
        "user", "add", "bob", "--role", "verifier", "--email", "b@x.org"
    )
    secret = out.split()[-1]
    assert code == 0
    assert patql("user", "add", "cleo")[0] == 0
    with opened() as authority:
        bob = authority.user("bob")
        assert bob is not None
        assert (bob.role, bob.email) == (Role.VERIFIER, "b@x.org")
        assert authority.verify(secret)
        assert patql("user", "suspend", "bob") == (0, "", "bob is suspended\n")
        assert not authority.verify(secret)
        assert patql("user", "resume", "bob") == (0, "", "bob is active\n")
        assert authority.verify(secret)
        assert patql("user", "remove", "bob") == (0, "", "bob is removed\n")
        assert not authority.verify(secret)
        assert authority.verify(ann)
    code, out, _ = patql("user", "list")
    rows = [line.split() for line in out.splitlines()]
    assert (code, rows[0]) == (0, ["username", "role", "state", "email", "created"])
    assert [row[:3] for row in rows[2:]] == [
        ["ann", "admin", "active"],
        ["bob", "verifier", "removed"],
        ["cleo", "user", "active"],
    ]
    assert secret[16:] not in out


@pytest.mark.usefixtures("ann")
def test_users_who_cant(patql: Patql) -> None:
    """Nobody is changed who isn't there, or was removed; the only admin stays."""
    for action in ("suspend", "resume", "remove"):
        code, out, err = patql("user", action, "nobody")
        assert (code, out) == (1, "")
        assert "error[not_found]: there is no user 'nobody'" in err
    patql("user", "add", "bob")
    patql("user", "remove", "bob")
    for action in ("suspend", "resume", "remove"):
        code, _, err = patql("user", action, "bob")
        assert code == 1
        assert "the user 'bob' was removed, and stays so" in err
    assert "names aren't used again" in patql("user", "add", "bob")[2]
    for action in ("suspend", "remove"):
        code, _, err = patql("user", action, "ann")
        assert code == 1
        assert "only active admin" in err
    assert "ann is active" in patql("user", "resume", "ann")[2]


@pytest.mark.usefixtures("ann")
def test_a_whole_database(patql: Patql, tmp_path: Path) -> None:
    """Nothing is wrong with it, nothing is to be done, and the heads of its audit are there later on."""
    for action, found in (
        ("migrate", ": there was nothing to do"),
        ("check", "; no faults"),
    ):
        code, out, err = patql("db", action)
        assert (code, out) == (0, "")
        assert re.fullmatch(rf"schema version \d{found}\n", err)
    code, heads, told = patql("db", "check", "--audit")
    assert code == 0
    assert re.fullmatch(
        r"schema version \d; 2 lines of the audit in 1 chain; no faults\n", told
    )
    assert HEAD.fullmatch(heads.strip())
    kept = tmp_path / "heads"
    kept.write_text(heads)
    patql("user", "add", "bob")
    code, later, _ = patql("db", "check", "--audit", "--heads", kept)
    assert code == 0
    assert heads in later
    assert len(later.splitlines()) > 1


ALTERED = "UPDATE event SET username = 'eve' WHERE action = 'token_create'"
RELATER = "DELETE FROM event WHERE action = 'user_create' AND username = 'ann'"
CUT_OFF = "DELETE FROM event WHERE id = (SELECT max(id) FROM event)"
SWAPPED = (
    "UPDATE event SET sequence = -sequence; UPDATE event SET sequence = 3 + sequence"
)
LATER = "UPDATE event SET at = at + 1 WHERE sequence = 1"


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (ALTERED, r"line 2 of writer [0-9a-f]{16} \(event 2\) was altered"),
        (SWAPPED, r"line 1 of writer [0-9a-f]{16} \(event 2\) was altered"),
        (LATER, r"line 1 of writer [0-9a-f]{16} \(event 1\) was altered"),
        (
            RELATER,
            r"line 2 of writer [0-9a-f]{16} follows 0: lines between them are gone",
        ),
    ],
)
def test_an_audit_that_was_changed(
    patql: Patql, alter: Alter, sql: str, fault: str
) -> None:
    """Each fault is told in a sentence, and the exit code is 1; without --audit nobody looks."""
    alter(sql)
    code, _, err = patql("db", "check", "--audit")
    assert code == 1
    assert re.search(f"^fault: {fault}", err, re.MULTILINE)
    assert patql("db", "check")[0] == 0


@pytest.mark.usefixtures("ann")
def test_an_audit_whose_end_was_cut_off(
    patql: Patql, alter: Alter, tmp_path: Path
) -> None:
    """It shows against heads that were kept elsewhere, and only against them."""
    kept = tmp_path / "heads"
    kept.write_text(patql("db", "check", "--audit")[1])
    alter(CUT_OFF)
    assert patql("db", "check", "--audit")[0] == 0
    code, _, err = patql("db", "check", "--audit", "--heads", kept)
    assert code == 1
    assert re.search(
        r"^fault: line 2 of writer [0-9a-f]{16} is gone, whose hash was kept$",
        err,
        re.MULTILINE,
    )
    writer, sequence, digest = kept.read_text().split()
    kept.write_text(f"{writer} 1 {digest}\n")
    code, _, err = patql("db", "check", "--audit", "--heads", kept)
    assert code == 1
    assert "isn't what it was when its hash was kept" in err
    assert sequence == "2"


@pytest.mark.parametrize("content", ["", "\n", "x 1 y\n", "é 1 " + "0" * 64])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_heads_that_are_none(patql: Patql, tmp_path: Path, content: str) -> None:
    """A file without heads, or with anything else, proves nothing, and is refused."""
    kept = tmp_path / "heads"
    kept.write_text(content)
    code, out, err = patql("db", "check", "--audit", "--heads", kept)
    assert (code, out) == (2, "")
    assert "heads" in err


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_schema_that_is_old(tmp_path: Path, patql: Patql) -> None:
    """A check says so and leaves it; a migration brings it up to date."""
    _old(tmp_path / "tokens.db")
    code, out, err = patql("db", "check", "--audit")
    assert (code, out) == (1, "")
    assert "has version 1, and this PatQL needs 2: run `patql db migrate`" in err
    assert patql("db", "migrate") == (0, "", "schema version 1 became 2\n")
    assert patql("db", "check", "--audit")[0] == 0


def _old(path: Path) -> None:
    """A database as the first version of PatQL made it."""
    from patql.store.sqlite import schema
    from patql.store.sqlite.file import ensure

    ensure(path)
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
        " applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT"
    )
    first: Any = schema.migrations()[0]
    connection.execute(first.read_text())
    connection.execute("INSERT INTO migration (version, name) VALUES (1, 'tokens')")
    connection.execute(
        "INSERT INTO user VALUES (1, 'ann', '', 0, 'admin', 0);"
        "INSERT INTO event VALUES (1, 0, 'user_create', 1, 'ann', NULL, NULL, NULL, '{}')"
    )
    connection.close()


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_rows_that_refer_to_nothing(patql: Patql, alter: Alter) -> None:
    """SQLite's own look at the file is part of each check."""
    alter("PRAGMA foreign_keys = OFF; DELETE FROM user")
    code, _, err = patql("db", "check")
    assert code == 1
    assert "fault: a row of token refers to a user that isn't there" in err
    assert "1 fault\n" in err


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_that_is_damaged(patql: Patql, tmp_path: Path, alter: Alter) -> None:
    """An index that doesn't fit its table is a fault."""
    alter(
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, '(username, id)', '(username, at)')"
        " WHERE name = 'event_user'"
    )
    code, _, err = patql("db", "check")
    assert code == 1
    assert re.search("^fault: the file is damaged: ", err, re.MULTILINE)
    assert (tmp_path / "tokens.db").exists()
