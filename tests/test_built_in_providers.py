"""The providers that every session has: ours by the name that its host gives it, and that of whoever runs an authority."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from patql import compose
from patql.catalog import load
from patql.catalog.document import Provider
from patql.cli import main
from patql.compose import Choice, open_session, provider
from patql.config import Settings, read
from patql.engine.session import Session
from patql.faces.page.page import render
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request


class Alone:
    """A Dialogue that nobody is at."""

    def note(self, message: str) -> None:
        """Leave it."""

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is asked."""
        assert question
        return otherwise


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a host that calls its product `acme`."""
    environ = {"PATQL_DATA_DIR": str(tmp_path), "PATQL_PROVIDER": "acme"}
    return read(environ)


@pytest.fixture
def session(settings: Settings) -> Iterator[Session]:
    """SQL over the host's embedded authority."""
    with open_session(settings, Choice(), Alone()) as made:
        yield made


def rows(session: Session, sql: str) -> list[tuple[object, ...]]:
    """What the last statement of a script gives."""
    *_, last = session.run(sql)
    return last.rows()


def test_statements_say_the_name(session: Session) -> None:
    """Each verb finds the resource by the host's name, USE included."""
    rows(session, "INSERT INTO acme.profile.tokens (label) VALUES ('ci')")
    listed = rows(session, "USE acme.profile; SELECT label FROM tokens ORDER BY id")
    assert listed == [("root",), ("ci",)]
    rows(session, "DELETE FROM ACME.profile.tokens WHERE label = 'ci'")
    assert rows(session, "SELECT count(*) FROM acme.profile.tokens") == [(1,)]
    happened = rows(session, "SELECT action FROM acme.account.events ORDER BY id")
    assert happened == [("token_create",), ("token_create",), ("token_delete",)]


def test_show_and_explain_say_the_name(session: Session) -> None:
    """So do SHOW and EXPLAIN."""
    shown = rows(session, "SHOW PROVIDERS")
    assert shown == [("acme", "v00.00.00000"), ("patql", "v00.00.00000")]
    assert rows(session, "SHOW RESOURCES IN acme.profile LIKE 'tok%'") == [
        ("tokens", "acme.profile.tokens")
    ]
    assert rows(session, "SHOW AUTH acme") == [("", "bearer", "PATQL_TOKEN")]
    plan = rows(session, "EXPLAIN SELECT label FROM acme.profile.tokens")
    assert plan[0] == ("read acme.profile.tokens",)


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("SELECT * FROM linode.profile.tokens", "no provider `linode`", "acme"),
        ("SELECT * FROM acme.profile.token", "in `acme.profile`", "`tokens`"),
        ("SELECT * FROM tokens", "no table tokens", "acme.profile.tokens"),
        (
            "UPDATE acme.profile.tokens SET scopes = '' WHERE id = 1",
            "scopes can't change",
            "",
        ),
        (
            "DELETE FROM acme.profile.tokens",
            "every row of acme.profile.tokens",
            "",
        ),
    ],
)
def test_errors_say_the_name(
    session: Session, sql: str, message: str, hint: str
) -> None:
    """And errors, with their hints."""
    with pytest.raises(PatqlError, match=message) as caught:
        rows(session, sql)
    assert hint in str(caught.value.hint)


def test_page_and_served_document_say_the_name(settings: Settings) -> None:
    """And the page of a resource, and what a server serves of it."""
    described = provider(settings)
    resource = described.services[0].resources[-1]
    assert "acme.profile.tokens" in render(described, resource, "markdown")
    with compose.Authority(settings.data_dir / "tokens.db") as authority:
        api = compose.open_api(authority, settings)
        served = msgspec.json.decode(api.handle(Request("GET", "/openapi.json")).body)
    resources = served["components"]["x-stackQL-resources"]
    assert resources["profile.tokens"]["id"] == "acme.profile.tokens"
    assert resources["authority.users"]["id"] == "patql.authority.users"


def test_command_line_says_the_name(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And the demo, and what the page of something else is refused with."""
    monkeypatch.setenv("PATQL_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("PATQL_PROVIDER", settings.provider)
    assert main(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "SELECT * FROM acme.profile.tokens WHERE" in shown
    assert "linode.profile" not in shown
    assert main(["docs", "tokens"]) != 0
    assert "such as acme.profile.tokens" in capsys.readouterr().err
    assert main(["docs", "patql.authority.users"]) == 0
    assert "patql.authority.users" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("patql", "another provider's name"),
        ("Acme", "small letter"),
        ("a.b", "small letter"),
        ("select", "a word of SQL's own"),
        ("memory", "local tables"),
    ],
)
def test_name_that_cannot_be_one(tmp_path: Path, name: str, reason: str) -> None:
    """What statements couldn't say is refused before anything else is done, by servers too."""
    settings = read({"PATQL_DATA_DIR": str(tmp_path), "PATQL_PROVIDER": name})
    with pytest.raises(PatqlError, match=reason) as caught:
        open_session(settings, Choice(), Alone())
    assert caught.value.code is Code.USAGE
    assert "PATQL_PROVIDER" in caught.value.message
    with (
        compose.Authority(tmp_path / "tokens.db") as authority,
        pytest.raises(PatqlError, match=reason),
    ):
        compose.open_api(authority, settings)


def test_name_for_linode_itself(tmp_path: Path) -> None:
    """It is only a name: it goes with any target."""
    settings = read({"PATQL_DATA_DIR": str(tmp_path), "PATQL_PROVIDER": "acme"})
    choice = Choice(url="https://api.linode.com/v4")
    with open_session(settings, choice, Alone()) as made:
        (plan, *_) = rows(made, "EXPLAIN SELECT id FROM acme.profile.tokens")
        assert plan == ("read acme.profile.tokens",)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM patql.authority.users",
        "DELETE FROM patql.authority.tokens WHERE username = 'ada'",
        "INSERT INTO patql.authority.users (username) VALUES ('ada')",
    ],
)
def test_linode_has_no_authority_of_ours(tmp_path: Path, sql: str) -> None:
    """Linode's own API is told to have nothing of `patql`, and isn't asked for it; documents still tell of it."""
    settings = read({"PATQL_DATA_DIR": str(tmp_path), "LINODE_TOKEN": "secret"})
    choice = Choice(url="https://api.linode.com/v4")
    with open_session(settings, choice, Alone()) as made:
        with pytest.raises(PatqlError, match=r"api\.linode\.com has nothing of") as got:
            rows(made, sql)
        assert got.value.code is Code.UNSUPPORTED
        assert rows(made, "SHOW RESOURCES IN patql.authority LIKE 'users'") == [
            ("users", "patql.authority.users")
        ]


def test_second_document_is_read_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query of one's own tokens loads nothing of the other provider."""
    loaded: list[str] = []
    inner = load.builtin

    def builtin(name: str, **how: Any) -> Provider:  # noqa: ANN401  (as the other has them)
        loaded.append(name)
        return inner(name, **how)

    monkeypatch.setattr(load, "builtin", builtin)
    with open_session(
        read({"PATQL_DATA_DIR": str(tmp_path)}), Choice(), Alone()
    ) as made:
        rows(made, "CREATE TABLE kept AS SELECT id FROM linode.profile.tokens")
        rows(made, "EXPLAIN SELECT label FROM linode.profile.tokens, kept")
        assert "patql" not in loaded
        rows(made, "SHOW SERVICES IN patql")
        assert loaded.count("patql") == 1
        rows(made, "SHOW PROVIDERS")
        assert loaded.count("patql") == 1
