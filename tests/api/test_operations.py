"""Made from the provider document: each of its operations is served as it says, with the scopes that it says."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS30Validator
from tests.api.conftest import Client, reasons

from patql.api.api import NO_SCOPE, Api
from patql.authority.authority import Authority
from patql.authority.model import Issued
from patql.authority.policy import Policy
from patql.catalog.load import builtin_openapi
from patql.kernel.http import Request, Response

DOCUMENT: dict[str, Any] = msgspec.json.decode(builtin_openapi("linode"))
PREFIXES = [server["url"] for server in DOCUMENT["servers"]]
VERBS = ["DELETE", "GET", "PATCH", "POST", "PUT"]


ADMINS = ("/patql/users", "/patql/tokens", "/patql/events")
"""The paths, and what is under them, that are about everybody."""

PARAMETERS = {"{tokenId}": "1", "{eventId}": "2", "{username}": "bob"}
"""What there is before each request; the event is the one of the token."""

BATCHES: dict[str, object] = {
    "POST": {"tokens": [{"label": "ci"}]},
    "PUT": {"tokens": [{"id": 1, "label": "ci"}]},
    "DELETE": {"ids": [1]},
}
"""The bodies of batches."""

BODIES: dict[str, object] = {
    "createUser": {"username": "carol"},
    "updateUser": {"state": "suspended"},
}


class Operation(msgspec.Struct, frozen=True):
    """An operation of the document, under one of its servers' prefixes; `needs` are all the scopes that it needs."""

    prefix: str
    path: str
    verb: str
    needs: tuple[str, ...]
    described: dict[str, Any]

    def send(self, client: Client, verb: str = "") -> Response:
        """The answer to the body's example in the document, with the sender's own scopes, about the token 1."""
        return client.send(
            verb or self.verb, at(self.prefix + self.path), b"" if verb else self.body
        )

    @property
    def body(self) -> object:
        """A body that it takes; bytes without any where it takes none."""
        body = self.described.get("requestBody")
        if body is None:
            return b""
        if self.path == "/patql/batch":
            return BATCHES[self.verb]
        if (own := BODIES.get(self.described["operationId"])) is not None:
            return own
        schema = resolve(body["content"]["application/json"]["schema"])
        properties = schema["properties"].items()
        return {n: p["example"] for n, p in properties if n != "scopes"}

    @property
    def for_admins(self) -> bool:
        """Whether it is about everybody."""
        return self.path.startswith(ADMINS)


def at(path: str) -> str:
    """A path with values in place of its parameters."""
    for name, value in PARAMETERS.items():
        path = path.replace(name, value)
    return path


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a node of the document is, or refers to."""
    found = node
    if "$ref" in node:
        found = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
    return found


def needs(described: dict[str, Any]) -> tuple[str, ...]:
    """The scopes under `security`."""
    return tuple(
        scope
        for alternative in described["security"]
        for scope in alternative.get("oauth", ())
    )


OPERATIONS = [
    Operation(prefix, path, verb.upper(), needs(described), described)
    for prefix in PREFIXES
    for path, item in DOCUMENT["paths"].items()
    for verb, described in item.items()
    if verb.upper() in VERBS
]
each_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda o: f"{o.verb} {o.prefix}{o.path}"
)
each_path = pytest.mark.parametrize(
    "path", [prefix + path for prefix in PREFIXES for path in DOCUMENT["paths"]]
)


@pytest.fixture
def acting(authority: Authority, api: Api, root: Issued) -> Callable[[str], Client]:
    """Makes someone who holds a token of alice's, an admin, with the given scopes; bob is a user, too."""
    assert root.token.id == 1
    authority.add_user("bob")

    def make(scopes: str) -> Client:
        return Client(api, authority.issue("alice", scopes=scopes).secret.reveal())

    return make


def check(operation: Operation, response: Response) -> None:
    """The answer is one that the document describes: its status, its type and its body."""
    told = operation.described["responses"]
    described = resolve(told.get(str(response.status)) or told["default"])
    if "content" not in described:
        assert response.header(b"content-type") is None
        assert response.body == b""
        return
    assert response.header(b"content-type") == b"application/json"
    schema = described["content"]["application/json"]["schema"]
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    OAS30Validator(whole).validate(msgspec.json.decode(response.body))


def test_the_document_is_served_whole() -> None:
    """The table below isn't empty: it has each operation twice, under either prefix."""
    assert PREFIXES == ["/v4", "/v4beta"]
    ids = [operation.described["operationId"] for operation in OPERATIONS]
    half = len(ids) // 2
    assert sorted(ids[:half]) == sorted(ids[half:]) == sorted(
        ["getProfile", "getProfileGrants", "getPersonalAccessTokens",
         "createPersonalAccessToken", "getPersonalAccessToken",
         "updatePersonalAccessToken", "deletePersonalAccessToken",
         "createPersonalAccessTokens", "updatePersonalAccessTokens",
         "deletePersonalAccessTokens", "getEvents", "getEvent",
         "getUsers", "createUser", "getUser", "updateUser", "deleteUser",
         "getTokens", "getToken", "deleteToken", "getAuthorityEvents"]
    )  # fmt: skip


@each_operation
@pytest.mark.parametrize("scopes", ["needed", "*", "and others"])
def test_with_the_scopes_it_works(
    operation: Operation, acting: Callable[[str], Client], scopes: str
) -> None:
    """A token with the scopes that the operation needs, or more, is answered with success, as described."""
    held = " ".join(operation.needs) if scopes != "*" else "*"
    if scopes == "and others":
        held = f"linodes:read_only {held}".strip()
    response = operation.send(acting(held))
    assert response.status in (200, 204), response.body
    check(operation, response)
    accepted = " ".join(operation.needs) or "*"
    assert response.header(b"x-accepted-oauth-scopes") == accepted.encode()
    assert response.header(b"x-oauth-scopes") == held.encode()


def lacking(needed: tuple[str, ...]) -> list[str]:
    """Scopes that come close to what is needed: none, all other categories, a level less, all but one."""
    categories = {scope.partition(":")[0] for scope in needed}
    others = [
        f"{name}:read_write" for name in Policy().levels() if name not in categories
    ]
    less = [
        scope.replace("read_write", "read_only")
        for scope in needed
        if scope.endswith("read_write")
    ]
    return ["", " ".join(others), *less, *(" ".join([*others, one]) for one in less)]


@each_operation
def test_without_the_scopes_it_is_401(
    operation: Operation,
    acting: Callable[[str], Client],
    authority: Authority,
) -> None:
    """A token that lacks a needed scope is told so in Linode's words, with both headers, and nothing happens."""
    for held in lacking(operation.needs) if operation.needs else ():
        client = acting(held)
        before = authority.list("alice"), authority.events()
        for verb in ("", "HEAD") if operation.verb == "GET" else ("",):
            response = operation.send(client, verb)
            assert response.status == 401
            sent = {name: response.header(name) for name in
                    (b"x-accepted-oauth-scopes", b"x-oauth-scopes")}  # fmt: skip
            assert [*sent.values()] == [
                " ".join(operation.needs).encode(),
                held.encode(),
            ]
            if not verb:
                check(operation, response)
                assert reasons(response) == [(NO_SCOPE, None)]
        assert (authority.list("alice"), authority.events()) == before


@each_operation
def test_what_is_about_everybody_needs_the_role(
    operation: Operation, acting: Callable[[str], Client], authority: Authority
) -> None:
    """Every scope that there is makes no admin: it is 403, as described, and nothing happens."""
    nobody = Client(acting("").api, authority.issue("bob").secret.reveal())
    before = authority.events()
    response = operation.send(nobody)
    reads_own = operation.path.startswith("/patql/tokens") and operation.verb == "GET"
    if not operation.for_admins or reads_own:
        assert response.status != 403
        return
    assert response.status == 403
    check(operation, response)
    assert reasons(response) == [("This needs a user with the role admin", None)]
    assert authority.events() == before


def test_operations_without_scopes() -> None:
    """Which operations any token may use is decided, not forgotten: those on the user alone."""
    free = {operation.path for operation in OPERATIONS if not operation.needs}
    assert free == {"/profile", "/profile/grants"}


@each_operation
def test_without_a_token_it_is_401(operation: Operation, client: Client) -> None:
    """Nobody is answered without a good token, nor learns more than what the operation takes."""
    nobody = Client(client.api, "")
    response = operation.send(nobody)
    check(operation, response)
    assert (response.status, reasons(response)) == (401, [("Invalid Token", None)])
    accepted = " ".join(operation.needs) or "*"
    assert response.header(b"x-accepted-oauth-scopes") == accepted.encode()
    assert response.header(b"x-oauth-scopes") == b"unknown"


@each_operation
def test_head_goes_where_get_goes(operation: Operation, client: Client) -> None:
    """HEAD answers with GET's status and headers; where there is no GET it isn't allowed."""
    got, head = operation.send(client, "GET"), operation.send(client, "HEAD")
    assert head.body == b""
    assert head.status == got.status
    if got.status == 405:
        assert head.header(b"allow") == got.header(b"allow")
        return
    extra = [pair for pair in head.headers if pair not in got.headers]
    length = [(b"content-length", b"%d" % len(got.body))]
    assert extra == ([] if got.status == 204 else length)


@each_path
def test_options_and_other_methods(path: str, api: Api) -> None:
    """OPTIONS tells anyone which methods a path takes, and any other method is refused with the same list."""
    path_of_document = path.removeprefix("/v4beta").removeprefix("/v4")
    verbs = {v.upper() for v in DOCUMENT["paths"][path_of_document]} & {*VERBS}
    heads = {"HEAD"} if "GET" in verbs else set[str]()
    allow = ", ".join(sorted({*verbs, *heads, "OPTIONS"})).encode()
    path = at(path)
    preflight = api.handle(Request("OPTIONS", path))
    assert (preflight.status, preflight.header(b"allow")) == (204, allow)
    assert preflight.header(b"access-control-allow-origin") == b"*"
    for verb in set(VERBS) - verbs:
        refused = api.handle(Request(verb, path))
        assert (refused.status, refused.header(b"allow")) == (405, allow)
        check(OPERATIONS[0], refused)
