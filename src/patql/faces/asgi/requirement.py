"""What a route of a product requires of the token that a request came with."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from patql.authority.model import Denied, Granted
from patql.authority.scopes import covers
from patql.faces.asgi.refusals import challenge
from patql.kernel.asgi import Message
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

KEY = "patql"
"""Where a connection's scope has the verdict: Granted, Denied, or None where no bearer token was sent."""

WITHOUT = "This needs a token: Authorization: Bearer …"
INVALID = "Invalid Token"


class TokenRefusedError(PatqlError):
    """A request came with no token or a bad one (INVALID_TOKEN), or with one that may not do this (INSUFFICIENT_SCOPE).

    `TokenMiddleware` answers it with `response`, unless the product handles it before that.
    """

    def __init__(self, code: Code, message: str, response: Response) -> None:
        self.response = response
        super().__init__(code, message)


def requires(
    *needs: str,
) -> "Callable[[HTTPConnection], Coroutine[Any, Any, Granted]]":
    """What checks a connection's token: a dependency of FastAPI, and to be awaited with the request in Starlette.

        reads = patql.requires("linodes:read_only")

        @app.get("/servers")                                                        # FastAPI
        def servers(token: Annotated[patql.Granted, Depends(reads)]): ...

        async def servers(request):                                                 # Starlette
            token = await reads(request)

    Args:
        needs: scopes, all of which the token must cover; none: any good token does.

    Returns:
        What takes a request or a WebSocket, and gives what its token allows. It raises TokenRefusedError; and
        PatqlError, USAGE, where no `TokenMiddleware` is around the application.
    """
    from starlette.requests import HTTPConnection

    needed = " ".join(needs)

    async def granted(connection: HTTPConnection) -> Granted:
        return check(connection.scope, needed)

    return granted


def check(scope: Message, needed: str) -> Granted:
    """What a connection's token allows, if that covers what is needed.

    Raises:
        TokenRefusedError: if it doesn't.
        PatqlError: USAGE where no middleware has looked for a token.
    """
    if KEY not in scope:
        raise PatqlError(
            Code.USAGE,
            "a route requires a token, and no TokenMiddleware is around the application",
            hint="app.add_middleware(patql.TokenMiddleware, authority=authority)",
        )
    verdict: Granted | Denied | None = scope[KEY]
    if verdict is None:
        raise _refused(Code.INVALID_TOKEN, WITHOUT)
    if isinstance(verdict, Denied):
        raise _refused(Code.INVALID_TOKEN, INVALID, 'error="invalid_token"')
    if needed and not covers(verdict.scopes, needed):
        parameters = f'error="insufficient_scope", scope="{needed}"'
        reason = f"This needs a token with the scopes {needed}"
        raise _refused(Code.INSUFFICIENT_SCOPE, reason, parameters)
    return verdict


def _refused(code: Code, reason: str, parameters: str = "") -> TokenRefusedError:
    status = 401 if code is Code.INVALID_TOKEN else 403
    return TokenRefusedError(code, reason, challenge(status, reason, parameters))
