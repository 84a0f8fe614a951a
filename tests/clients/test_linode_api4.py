"""Linode's own Python library, unmodified, against a real server."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (the library has no types)

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import linode_api4  # type: ignore[import-untyped]
import pytest
from linode_api4.objects.filtering import (  # type: ignore[import-untyped]
    and_,
    limit,
    or_,
    order_by,
)
from tests.conftest import Served

from patql.authority.authority import Authority

pytestmark = pytest.mark.slow

Client = Any
Token: Any = linode_api4.PersonalAccessToken
Event: Any = linode_api4.Event
NO_SCOPE = "Your OAuth token is not authorized to use this endpoint."


@pytest.fixture
def connect(server: Served) -> Callable[[str], Client]:
    """Makes the library's client for a token."""
    return lambda token: linode_api4.LinodeClient(token, base_url=server.url)


@pytest.fixture
def client(connect: Callable[[str], Client], secret: str) -> Client:
    """The library's client for a token with every scope."""
    return connect(secret)


def labels(found: Any) -> list[str]:  # noqa: ANN401
    """The labels of a list of tokens."""
    return [token.label for token in found]


def refused(call: Callable[[], object]) -> tuple[int, list[str]]:
    """The status and the reasons with which a call is refused."""
    with pytest.raises(linode_api4.ApiError) as caught:
        call()
    error: Any = caught.value
    return error.status, error.errors


def test_life_of_a_token(
    client: Client, connect: Callable[[str], Client], user: str
) -> None:
    """A token is created, listed, loaded, renamed and revoked."""
    expiry = datetime(2040, 1, 2, 3, 4, 5)  # noqa: DTZ001  (the library knows no zones)
    made = client.profile.token_create(
        label="sdk", expiry=expiry, scopes="linodes:read_only account:read_only"
    )
    assert len(made.token) > 60
    assert made.expiry == expiry
    assert isinstance(made.created, datetime)
    assert connect(made.token).profile().username == user
    assert labels(client.profile.tokens()) == ["root", "sdk"]
    loaded = client.load(Token, made.id)
    assert loaded.token == made.token[:16]
    assert loaded.scopes == "linodes:read_only account:read_only"
    loaded.label = "sdk-2"
    assert loaded.save()
    assert client.load(Token, made.id).label == "sdk-2"
    assert loaded.delete()
    assert labels(client.profile.tokens()) == ["root"]
    assert refused(lambda: client.load(Token, made.id)) == (404, ["Not found"])
    assert refused(connect(made.token).profile) == (401, ["Invalid Token"])


def test_defaults(client: Client) -> None:
    """Without label, scopes and expiry a token has a name, the acting token's scopes, and no end."""
    made = client.profile.token_create()
    assert made.label == f"token-{made.id}"
    assert made.scopes == "*"
    assert made.expiry is None


def test_scopes_with_commas(client: Client) -> None:
    """The library writes scopes with commas; they come back in the usual form."""
    scopes = linode_api4.OAuthScopes.serialize(
        [
            linode_api4.OAuthScopes.Linodes.read_only,
            linode_api4.OAuthScopes.Account.read_write,
        ]
    )
    made = client.profile.token_create(label="x", scopes=scopes)
    assert made.scopes == "linodes:read_only account:read_write"


def test_profile(client: Client, user: str) -> None:
    """The profile is its user's, who is unrestricted and so has no grants."""
    profile = client.profile()
    assert profile.username == user
    assert profile.restricted is False
    assert profile.grants is None


def test_grants_of_a_restricted_user(
    authority: Authority, connect: Callable[[str], Client], user: str
) -> None:
    """A restricted user's grants are an object that the library reads."""
    authority.add_user(user, restricted=True)
    client = connect(authority.issue(user).secret.reveal())
    grants = client.profile().grants
    assert grants.global_grants.account_access is None
    assert grants.linode == []


WEEK_AGO = datetime.now() - timedelta(days=7)  # noqa: DTZ005


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([Token.label == "b"], ["b"]),
        ([Token.label.contains("A")], ["ab", "a"]),
        ([Token.label != "b"], ["root", "ab", "a"]),
        ([or_(Token.label == "a", Token.label == "b")], ["b", "a"]),
        ([and_(Token.label.contains("a"), Token.label.contains("b"))], ["ab"]),
        (
            [
                or_(Token.label == "a", Token.label != "root"),
                Token.created >= "2024-01-01T00:00:00",
            ],
            ["b", "ab", "a"],
        ),
        ([Token.created >= WEEK_AGO.strftime("%Y-%m-%dT%H:%M:%S")],
         ["root", "b", "ab", "a"]),
        ([Token.created < WEEK_AGO.strftime("%Y-%m-%dT%H:%M:%S")], []),
        ([order_by(Token.label)], ["a", "ab", "b", "root"]),
        ([order_by(Token.label, desc=True)], ["root", "b", "ab", "a"]),
        ([Token.label.contains("a"), order_by(Token.created, desc=True)], ["ab", "a"]),
        ([limit(2)], ["root", "b"]),
        ([Token.label.contains("a"), limit(1)], ["ab"]),
    ],
)  # fmt: skip
def test_filters(client: Client, filters: list[Any], expected: list[str]) -> None:
    """Each shape of filter that the library sends selects and sorts."""
    for label in ("b", "ab", "a"):
        client.profile.token_create(label=label)
    assert labels(client.profile.tokens(*filters)) == expected


def test_unknown_filter(client: Client) -> None:
    """A filter on what can't be filtered on is refused by name."""
    status, reasons = refused(lambda: list(client.profile.tokens(Token.scopes == "*")))
    assert (status, reasons) == (400, ["Cannot filter on scopes"])


@pytest.mark.parametrize("page_size", [None, 25, 500])
def test_pages(
    authority: Authority, connect: Callable[[str], Client],
    server: Served, secret: str, user: str, page_size: int | None,
) -> None:  # fmt: skip
    """Two hundred and fifty tokens are read page by page, each once and in order."""
    for number in range(249):
        authority.issue(user, label=f"n{number}")
    client: Client = linode_api4.LinodeClient(
        secret, base_url=server.url, page_size=page_size
    )
    found = client.profile.tokens()
    assert len(found) == 250
    assert labels(found) == ["root", *(f"n{number}" for number in range(249))]
    assert found[249].label == "n248"


def test_self_revocation(client: Client) -> None:
    """A token revokes itself, and is refused from then on."""
    (own,) = client.profile.tokens()
    assert own.delete()
    assert refused(client.profile.tokens) == (401, ["Invalid Token"])
    assert refused(client.profile) == (401, ["Invalid Token"])


def test_expired(
    expired: Callable[[str], str], connect: Callable[[str], Client], user: str
) -> None:
    """An expired token is refused like one that never was."""
    assert refused(connect(expired(user)).profile) == (401, ["Invalid Token"])


def test_revoked_elsewhere(
    authority: Authority, connect: Callable[[str], Client], user: str
) -> None:
    """A token revoked in another process is refused with the next request."""
    issued = authority.issue(user)
    client = connect(issued.secret.reveal())
    assert client.profile().username == user
    assert authority.revoke(user, issued.token.id)
    assert refused(client.profile) == (401, ["Invalid Token"])


def test_insufficient_scope(
    authority: Authority, connect: Callable[[str], Client], user: str
) -> None:
    """What a token's scopes don't cover is refused with Linode's words and status."""
    authority.issue(user, label="root")
    reader = connect(authority.issue(user, scopes="account:read_only").secret.reveal())
    assert len(reader.profile.tokens()) == 2
    assert refused(reader.profile.token_create) == (401, [NO_SCOPE])
    outsider = connect(authority.issue(user, scopes="linodes:*").secret.reveal())
    assert outsider.profile().username == user
    assert refused(lambda: list(outsider.profile.tokens())) == (401, [NO_SCOPE])


def test_two_users(
    client: Client, authority: Authority, connect: Callable[[str], Client], user: str
) -> None:
    """Nobody sees, renames or revokes another user's token."""
    other = authority.issue(f"not-{user}", label="theirs")
    assert labels(client.profile.tokens()) == ["root"]
    assert refused(lambda: client.load(Token, other.token.id)) == (404, ["Not found"])
    path = f"/profile/tokens/{other.token.id}"
    assert refused(lambda: client.put(path, data={"label": "mine"}))[0] == 404
    assert refused(lambda: client.delete(path))[0] == 404
    (theirs,) = connect(other.secret.reveal()).profile.tokens()
    assert theirs.label == "theirs"


def test_problems(client: Client) -> None:
    """Everything wrong with a request arrives, problem by problem."""
    create = client.profile.token_create
    long = "x" * 101
    status, reasons = refused(
        lambda: create(
            label=long, scopes="nope:read_only", expiry="2020-01-01T00:00:00"
        )
    )
    assert status == 400
    assert reasons == [
        "Length must be 1-100 characters",
        "Unknown scope: nope:read_only",
        "Must be in the future",
    ]


def test_events(client: Client) -> None:
    """What happened to tokens is listed, filtered and loaded, and a poller sees it happen."""
    token = client.profile.token_create(label="sdk", scopes="linodes:read_only")
    poller = client.polling.event_poller_create("token", "token_delete", token.id)
    token.delete()
    seen = poller.wait_for_next_event_finished(timeout=10, interval=1)
    assert (seen.action, seen.entity.id, seen.status) == (
        "token_delete",
        token.id,
        "notification",
    )
    events = client.account.events()
    assert [event.action for event in events] == [
        "token_delete",
        "token_create",
        "token_create",
    ]
    assert events[0].entity.label == "sdk"
    assert events[0].username == client.profile().username
    created = client.account.events(Event.action == "token_create")
    assert [event.id for event in created] == [event.id for event in events][1:]
    assert client.load(Event, events[0].id).created == events[0].created
