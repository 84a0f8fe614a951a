"""What a team that hosts its own tokens chooses, all the way: issued, served, described, refused, queried."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from patql.api.api import Api
from patql.compose import Choice, open_api, open_authority, open_session, provider
from patql.compose.authority import Authority, policy
from patql.config import read
from patql.engine.session import Session
from patql.faces.page.page import FORMATS, render
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret

TOKENS = "linode.profile.tokens"
LINODES = ("pql_", "linodes:", "account:read")  # what must be nowhere


class Alone:
    """A Dialogue that nobody is at."""

    def note(self, message: str) -> None:
        """Leave it."""

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is asked."""
        assert question
        return otherwise


class Team:
    """An authority as `acme` runs it, with a root token, its API, and SQL over it."""

    def __init__(self, folder: Path) -> None:
        self.settings = read(
            {
                "PATQL_DATA_DIR": str(folder),
                "PATQL_TOKEN_PREFIX": "acme_",
                "PATQL_SCOPES": "repos issues",
                "PATQL_TOKEN_SCOPE": "tokens",
                "PATQL_LIFETIME_CAP": "on",
            }
        )
        with Authority(folder / "tokens.db", policy=policy(self.settings)) as made:
            self.root = made.issue("ann", label="root").secret
        self.authority = open_authority(self.settings)
        self.api: Api = open_api(self.authority, self.settings)

    def send(
        self, secret: Secret, method: str, path: str, body: object = None
    ) -> Response:
        """The API's answer to the bearer of a token."""
        raw = b"" if body is None else msgspec.json.encode(body)
        bearer = (b"authorization", b"Bearer " + secret.reveal().encode())
        return self.api.handle(Request(method, path, headers=[bearer], body=raw))

    def issue(self, scopes: str) -> Secret:
        """A token that the root token creates."""
        response = self.send(
            self.root, "POST", "/v4/profile/tokens", {"scopes": scopes}
        )
        assert response.status == 200, response.body
        return Secret(msgspec.json.decode(response.body)["token"])


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team of one."""
    made = Team(tmp_path)
    yield made
    made.authority.close()


def test_tokens(team: Team) -> None:
    """New tokens have the prefix, and the scopes are the team's."""
    secret = team.issue("repos:read_only tokens")
    assert secret.reveal().startswith("acme_")
    granted = team.authority.verify(secret, ["repos:read_only", "tokens:read_write"])
    assert granted
    assert not team.authority.verify(secret, "issues:read_only")


def test_api(team: Team) -> None:
    """Managing tokens takes the team's scope, which the answers name; Linode's is unknown."""
    for scopes, status in (("tokens:read_only", 200), ("repos issues", 401)):
        response = team.send(team.issue(scopes), "GET", "/v4/profile/tokens")
        assert response.status == status
        accepted = response.header(b"x-accepted-oauth-scopes")
        assert accepted == b"tokens:read_only"
    refused = team.send(
        team.root,
        "POST",
        "/v4/profile/tokens",
        {"scopes": "linodes:read_only users account"},
    )
    assert [e["reason"] for e in msgspec.json.decode(refused.body)["errors"]] == [
        "Unknown scope: linodes:read_only",
        "Unknown scope: account",
    ]


def test_lifetime_cap(team: Team) -> None:
    """The cap is in force over the API too."""
    body = {"expiry": "2999-01-01T00:00:00"}
    made = team.send(team.root, "POST", "/v4/profile/tokens", body)
    brief = Secret(msgspec.json.decode(made.body)["token"])
    refused = team.send(brief, "POST", "/v4/profile/tokens", {})
    (error,) = msgspec.json.decode(refused.body)["errors"]
    assert error["field"] == "expiry"
    assert "2999-01-01T00:00:00" in error["reason"]
    assert team.send(brief, "POST", "/v4/profile/tokens", body).status == 200


def test_served_document(team: Team) -> None:
    """`/openapi.json` names the team's prefix, scopes and guard, and none of Linode's."""
    text = team.api.handle(Request("GET", "/openapi.json")).body.decode()
    assert "`acme_`" in text
    assert "`repos:read_only`" in text
    assert [word for word in LINODES if word in text] == []
    listing = msgspec.json.decode(text)["paths"]["/profile/tokens"]["get"]
    assert listing["security"][1] == {"oauth": ["tokens:read_only"]}


@pytest.mark.parametrize("form", FORMATS)
def test_page(team: Team, form: str) -> None:
    """The page names the team's scopes."""
    described = provider(team.settings)
    (resource,) = (
        r for s in described.services for r in s.resources if r.name == "tokens"
    )
    page = render(described, resource, form)
    for word in ("tokens:read_only", "tokens:read_write", "repos", "issues"):
        assert word in page
    assert [word for word in (*LINODES, "linodes", "longview") if word in page] == []


def session(team: Team, secret: Secret) -> Session:
    """SQL with a token, against the team's authority."""
    choice = Choice(embedded=True, token=secret)
    return open_session(team.settings, choice, Alone())


def test_sql(team: Team) -> None:
    """A statement issues such a token, lists it, and tells an unknown scope as the API does."""
    with session(team, team.root) as sql:
        (made,) = sql.run(
            f"INSERT INTO {TOKENS} (label, scopes) VALUES ('ci', 'issues:read_only') RETURNING id, token"
        )
        ((number, secret),) = made.rows()
        assert str(secret).startswith("acme_")
        (listed,) = sql.run(f"SELECT scopes, token FROM {TOKENS} WHERE id = {number}")
        assert listed.rows() == [("issues:read_only", str(secret)[:16])]
        with pytest.raises(PatqlError, match="Unknown scope: linodes:read_only"):
            list(sql.run(f"INSERT INTO {TOKENS} (scopes) VALUES ('linodes:read_only')"))
    with session(team, Secret(str(secret))) as sql:
        with pytest.raises(PatqlError, match="not authorized") as refused:
            list(sql.run(f"SELECT * FROM {TOKENS}"))
        assert refused.value.code is Code.SERVER_REFUSED
