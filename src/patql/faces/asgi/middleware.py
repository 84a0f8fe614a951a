"""ASGI middleware that tells a product whose token a request came with."""

from patql.api.authorize import credential
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.faces.asgi.last_used import LastUsed
from patql.faces.asgi.refusals import failure, refuse
from patql.faces.asgi.requirement import KEY, TokenRefusedError, check
from patql.kernel.asgi import Application, Message, Receive, Send
from patql.kernel.errors import PatqlError

_CONNECTIONS = frozenset({"http", "websocket"})


class TokenMiddleware:
    """Verifies the bearer token of each request and WebSocket, and answers those that `requires` refuses.

    `scope["patql"]` has the verdict: Granted, Denied for a token that isn't good, None where there is no bearer token.
    A bad token is refused only where one is required, since it may be somebody else's. Nothing is taken out of the
    request.

    Args:
        app: the application around which it stands, in Starlette, FastAPI or by hand.
        authority: whose tokens are good; it stays the caller's to close.
        needs: scopes that everything inside requires; `""` for any good token, None for what routes require themselves.
    """

    def __init__(
        self, app: Application, authority: Authority, needs: str | None = None
    ) -> None:
        self._app = app
        self._authority = authority
        self._needs = needs
        self._last_used = LastUsed(authority)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a connection on with its verdict, or refuse it."""
        if scope["type"] not in _CONNECTIONS:
            await self._app(scope, self._last_used.until_the_end(receive), send)
            return
        try:
            scope[KEY] = await self._verdict(scope)
        except PatqlError as error:
            await refuse(scope, send, failure(error))
            return
        await self._pass(scope, receive, send)

    async def _verdict(self, scope: Message) -> Granted | Denied | None:
        presented = credential(scope["headers"])
        if presented is None:
            return None
        verdict = await self._authority.verify_async(presented)
        self._last_used.note(verdict, scope)
        return verdict

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if self._needs is not None:
                check(scope, self._needs)
            await self._app(scope, receive, watched)
        except TokenRefusedError as refused:
            if begun:
                raise
            await refuse(scope, send, refused.response)
