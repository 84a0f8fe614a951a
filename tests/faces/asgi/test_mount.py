"""The token endpoints in a product's application, behind its login: a header that names the user stands for that."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from tests.faces.asgi.conftest import JSON, Answer, Client, connection, talk

import patql
from patql import Authority
from patql.authority.listing import Listing, Page
from patql.faces.asgi import origin
from patql.kernel.asgi import Application, Message
from patql.kernel.errors import Code, PatqlError

TOKENS = "/v4/profile/tokens"


def identify(scope: Message) -> tuple[str, str] | None:
    """The user that the header `login` names, with the scopes that the header `may` says."""
    headers = HTTPConnection(scope).headers
    return (headers["login"], headers.get("may", "*")) if "login" in headers else None


async def identify_async(scope: Message) -> tuple[str, str] | None:
    """The same, as a coroutine function."""
    return identify(scope)


@pytest.fixture
def endpoints(authority: Authority) -> Application:
    """The endpoints behind that login."""
    return patql.asgi(authority, identify)


@pytest.fixture
def ada(endpoints: Application) -> Client:
    """Somebody whom the product knows as ada, on its own pages."""
    return Client(endpoints, login="ada", **JSON)


def test_a_vouched_user_manages_tokens(ada: Client, authority: Authority) -> None:
    """A login makes, lists, renames and revokes tokens, and they are good at once, and no more."""
    made = ada.send("POST", TOKENS, {"label": "ci", "scopes": "linodes:read_only"})
    assert made.status == 200
    secret = made.json["token"]
    assert authority.verify(secret, "linodes:read_only")
    (listed,) = ada.get(TOKENS).json["data"]
    assert (listed["label"], listed["token"]) == ("ci", secret[:16])
    one = f"{TOKENS}/{listed['id']}"
    assert ada.send("PUT", one, {"label": "old"}).json["label"] == "old"
    assert ada.send("DELETE", one).status == 200
    assert not authority.verify(secret)


def test_a_user_is_made_with_the_first_token(ada: Client, authority: Authority) -> None:
    """Whoever is new has a profile and no tokens, and is no user of the authority until there is a token."""
    assert ada.get(TOKENS).json["data"] == []
    profile = ada.get("/v4/profile").json
    assert (profile["username"], profile["uid"]) == ("ada", 0)
    assert ada.get("/v4/profile/grants").status == 204
    assert authority.user("ada") is None
    ada.send("POST", TOKENS, {})
    user = authority.user("ada")
    assert user is not None
    assert user.role == "user"
    assert ada.get("/v4/profile").json["uid"] == user.uid


def test_a_user_sees_their_own_tokens(ada: Client, authority: Authority) -> None:
    """Another's token is no token, whatever the scopes."""
    (other,) = authority.list("root")
    assert ada.send("DELETE", f"{TOKENS}/{other.id}").status == 404
    assert ada.get(TOKENS).json["results"] == 0
    assert authority.list("root")


def test_administration(ada: Client, authority: Authority) -> None:
    """A customer administers nobody, the first of all included; whom the product has made an admin does, by role."""
    ada.send("POST", TOKENS, {})
    users = "/v4/patql/users"
    assert ada.get(users).status == 403
    told = ada.get(users, login="root").json["data"]
    assert [(user["username"], user["role"]) for user in told] == [
        ("root", "admin"),
        ("ada", "user"),
    ]
    assert ada.send("DELETE", f"{users}/root").status == 403
    assert ada.send("DELETE", f"{users}/ada", None, {"login": "root"}).status == 200


def test_the_first_customer(tmp_path: Path) -> None:
    """Who makes the first token of all isn't an admin by that."""
    with Authority(tmp_path / "own.db") as authority:
        client = Client(patql.asgi(authority, identify), login="ada", **JSON)
        assert client.send("POST", TOKENS, {}).status == 200
        assert client.get("/v4/patql/users").status == 403


def test_many_at_once(ada: Client, authority: Authority) -> None:
    """Batches are a login's own, too, and are longer than other bodies."""
    wanted = [{"label": f"{number}".rjust(100)} for number in range(1000)]
    made = ada.send("POST", "/v4/patql/batch", {"tokens": wanted})
    assert made.status == 200
    assert len(authority.list("ada")) == 1000


@pytest.mark.parametrize("local", [True, False])
def test_what_a_stranger_sends_many_by_is_not_read(tmp_path: Path, local: bool) -> None:
    """A batch may be long; without a good token nothing of it is taken in, wherever the tokens are kept."""
    with Observed(tmp_path / "own.db") as authority:
        authority.local = local
        app = patql.asgi(authority, identify)
        for scopes, status in ((None, 401), ("account:read_only", 401), ("*", 200)):
            sent = {"authorization": "Bearer pql_mistyped", **JSON}
            if scopes is not None:
                secret = authority.issue("ada", scopes=scopes).secret.reveal()
                sent["authorization"] = f"Bearer {secret}"
            scope = {**connection("http", "/v4/patql/batch", sent), "method": "POST"}
            whole = {"type": "http.request", "body": b'{"tokens":[{}]}'}
            start, _ = talk(app, scope, *([whole] if status == 200 else []))
            assert start["status"] == status
        answer = Client(app, **JSON).send("POST", "/v4/patql/batch", {})
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("may", "wanted", "status", "told"),
    [
        ("account:read_write", "*", 200, "account:read_write"),
        ("account:read_write domains:view", "domains:read_only", 200, None),
        ("account:read_write", "domains:read_only", 400, "Scope beyond"),
        ("account:read_only", "account:read_only", 401, "not authorized"),
        ("", "", 401, "not authorized"),
    ],
)
def test_scopes_bound_an_identity(
    ada: Client, may: str, wanted: str, status: int, told: str | None
) -> None:
    """An identity makes no token that can do more than it can, as an acting token doesn't."""
    made = ada.send("POST", TOKENS, {"scopes": wanted}, {"may": may})
    assert made.status == status
    assert (told or "") in (made.json["scopes"] if status == 200 else made.reason)


def test_a_token_counts_alone(
    endpoints: Application, authority: Authority, token: Callable[..., str]
) -> None:
    """Where a request has a bearer token, the login has no say, be the token good or bad."""
    secret = token("account:read_only")
    both = Client(endpoints, login="root", authorization=f"Bearer {secret}")
    assert both.get("/v4/profile").json["username"] == "ada"
    assert both.send("POST", TOKENS, {}, JSON).status == 401
    (kept,) = authority.list("ada")
    authority.revoke("ada", kept.id)
    assert both.get("/v4/profile").status == 401


def test_a_login_that_isnt_asked(
    authority: Authority, token: Callable[..., str]
) -> None:
    """Where there is a bearer token, not even whether somebody is logged in is looked at."""

    def fail(_scope: Message) -> None:
        raise AssertionError

    client = Client(patql.asgi(authority, fail), authorization=f"Bearer {token()}")
    assert client.get("/v4/profile").status == 200
    bad = Client(patql.asgi(authority, fail), authorization="Bearer x")
    assert bad.get("/v4/profile").status == 401


def test_nobody(endpoints: Application) -> None:
    """Without a token and without a login there is a challenge."""
    refused = Client(endpoints).get(TOKENS)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_another_scheme_leaves_it_to_the_login(ada: Client) -> None:
    """A login may use the Authorization header itself."""
    assert ada.get(TOKENS, authorization="Basic YWRhOmFkYQ==").status == 200


def test_without_a_login(authority: Authority, token: Callable[..., str]) -> None:
    """Without `identify` there are tokens alone."""
    app = patql.asgi(authority)
    assert Client(app, login="ada").get(TOKENS).status == 401
    sent = {"authorization": f"Bearer {token()}"}
    assert Client(app, **sent).get(TOKENS).status == 200


def test_a_coroutine_identifies(authority: Authority) -> None:
    """A login that has to be awaited is."""
    client = Client(patql.asgi(authority, identify_async), login="ada")
    assert client.get("/v4/profile").json["username"] == "ada"


def starlette(app: Application) -> Application:
    """Mounted in Starlette, twice over."""
    return Starlette(routes=[Mount("/us", routes=[Mount("/api", app)])])


def fastapi(app: Application) -> Application:
    """Mounted in FastAPI, inside another."""
    inner, outer = FastAPI(), FastAPI()
    inner.mount("/api", app)
    outer.mount("/us", inner)
    return outer


@pytest.mark.parametrize("mounted", [starlette, fastapi])
@pytest.mark.parametrize("server", ["", "/proxied"])
def test_mounted(
    endpoints: Application,
    mounted: Callable[[Application], Application],
    server: str,
) -> None:
    """The paths are those under the mount point, also where a proxy has one of its own; the document says so."""
    client = Client(mounted(endpoints), login="ada")
    prefix = f"{server}/us/api"
    found = client.send("GET", f"{prefix}{TOKENS}", root_path=server)
    assert (found.status, found.json["data"]) == (200, [])
    assert client.send("GET", f"{prefix}/v5", root_path=server).status == 404
    document = client.send("GET", f"{prefix}/openapi.json", root_path=server).json
    urls = [server["url"] for server in document["servers"]]
    assert urls == [f"{prefix}/v4", f"{prefix}/v4beta"]
    assert document["openapi"].startswith("3.")


def test_a_path_that_was_cut(ada: Client) -> None:
    """Frameworks that take the mount point off the path are served as well."""
    assert ada.send("GET", TOKENS, root_path="/api").status == 200


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://acme.example"},
    {"origin": "http://evil.example"},
    {"origin": "http://acme.example:8080"},
    {"origin": "http://acme.example.evil.example"},
    {"origin": "null"},
    {"origin": ""},
]
OWN: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://acme.example"},
    {"origin": "https://ACME.example"},
    {"sec-fetch-site": "same-origin", "origin": "http://before-the-proxy.example"},
]


def each_write(client: Client, authority: Authority, **headers: str) -> list[Answer]:
    """The answers to one request by each method that changes something."""
    one = f"{TOKENS}/{authority.issue('ada').token.id}"
    return [
        client.send("POST", TOKENS, {}, headers),
        client.send("PUT", one, {"label": "x"}, headers),
        client.send("DELETE", one, None, headers),
    ]


@pytest.mark.parametrize("headers", FOREIGN)
def test_changes_from_elsewhere(
    ada: Client, authority: Authority, headers: dict[str, str]
) -> None:
    """What another site's page sends with a login changes nothing, and is told why."""
    for answer in each_write(ada, authority, **headers):
        assert (answer.status, answer.reason) == (403, origin.CROSS_SITE)
    (kept,) = authority.list("ada")
    assert kept.label != "x"


@pytest.mark.parametrize("headers", OWN)
def test_changes_from_the_product(
    ada: Client, authority: Authority, headers: dict[str, str]
) -> None:
    """The product's own pages, and what is no page, may change something."""
    for answer in each_write(ada, authority, **headers):
        assert answer.status == 200


@pytest.mark.parametrize("media_type", ["text/plain", "", None])
def test_changes_are_json(
    endpoints: Application, authority: Authority, media_type: str | None
) -> None:
    """A form, which any page may send anywhere, changes nothing, nor does what has no type."""
    sent = {} if media_type is None else {"content-type": media_type}
    for answer in each_write(Client(endpoints, login="ada"), authority, **sent):
        assert (answer.status, answer.reason) == (415, origin.MEDIA_TYPE)


def test_a_token_comes_from_anywhere(
    endpoints: Application, authority: Authority, token: Callable[..., str]
) -> None:
    """No browser sends a token by itself, so whence it comes doesn't matter."""
    client = Client(endpoints, authorization=f"Bearer {token()}")
    for answer in each_write(client, authority, **FOREIGN[0], **JSON):
        assert answer.status == 200


def test_other_origins_read_no_logins(
    endpoints: Application, ada: Client, token: Callable[..., str]
) -> None:
    """What a login gets says nothing of other origins, which then may not read it; what a token gets may be read."""
    for answer in (ada.get(TOKENS), ada.get("/v4/nothing"), ada.get(TOKENS, may="")):
        assert not [name for name in answer.headers if name.startswith("access-")]
    own = Client(endpoints, authorization=f"Bearer {token()}").get(TOKENS)
    assert own.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in own.headers


def test_a_suspended_user(ada: Client, authority: Authority) -> None:
    """A login doesn't help who is suspended in the authority, nor ever again who was removed."""
    ada.send("POST", TOKENS, {})

    def check(reason: str) -> None:
        for answer in (ada.get(TOKENS), ada.send("POST", TOKENS, {})):
            assert (answer.status, answer.reason) == (403, reason)

    authority.admin.change("ada", suspended=True)
    check("This user is suspended")
    authority.admin.change("ada", suspended=False)
    assert ada.get(TOKENS).json["results"] == 1
    authority.admin.remove("ada")
    check("This user is removed")


@pytest.mark.parametrize(
    ("user", "may", "told"),
    [("ada", "linodes:reed_only", "Unknown scope"), ("", "*", "must not be empty")],
)
def test_an_identity_that_cannot_be(
    ada: Client, caplog: pytest.LogCaptureFixture, user: str, may: str, told: str
) -> None:
    """What the product gets wrong is the product's to read, in its log."""
    with caplog.at_level(logging.ERROR, "patql"):
        answer = ada.get(TOKENS, login=user, may=may)
    assert answer.status == 500
    assert told in caplog.text


class Observed(Authority):
    """An authority that notes which thread asks, and says whether its store is a local one."""

    local = True
    threads: list[threading.Thread]

    @property
    def inline(self) -> bool:
        return self.local

    def page(self, user: str, listing: Listing) -> Page:
        self.threads.append(threading.current_thread())
        return super().page(user, listing)


@pytest.mark.parametrize("local", [True, False])
def test_who_waits(tmp_path: Path, local: bool) -> None:
    """A local store is read on the loop; any other where it keeps nobody waiting."""
    with Observed(tmp_path / "own.db") as authority:
        authority.local = local
        authority.threads = []
        Client(patql.asgi(authority, identify), login="ada").get(TOKENS)
        (thread,) = authority.threads
        assert (thread is threading.main_thread()) is local


def test_a_broken_store(
    ada: Client,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A store that can't be read is a 503, to be tried again."""

    def fail(_user: str) -> None:
        raise PatqlError(Code.UNAVAILABLE, "disk full")

    monkeypatch.setattr(authority, "user", fail)
    answer = ada.get(TOKENS)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "unavailable: disk full" in caplog.text


@pytest.mark.parametrize("sent", [{"login": "ada"}, {"authorization": "Bearer x"}])
def test_an_unexpected_error(
    endpoints: Application,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    sent: dict[str, str],
) -> None:
    """An unexpected error is logged with where it happened, without the secrets in it; the client learns nothing."""
    secret = "pql_" + "a1B2" * 15

    def fail(*_: object) -> None:
        raise ValueError(f"bad {secret}")

    for method in ("verify", "page"):
        monkeypatch.setattr(authority, method, fail)
    client = Client(endpoints, **sent)
    batch = client.send("POST", "/v4/patql/batch", {"tokens": []}, JSON)
    assert batch.status == (400 if "login" in sent else 500)
    answer = client.get(TOKENS)
    assert (answer.status, answer.reason) == (500, "Internal server error")
    assert "Traceback" in caplog.text
    assert "ValueError: bad pql_a1B2a1B2a1B2…" in caplog.text
    assert secret not in caplog.text


def test_life(endpoints: Application, authority: Authority) -> None:
    """By itself it starts and stops with the server, and leaves the authority to the product."""
    sent = talk(
        endpoints,
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert not authority.is_empty()


def test_no_websocket(endpoints: Application) -> None:
    """A WebSocket is refused."""
    (sent,) = talk(endpoints, connection("websocket", TOKENS, {}))
    assert sent["type"] == "websocket.close"


def test_a_client_that_went(endpoints: Application, authority: Authority) -> None:
    """Nothing is done where the client went before its body had come."""
    scope = {**connection("http", TOKENS, {"login": "ada", **JSON}), "method": "POST"}
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert talk(endpoints, scope, part, {"type": "http.disconnect"}) == []
    assert authority.user("ada") is None
