"""The token endpoints as an application that a product mounts in its own, behind its own login.

    app.mount("/api", patql.asgi(authority, identify=lambda scope: ("ada", "*")))     /api/v4/profile/tokens and so on

Reads of a local store run on the loop, since they wait for nothing. All else runs in threads.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec.json import encode

from patql.api.api import DOCUMENT, WRITES, Api
from patql.api.authorize import credential
from patql.api.bodies import LIMIT, limit
from patql.api.identity import decide, vouch
from patql.api.routes import PREFIXES
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.faces.asgi import origin
from patql.faces.asgi.last_used import LastUsed
from patql.faces.asgi.refusals import failure, refusal, refuse, report
from patql.kernel.asgi import Message, Receive, Send, read, respond, unread
from patql.kernel.errors import PatqlError
from patql.kernel.http import Request, Response

Identity = tuple[str, str]
"""A username, and the scopes that bound what is done in that user's name, such as `*`."""
Identify = Callable[[Message], Identity | Awaitable[Identity | None] | None]
"""Who a connection's user is, by the product's own login; None for nobody. It takes the connection's scope."""

THREADS = 32
"""How many requests that wait may be under way at once."""
NO_WEBSOCKET = "There are no WebSockets here"


class TokenEndpoints:
    """An ASGI 3 application.

    Args:
        api: what answers; its authority stays the product's to close.
        identify: who asks, where a request has no bearer token; None where a token is always needed.
    """

    def __init__(self, api: Api, identify: Identify | None = None) -> None:
        self._api = api
        self._authority = api.authority
        self._identify = identify
        self._last_used = LastUsed(api.authority)
        self._threads = ThreadPoolExecutor(THREADS, "patql")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(self._last_used.until_the_end(receive), send)
        else:
            await refuse(scope, send, refusal(404, NO_WEBSOCKET))

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        identity = await self._identity(scope)
        path = _path(scope)
        if identity is None and limit(path) > LIMIT:
            stranger = await self._stranger(unread(scope, path))
            if stranger is not None:
                await respond(send, scope["method"], stranger)
                return
        request = await read(scope, receive, path, limit(path))
        if request is None:
            return
        heard: list[Granted | Denied] = []
        answer = partial(self._by_token, request, heard)
        if identity is not None:
            answer = partial(self._by_login, request, identity)
        if request.method in WRITES or not self._authority.inline:
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(self._threads, answer)
        else:
            response = answer()
        for verdict in heard:
            self._last_used.note(verdict, scope)
        if path == DOCUMENT:
            response = _placed(response, scope)
        await respond(send, request.method, response)

    async def _identity(self, scope: Message) -> Identity | None:
        """Who asks by the product's login: nobody where there is a token, which counts alone."""
        if self._identify is None or credential(scope["headers"]) is not None:
            return None
        found = self._identify(scope)
        return await found if inspect.isawaitable(found) else found

    async def _stranger(self, request: Request) -> Response | None:
        """The answer to a request whose token is refused, before its body is read; None for any other."""
        asked = self._api.asks(request)
        if asked is None:
            return None
        verify = partial(self._authority.verify, *asked)
        try:
            if self._authority.inline:
                verdict = verify()
            else:
                loop = asyncio.get_running_loop()
                verdict = await loop.run_in_executor(self._threads, verify)
        except Exception:  # noqa: BLE001  (whatever it is, it is told when the whole request is answered)
            return None
        if isinstance(verdict, Granted):
            return None
        return self._api.handle(request, report, lambda _secret, _needs: verdict)

    def _by_token(self, request: Request, heard: list[Granted | Denied]) -> Response:
        """The answer to whoever has a token, or nothing; verdicts are added to `heard`."""

        def verify(secret: bytes, needs: Sequence[str]) -> Granted | Denied:
            verdict = self._authority.verify(secret, needs)
            heard.append(verdict)
            return verdict

        return self._api.handle(request, report, verify)

    def _by_login(self, request: Request, identity: Identity) -> Response:
        """The answer to a user for whom the product vouches."""
        try:
            if request.method in WRITES:
                origin.check(request)
            granted = vouch(self._authority, *identity)
        except PatqlError as error:
            return failure(error)
        verify = partial(self._verdict, granted)
        return _private(self._api.handle(request, report, verify))

    def _verdict(
        self, vouched: Granted, secret: bytes, needs: Sequence[str]
    ) -> Granted | Denied:
        if secret:  # of the body, as of one that is handed in to be revoked
            return self._authority.verify(secret, needs)
        return decide(vouched, needs)


def asgi(authority: Authority, identify: Identify | None = None) -> TokenEndpoints:
    """The token endpoints of an authority, to be mounted in an ASGI application: Linode's API v4, under `/v4`.

    Args:
        authority: whose tokens they are; it stays the caller's to close.
        identify: tells who asks, by the product's own login, where a request has no bearer token: the username and the
            scopes that bound what that user does, or None for nobody. A function or a coroutine function of the
            connection's scope. Changes are taken from the product's own pages alone, and as `application/json`.
    """
    from patql.compose.product import product_api

    return TokenEndpoints(product_api(authority), identify)


def _private(response: Response) -> Response:
    """The same, not for pages of other origins: a login isn't always a cookie, which they would be denied anyway."""
    kept = [
        pair for pair in response.headers if not pair[0].startswith(b"access-control-")
    ]
    return Response(response.status, kept, response.body)


def _placed(document: Response, scope: Message) -> Response:
    """The document with the paths of its servers as they are from outside (OpenAPI 3.0.3, "Server Object")."""
    root: str = scope.get("root_path", "").rstrip("/")
    body = document.body
    for prefix in PREFIXES:
        here, there = (encode({"url": path}) for path in (prefix, root + prefix))
        body = body.replace(here, there, 1)
    return Response(document.status, document.headers, body)


def _path(scope: Message) -> str:
    """The path below the mount point; `root_path` is a part of `path` by ASGI 3, and some frameworks cut it off."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(f"{root}/"):
        return path[len(root) :]
    return path


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
