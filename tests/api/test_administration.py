"""What an admin does takes effect at once, and is told as it is."""

from urllib.parse import quote

import msgspec
import pytest
from tests.api.conftest import Client, reasons

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Granted, Role
from patql.catalog.document import Provider
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.inprocess import InProcessTransport

USERS, TOKENS, EVENTS = "/v4/patql/users", "/v4/patql/tokens", "/v4/patql/events"
VERSION = b"x-patql-list-version"


def states(client: Client, path: str) -> dict[str | int, str]:
    """The states of all users, or tokens, by name or id."""
    rows = msgspec.json.decode(client.get(path).body)["data"]
    return {row.get("id", row["username"]): row["state"] for row in rows}


@pytest.fixture
def bob(api: Api, authority: Authority, client: Client) -> Client:
    """An ordinary user with the token 2; the client is the admin alice."""
    del client
    return Client(api, authority.issue("bob", label="bob").secret.reveal())


def test_suspended_resumed_removed(
    client: Client, bob: Client, clock: ManualClock
) -> None:
    """A user's tokens are refused, accepted again, and refused for good; the lists say so."""
    clock.advance(60)
    suspended = client.send("PUT", f"{USERS}/bob", {"state": "suspended"})
    assert msgspec.json.decode(suspended.body)["suspended_at"] == "2027-01-01T00:01:00"
    refused = bob.get("/v4/profile")
    assert (refused.status, reasons(refused)) == (401, [("Invalid Token", None)])
    assert states(client, USERS) == {"alice": "active", "bob": "suspended"}
    assert states(client, TOKENS) == {1: "active", 2: "suspended"}
    resumed = client.send("PUT", f"{USERS}/bob", {"state": "active"})
    assert msgspec.json.decode(resumed.body)["suspended_at"] is None
    assert bob.get("/v4/profile").status == 200
    client.send("PUT", f"{USERS}/bob", {"state": "suspended"})
    assert client.send("DELETE", f"{USERS}/bob").status == 200
    assert bob.get("/v4/profile").status == 401
    removed = msgspec.json.decode(client.get(f"{USERS}/bob").body)
    assert (removed["state"], removed["suspended_at"]) == ("removed", None)
    assert client.send("DELETE", f"{USERS}/bob").status == 200
    back = client.send("PUT", f"{USERS}/bob", {"state": "active"})
    assert (back.status, reasons(back)) == (
        400,
        [("Was removed, and stays so", "username")],
    )
    again = client.send("POST", USERS, {"username": "bob"})
    assert (again.status, reasons(again)[0][1]) == (400, "username")
    assert bob.get("/v4/profile").status == 401


def test_a_role_counts_from_the_next_request_on(
    client: Client, bob: Client, authority: Authority
) -> None:
    """Whoever becomes an admin is one with the tokens that they have, and whoever was isn't."""
    assert bob.get(USERS).status == 403
    assert states(bob, TOKENS) == {2: "active"}
    client.send("PUT", f"{USERS}/bob", {"role": "admin"})
    assert bob.get(USERS).status == 200
    assert states(bob, TOKENS) == {1: "active", 2: "active"}
    assert bob.send("PUT", f"{USERS}/alice", {"role": "user"}).status == 200
    assert client.get(USERS).status == 403
    assert client.get(f"{TOKENS}/2").status == 404
    assert client.send("DELETE", f"{TOKENS}/2").status == 403
    assert authority.verify(bob.secret)


def test_a_role_lost_between_verification_and_change(
    client: Client, bob: Client, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin who is none any more when the change is made changes nothing."""
    authority.admin.change("bob", role=Role.ADMIN)
    user = authority.user

    def user_then_demote(name: str) -> object:
        found = user(name)
        authority.admin.change("bob", role=Role.USER)
        return found

    monkeypatch.setattr(authority, "user", user_then_demote)
    for method, path, body in (
        ("POST", USERS, {"username": "carol"}),
        ("PUT", f"{USERS}/alice", {"email": "x"}),
        ("DELETE", f"{USERS}/alice", {}),
        ("DELETE", f"{TOKENS}/1", {}),
    ):
        response = bob.send(method, path, body)
        assert response.status == 403
        authority.admin.change("bob", role=Role.ADMIN)
    monkeypatch.undo()
    assert states(client, USERS) == {"alice": "active", "bob": "active"}
    assert authority.verify(client.secret)


def test_descendants(client: Client, api: Api, authority: Authority) -> None:
    """Revoked with all that descend from it, by its owner and by an admin; without being asked to, alone."""
    chain = [Client(api, client.secret)]
    for _ in range(3):
        made = chain[-1].send("POST", "/v4/profile/tokens", {})
        chain.append(Client(api, msgspec.json.decode(made.body)["token"]))

    def good() -> list[int]:
        return [
            number
            for number, one in enumerate(chain, 1)
            if one.get(TOKENS).status == 200
        ]

    assert client.send("DELETE", "/v4/profile/tokens/2").status == 200
    assert good() == [1, 3, 4]
    assert client.send("DELETE", f"{TOKENS}/2?cascade=false").status == 200
    assert good() == [1, 3, 4]
    assert client.send("DELETE", f"{TOKENS}/2?cascade=true").status == 200
    assert good() == [1]
    parents = msgspec.json.decode(client.get(TOKENS).body)["data"]
    assert [row["parent"] for row in parents] == [None, 1, 2, 3]
    made = client.send("POST", "/v4/profile/tokens", {})
    chain.append(Client(api, msgspec.json.decode(made.body)["token"]))
    made = chain[-1].send("POST", "/v4/profile/tokens", {})
    chain.append(Client(api, msgspec.json.decode(made.body)["token"]))
    assert client.send("DELETE", "/v4/profile/tokens/5?cascade=true").status == 200
    assert good() == [1]
    del authority


def test_the_audit_says_who_did_it(client: Client, bob: Client) -> None:
    """The admin and the admin's token; for their owner, events say the admin's name."""
    client.send("PUT", f"{USERS}/bob", {"email": "b@example.org"})
    client.send("DELETE", f"{TOKENS}/2")
    deleted, changed = msgspec.json.decode(client.get(EVENTS).body)["data"][:2]
    assert (deleted["actor"], deleted["actor_token"]) == ("alice", 1)
    assert (deleted["action"], deleted["username"], deleted["token_id"]) == (
        "token_delete",
        "bob",
        2,
    )
    assert changed["detail"] == {"role": "user", "email_changed": True}
    other = Client(bob.api, client.secret)
    own = msgspec.json.decode(other.get("/v4/account/events").body)
    assert own["results"] == 1
    assert "b@example.org" not in client.get(EVENTS).body.decode()


def test_an_event_names_whoever_acted(
    api: Api, authority: Authority, client: Client
) -> None:
    """What an admin did to a token is among its owner's events, by the admin's name, with the label as it was then."""
    bobs = [Client(api, authority.issue("bob", label=n).secret.reveal()) for n in "ab"]
    bobs[0].send("PUT", "/v4/profile/tokens/3", {"label": "c"})
    client.send("DELETE", f"{TOKENS}/3")
    events = msgspec.json.decode(bobs[0].get("/v4/account/events").body)["data"]
    assert [(e["action"], e["username"], e["entity"]["label"]) for e in events] == [
        ("token_delete", "alice", "c"),
        ("token_update", "bob", "c"),
        ("token_create", None, "b"),
        ("token_create", None, "a"),
    ]


@pytest.mark.parametrize("name", ["a/b", "a b/ü?#%2F", "..", "batch", "users/x/"])
def test_any_name_is_a_path(api: Api, client: Client, name: str) -> None:
    """A user is reached by whatever name they have, percent-encoded."""
    assert client.send("POST", USERS, {"username": name}).status == 200
    path = f"/patql/users/{quote(name, safe='')}"
    transport = InProcessTransport(
        "test", "/v4", api.handle, Secret(client.secret), lambda: None
    )
    (shown,) = transport.send([Request("GET", path)], 1)
    assert msgspec.json.decode(shown.body)["username"] == name
    (gone,) = transport.send([Request("DELETE", path)], 1)
    assert gone.status == 200
    assert states(client, USERS)[name] == "removed"


def test_versions(client: Client, authority: Authority) -> None:
    """Each list's header changes with the list, and not with the page."""
    for _ in range(30):
        authority.issue("alice")

    def versions() -> list[bytes | None]:
        paths = [f"{p}?page_size=25" for p in (TOKENS, EVENTS, "/v4/account/events")]
        pages = [(client.get(p), client.get(f"{p}&page=2")) for p in paths]
        assert all(
            first.header(VERSION) == second.header(VERSION) for first, second in pages
        )
        return [
            client.get(USERS).header(VERSION),
            *(f.header(VERSION) for f, _ in pages),
        ]

    before = versions()
    assert None not in before
    assert versions() == before
    authority.rename("alice", 2, "x")
    assert all(b != a for b, a in zip(before, versions(), strict=True))


def test_pages(client: Client, authority: Authority) -> None:
    """Page after page has each row once: users and tokens in the order of ids, the audit newest first."""
    for number in range(60):
        authority.issue(f"user-{number}")

    def read(path: str, key: str) -> list[int]:
        found: list[int] = []
        for page in (1, 2, 3, 4, 5):
            answer = client.get(f"{path}?page_size=25&page={page}")
            if answer.status == 404:
                break
            body = msgspec.json.decode(answer.body)
            found += [row[key] for row in body["data"]]
            assert body["pages"] == -(-body["results"] // 25)
        return found

    assert read(USERS, "uid") == list(range(1, 62))
    assert read(TOKENS, "id") == list(range(1, 62))
    assert read(EVENTS, "id") == list(range(122, 0, -1))


def test_the_document_waits_until_it_is_needed(authority: Authority) -> None:
    """A statement about one's own tokens doesn't pay for what admins do."""
    asked: list[int] = []

    def administration() -> Provider:
        asked.append(1)
        return builtin("patql")

    issued = authority.found("alice")
    assert issued is not None
    api = Api(authority, builtin("linode"), builtin_openapi("linode"), administration)
    client = Client(api, issued.secret.reveal())
    client.get("/v4/profile/tokens")
    client.send("DELETE", "/v4/patql/batch", {"ids": [9]})
    client.get("/v4/nothing")
    assert asked == []
    for _ in range(2):
        assert client.get(USERS).status == 200
    assert asked == [1]
    assert f"{USERS}/{{username}}" in api.templates
    assert api.template(f"{USERS}/ada") == f"{USERS}/{{username}}"
    assert asked == [1]
    bare = Client(Api(authority, builtin("linode"), b"{}"), client.secret)
    assert bare.get(USERS).status == 404


def test_a_login_reads_what_its_user_may(api: Api, client: Client) -> None:
    """A user whom a product vouches for is an admin where the authority says so, and unknown users have nothing."""

    def sent(user: str, path: str) -> Response:
        granted = Granted(user, 0, None, "*", None)

        def verify(_secret: bytes, _needs: object) -> Granted:
            return granted

        return api.handle(Request("GET", path), verify=verify)

    assert client.get(USERS).status == 200
    assert sent("alice", USERS).status == 200
    assert sent("nobody", USERS).status == 403
    assert msgspec.json.decode(sent("nobody", TOKENS).body)["data"] == []
    assert msgspec.json.decode(sent("nobody", "/v4/account/events").body)["data"] == []
