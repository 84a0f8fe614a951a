"""Tokens on a product's own routes, in FastAPI, in Starlette and by hand: the answers are the same in each."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.faces.asgi.conftest import Client, connection, talk

import patql
from patql import Authority
from patql.faces.asgi import requirement
from patql.kernel.asgi import Application, Message, Receive, Send, respond
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response as Plain

READS = "linodes:read_only"
NONE: Message = {}
DENIAL: Message = {"websocket.http.response": {}}

reads = patql.requires(READS)
Reads = Annotated[patql.Granted, Depends(reads)]


def fastapi(authority: Authority) -> Application:
    """A route with the dependency."""
    app = FastAPI()
    app.add_middleware(patql.TokenMiddleware, authority=authority)

    @app.get("/servers")
    def servers(token: Reads) -> dict[str, str]:
        return {"user": token.user}

    @app.websocket("/live")
    async def live(websocket: WebSocket, token: Reads) -> None:
        await websocket.accept()
        await websocket.send_text(token.user)
        await websocket.close()

    return app


def fastapi_router(authority: Authority) -> Application:
    """A router whose every route has it, which then look at the scope."""
    app, router = FastAPI(), APIRouter(dependencies=[Depends(reads)])

    @router.get("/servers")
    def servers(request: Request) -> dict[str, str]:
        return {"user": request.scope["patql"].user}

    app.include_router(router)
    app.add_middleware(patql.TokenMiddleware, authority=authority)
    return app


async def servers(request: Request) -> Response:
    """Starlette's way: the check is awaited."""
    token = await reads(request)
    return JSONResponse({"user": token.user})


async def live(websocket: WebSocket) -> None:
    """The same for a WebSocket."""
    token = await reads(websocket)
    await websocket.accept()
    await websocket.send_text(token.user)
    await websocket.close()


async def unchecked(request: Request) -> Response:
    """What is behind a middleware that checks."""
    return JSONResponse({"user": request.scope["patql"].user})


def starlette(authority: Authority) -> Application:
    """Around all routes, of which some require."""
    return Starlette(
        routes=[Route("/servers", servers), WebSocketRoute("/live", live)],
        middleware=[Middleware(patql.TokenMiddleware, authority)],
    )


def starlette_route(authority: Authority) -> Application:
    """Around one route, which doesn't check by itself."""
    guard = Middleware(patql.TokenMiddleware, authority, READS)
    return Starlette(routes=[Route("/servers", unchecked, middleware=[guard])])


def between(authority: Authority) -> Application:
    """With middleware of another kind between, which errors have to pass."""

    class Other(BaseHTTPMiddleware):
        async def dispatch(
            self, request: Request, call_next: RequestResponseEndpoint
        ) -> Response:
            return await call_next(request)

    return Starlette(
        routes=[Route("/servers", servers)],
        middleware=[Middleware(patql.TokenMiddleware, authority), Middleware(Other)],
    )


def by_hand(authority: Authority) -> Application:
    """Without any framework."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        body = b'{"user":"%b"}' % scope["patql"].user.encode()
        await respond(send, scope["method"], Plain(200, [], body))

    return patql.TokenMiddleware(app, authority, READS)


WAYS = [fastapi, fastapi_router, starlette, starlette_route, between, by_hand]
WEBSOCKETS = [fastapi, starlette]


@pytest.fixture(params=WAYS)
def client(request: pytest.FixtureRequest, authority: Authority) -> Client:
    """A client of a product that requires a scope in one of these ways."""
    return Client(request.param(authority))


@pytest.mark.parametrize("scopes", [READS, "linodes:read_write", "*"])
def test_a_good_token(client: Client, token: Callable[..., str], scopes: str) -> None:
    """A token whose scopes cover the route's passes, and the route knows whose it is."""
    answer = client.get("/servers", authorization=f"Bearer {token(scopes)}")
    assert (answer.status, answer.json) == (200, {"user": "ada"})


INVALID = 'Bearer error="invalid_token"'


def test_no_token(client: Client) -> None:
    """Without a token there is a challenge that says no more (RFC 6750, section 3.1)."""
    for sent in ({}, {"authorization": "Basic YWRhOmFkYQ=="}):
        answer = client.get("/servers", **sent)
        assert (answer.status, answer.reason) == (401, requirement.WITHOUT)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/json"


def test_bad_tokens(
    client: Client,
    authority: Authority,
    clock: ManualClock,
    token: Callable[..., str],
) -> None:
    """Revoked, expired, mistyped or somebody else's: one answer, from the next request on."""
    revoked = token()
    (kept,) = authority.list("ada")
    authority.revoke("ada", kept.id)
    soon = int(clock.now()) + 60
    expired = authority.issue("ada", expiry=soon).secret.reveal()
    clock.advance(60)
    for secret in (revoked, expired, revoked[:-1] + "x", "eyJhbGciOi.J9.x", ""):
        answer = client.get("/servers", authorization=f"Bearer {secret}")
        assert (answer.status, answer.reason) == (401, requirement.INVALID)
        assert answer.headers["www-authenticate"] == INVALID


@pytest.mark.parametrize("scopes", ["", "domains:read_write"])
def test_narrow_scopes(client: Client, token: Callable[..., str], scopes: str) -> None:
    """A good token without the scopes is told which it would take."""
    answer = client.get("/servers", authorization=f"Bearer {token(scopes)}")
    assert answer.status == 403
    assert READS in answer.reason
    assert (
        answer.headers["www-authenticate"]
        == f'Bearer error="insufficient_scope", scope="{READS}"'
    )


@pytest.mark.parametrize("way", WEBSOCKETS)
def test_websockets(
    authority: Authority,
    token: Callable[..., str],
    way: Callable[[Authority], Application],
) -> None:
    """A WebSocket is accepted for a good token, and refused before it opens otherwise."""
    app = way(authority)

    def sent(authorization: str, extensions: Message) -> list[Message]:
        scope = connection("websocket", "/live", {"authorization": authorization})
        scope.update(subprotocols=[], extensions=extensions)
        return talk(app, scope, {"type": "websocket.connect"})

    accept, text, _ = sent(f"Bearer {token()}", NONE)
    assert (accept["type"], text["text"]) == ("websocket.accept", "ada")
    (close,) = sent(f"Bearer {token('')}", NONE)
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    start, body = sent(f"Bearer {token('')}", DENIAL)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert body["type"] == "websocket.http.response.body"


@pytest.mark.parametrize(
    ("scopes", "needs", "status"),
    [
        (f"{READS} domains:read_write", (READS, "domains:read_only"), 204),
        (f"{READS} domains:read_write", (READS, "events:read_only"), 403),
        ("", (), 204),
    ],
)
def test_several_scopes(
    authority: Authority,
    token: Callable[..., str],
    scopes: str,
    needs: tuple[str, ...],
    status: int,
) -> None:
    """All that are required must be covered; where none are, any good token does."""

    async def app(scope: Message, _receive: Receive, send: Send) -> None:
        await patql.requires(*needs)(Request(scope))
        await respond(send, "GET", Plain(204, []))

    client = Client(patql.TokenMiddleware(app, authority))
    answer = client.get("/", authorization=f"Bearer {token(scopes)}")
    assert answer.status == status


def test_the_verdict_is_there(authority: Authority, token: Callable[..., str]) -> None:
    """Where nothing is required everyone passes, and a product can look at the verdict itself; headers stay."""
    seen: list[tuple[object, object]] = []

    async def app(scope: Message, _receive: Receive, send: Send) -> None:
        sent = dict(scope["headers"]).get(b"authorization")
        seen.append((scope["patql"], sent))
        await respond(send, "GET", Plain(204, []))

    client = Client(patql.TokenMiddleware(app, authority))
    good = f"Bearer {token()}"
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": good}):
        assert client.get("/", **headers).status == 204
    (none, _), (denied, _), (granted, sent) = seen
    assert none is None
    assert isinstance(denied, patql.Denied)
    assert isinstance(granted, patql.Granted)
    assert granted.user == "ada"
    assert sent == good.encode()


def test_other_connections_pass(authority: Authority) -> None:
    """What is no request, such as the server's life, is none of its business."""
    sent = talk(
        patql.TokenMiddleware(Starlette(), authority, READS),
        {"type": "lifespan", "asgi": {"version": "3.0"}},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert sent[-1]["type"] == "lifespan.shutdown.complete"


def test_a_product_answers_by_itself(authority: Authority) -> None:
    """A product that has a form of its own for errors handles this one as any other."""

    def told(_request: Request, error: Exception) -> Response:
        assert isinstance(error, patql.TokenRefusedError)
        return JSONResponse({"detail": str(error)}, error.response.status)

    app = Starlette(
        routes=[Route("/servers", servers)],
        middleware=[Middleware(patql.TokenMiddleware, authority)],
        exception_handlers={patql.PatqlError: told},
    )
    answer = Client(app).get("/servers")
    assert (answer.status, answer.json) == (401, {"detail": requirement.WITHOUT})


def test_without_middleware(authority: Authority) -> None:
    """A route that requires a token where nobody has looked for one serves nobody, and says what is missing."""
    app = Starlette(routes=[Route("/servers", servers)])
    with pytest.raises(PatqlError, match="no TokenMiddleware") as raised:
        Client(app).get("/servers")
    assert raised.value.code is Code.USAGE


def test_too_late(authority: Authority) -> None:
    """A route that checks only after it has begun to answer breaks off."""

    async def app(scope: Message, _receive: Receive, send: Send) -> None:
        await respond(send, scope["method"], Plain(200, [], b"secret"))
        await reads(Request(scope))

    with pytest.raises(patql.TokenRefusedError):
        Client(patql.TokenMiddleware(app, authority)).get("/")


def test_a_broken_store(
    client: Client,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where tokens can't be verified nobody passes, and the client is told to come again."""

    async def fail(_secret: bytes) -> None:
        raise PatqlError(Code.UNAVAILABLE, "disk full")

    monkeypatch.setattr(authority, "verify_async", fail)
    answer = client.get("/servers", authorization="Bearer x")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "disk" not in answer.reason
    assert "unavailable: disk full" in caplog.text
