"""What a table of single requests can't say: sequences, headers sent twice, failures, and what is in every answer."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.api.conftest import Client, reasons

from patql.api.api import Api
from patql.api.bodies import LIMIT
from patql.api.problems import BY_CODE
from patql.authority.authority import Authority
from patql.authority.model import Issued
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers, Request, Response

TOKENS = "/v4/profile/tokens"


def decoded(response: Response) -> Any:  # noqa: ANN401
    """The JSON of a response."""
    return msgspec.json.decode(response.body)


def test_life_of_a_token(client: Client) -> None:
    """A token is made, seen cut, renamed and revoked, and its secret works exactly as long as that."""
    made = decoded(client.send("POST", TOKENS, {"label": "ci"}))
    other = Client(client.api, made["token"])
    assert other.get("/v4/profile").status == 200
    seen = decoded(other.get(f"{TOKENS}/{made['id']}"))
    assert seen == {**made, "token": made["token"][:16]}
    renamed = decoded(other.send("PUT", f"{TOKENS}/{made['id']}", {"label": "ci-2"}))
    assert renamed == {**seen, "label": "ci-2"}
    assert other.send("DELETE", f"{TOKENS}/{made['id']}").body == b"{}"
    assert reasons(other.get("/v4/profile")) == [("Invalid Token", None)]
    assert client.get(f"{TOKENS}/{made['id']}").status == 404
    assert client.send("DELETE", f"{TOKENS}/{made['id']}").status == 404


def test_expiry_ends_a_token(client: Client, clock: ManualClock) -> None:
    """At its expiry a token is refused, and gone from the list."""
    body = {"label": "brief", "expiry": "2027-01-01T00:00:10"}
    made = decoded(client.send("POST", TOKENS, body))
    clock.advance(9)
    assert Client(client.api, made["token"]).get("/v4/profile").status == 200
    clock.advance(1)
    assert Client(client.api, made["token"]).get("/v4/profile").status == 401
    assert decoded(client.get(TOKENS))["results"] == 1


def test_scopes_beyond_the_acting_token(holder: Callable[[str], Client]) -> None:
    """Each scope that the acting token hasn't got is named."""
    acting = holder("account:read_write linodes:read_only")
    wanted = {"scopes": "linodes:read_write account:read_only vpc:read_write"}
    response = acting.send("POST", TOKENS, wanted)
    assert response.status == 400
    told = reasons(response)
    assert [field for _, field in told] == ["scopes", "scopes"]
    assert "linodes:read_write" in told[0][0]
    assert "vpc:read_write" in told[1][0]


@pytest.mark.parametrize("wanted", [{}, {"scopes": "*"}])
def test_note_on_narrower_scopes(
    holder: Callable[[str], Client], wanted: dict[str, str]
) -> None:
    """Scopes omitted or `*` are the acting token's own, which a header remarks on."""
    acting = holder("account:read_write linodes:read_only")
    response = acting.send("POST", TOKENS, wanted)
    assert decoded(response)["scopes"] == "account:read_write linodes:read_only"
    note = response.header(b"x-patql-note")
    assert note is not None
    assert b"account:read_write linodes:read_only" in note
    assert note.isascii()


def test_version_of_the_list(client: Client, clock: ManualClock) -> None:
    """The list's version changes with each change and each expiry, and with nothing else."""

    def version() -> bytes | None:
        return client.get(TOKENS).header(b"x-patql-list-version")

    seen = [version()]
    assert seen[0]
    assert [version()] == seen
    path = f"{TOKENS}?page_size=25"
    assert client.get(path, {"label": "x"}).header(b"x-patql-list-version") == seen[0]
    client.send("POST", TOKENS, {"expiry": "2027-01-01T00:00:10"})
    seen.append(version())
    client.send("PUT", f"{TOKENS}/2", {"label": "x"})
    seen.append(version())
    clock.advance(10)
    seen.append(version())
    client.send("POST", TOKENS, {})
    client.send("DELETE", f"{TOKENS}/3")
    seen.append(version())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "value",
    [
        b"bearer %b",
        b"BEARER   %b ",
        b"Bearer\t%b",
        b"Token %b",
        b"Basic %b",
        b"%b",
        b"Bearer",
        b"Bearer ",
        b"Bearer %b %b",
        b"Bearer \xff\xfe",
        b"",
    ],
)
def test_authorization(api: Api, root: Issued, value: bytes) -> None:
    """The scheme is Bearer in any case; whatever else is sent is no token."""
    secret = root.secret.reveal().encode()
    sent = value.replace(b"%b", secret)
    headers: Headers = [(b"authorization", sent)]
    response = api.handle(Request("GET", "/v4/profile", headers=headers))
    good = value in (b"bearer %b", b"BEARER   %b ")
    assert response.status == (200 if good else 401)


def test_two_authorizations(api: Api, root: Issued) -> None:
    """Two Authorization headers are refused, even where both are good."""
    header = (b"authorization", b"Bearer " + root.secret.reveal().encode())
    response = api.handle(Request("GET", "/v4/profile", headers=[header, header]))
    assert reasons(response) == [("Invalid Token", None)]


@pytest.mark.parametrize(("method", "path"), [("POST", TOKENS), ("PUT", f"{TOKENS}/1")])
def test_length_of_a_body(client: Client, method: str, path: str) -> None:
    """A body of 64 KiB is read, one byte more is not."""
    longest = b'{"label":"x"}'.ljust(LIMIT)
    assert client.send(method, path, longest).status == 200
    response = client.send(method, path, longest + b" ")
    assert response.status == 413
    assert reasons(response) == [("The body is longer than 65536 bytes", None)]


def test_deep_body(client: Client) -> None:
    """A body nested as deep as its length allows is a 400."""
    response = client.send("POST", TOKENS, b"[" * LIMIT)
    assert reasons(response) == [("Nested too deeply", None)]


@pytest.mark.parametrize("path", ["/v4/profile", TOKENS, f"{TOKENS}/1", "/healthz"])
def test_head(client: Client, path: str) -> None:
    """HEAD is GET without the body, whose length it tells."""
    got, head = client.get(path), client.send("HEAD", path)
    assert head.body == b""
    assert head.status == got.status == 200
    assert head.headers == [*got.headers, (b"content-length", b"%d" % len(got.body))]


def test_head_of_an_error(client: Client) -> None:
    """HEAD of what isn't there has the error's status, and no body."""
    head = client.send("HEAD", f"{TOKENS}/99")
    assert (head.status, head.body) == (404, b"")


def test_grants_of_a_restricted_user(
    api: Api, authority: Authority, root: Issued
) -> None:
    """A restricted user gets an object of grants, not 204."""
    assert root.token.id == 1
    authority.add_user("carol", restricted=True)
    carol = Client(api, authority.issue("carol").secret.reveal())
    response = carol.get("/v4/profile/grants")
    assert response.status == 200
    assert decoded(response)["global"]["account_access"] is None
    assert decoded(carol.get("/v4/profile"))["restricted"] is True


def test_headers_of_every_answer(client: Client) -> None:
    """Answers say how to treat them, and never that cookies may come along."""
    for response in (client.get(TOKENS), client.get("/v4/nothing"), client.get("/")):
        sent = dict(response.headers)
        assert len(sent) == len(response.headers)
        assert sent[b"cache-control"] == b"max-age=0, no-cache, no-store"
        assert sent[b"content-security-policy"] == b"default-src 'none'"
        assert sent[b"x-content-type-options"] == b"nosniff"
        assert sent[b"x-frame-options"] == b"DENY"
        assert b"access-control-allow-credentials" not in sent
        assert b"x-spec-version" not in sent
        exposed = sent[b"access-control-expose-headers"].lower().split(b", ")
        assert {b"x-oauth-scopes", b"x-patql-list-version"} <= set(exposed)


def test_secret_in_a_reason(client: Client) -> None:
    """A token in a path, a filter or a scope is cut in the error that repeats it."""
    for response in (
        client.get(f"/v4/{client.secret}"),
        client.get(TOKENS, {client.secret: 1}),
        client.send("POST", TOKENS, {"scopes": client.secret}),
    ):
        assert response.status in (400, 404)
        assert client.secret.encode() not in response.body
        assert client.secret[:16].encode() in response.body


def test_path_that_is_no_text(client: Client) -> None:
    """A path with half a surrogate pair is unknown."""
    assert client.get("/v4/\ud800").status == 404


def test_every_code_has_a_status() -> None:
    """Each code is a status that means failure."""
    assert {code: BY_CODE[code] for code in Code}.keys() == BY_CODE.keys()
    assert all(400 <= status < 600 for status in BY_CODE.values())


class Broken(Authority):
    """An authority whose reads fail as told."""

    failure: Exception

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def verify(self, secret: object, needs: object = ()) -> Any:  # noqa: ANN401
        raise self.failure

    def is_empty(self) -> bool:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (
            PatqlError(Code.UNAVAILABLE, "disk full at /srv"),
            503,
            "Temporarily unavailable, please try again",
        ),
        (PatqlError(Code.SCHEMA, "/srv is too new"), 500, "Internal server error"),
        (ValueError("/srv"), 500, "Internal server error"),
        (RecursionError(), 500, "Internal server error"),
    ],
)
def test_failure(failure: Exception, status: int, reason: str) -> None:
    """A failure of ours is reported to whoever runs the API; the client learns nothing of it."""
    api = Api(Broken(failure), builtin("linode"), builtin_openapi("linode"))
    reported: list[Exception] = []
    response = api.handle(Request("GET", "/v4/profile"), reported.append)
    assert response.status == status
    assert reasons(response) == [(reason, None)]
    assert reported == [failure]
    retry = response.header(b"retry-after")
    assert retry == (b"1" if status == 503 else None)
    for path in ("/v4/profile", "/healthz"):
        assert api.handle(Request("GET", path)).status == status


def test_settings_reach_the_api(authority: Authority) -> None:
    """The scope that guards tokens is the one that the document was read with."""
    provider = builtin("linode", guard="volumes")
    api = Api(authority, provider, b"{}")
    authority.issue("alice")
    secret = authority.issue("alice", scopes="volumes:read_only").secret.reveal()
    response = Client(api, secret).get(TOKENS)
    assert response.status == 200
    assert response.header(b"x-accepted-oauth-scopes") == b"volumes:read_only"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", TOKENS), ("PUT", f"{TOKENS}/2"), ("DELETE", f"{TOKENS}/2")],
)
def test_revoked_between_verification_and_change(
    client: Client,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    """A token revoked while its request waits for the disk changes nothing, and is told that it is invalid."""
    other = authority.issue("alice").token
    verify = authority.verify

    def verify_then_revoke(secret: Any, needs: Any = ()) -> Any:  # noqa: ANN401
        verdict = verify(secret, needs)
        authority.revoke("alice", 1)
        return verdict

    monkeypatch.setattr(authority, "verify", verify_then_revoke)
    response = client.send(method, path, {"label": "late"})
    assert response.status == 401
    assert reasons(response) == [("Invalid Token", None)]
    assert response.header(b"x-oauth-scopes") == b"unknown"
    assert authority.list("alice") == (other,)


def test_templates(api: Api) -> None:
    """A path is told by its form, so that requests can be counted without what is in their paths."""
    assert api.template("/v4/profile/tokens/12") == "/v4/profile/tokens/{tokenId}"
    assert api.template("/v4beta/profile/tokens") == "/v4/profile/tokens"
    for template in api.templates:
        assert api.template(template.replace("{tokenId}", "12")) == template
    assert api.template("/v4/nothing") is None
