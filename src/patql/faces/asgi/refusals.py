"""What a product's client is told where it is refused: JSON in the API's form, with a challenge (RFC 6750, section 3)."""

import logging
import traceback

from patql.api import problems
from patql.kernel.asgi import Message, Send, respond
from patql.kernel.errors import Code, PatqlError, Problem
from patql.kernel.http import Headers, Response
from patql.kernel.secrets import redact

_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1

_log = logging.getLogger("patql")


def refusal(status: int, reason: str, further: Headers | None = None) -> Response:
    """A refusal for one reason, a sentence."""
    body = problems.body([Problem(reason)])
    return Response(status, [*_HEADERS, *(further or ())], body)


def challenge(status: int, reason: str, parameters: str = "") -> Response:
    """A refusal that says which credential would be right.

    Args:
        status: 401 or 403.
        reason: a sentence.
        parameters: of the challenge, such as `error="invalid_token"`.
    """
    told = f"Bearer {parameters}".rstrip().encode("latin-1", "replace")
    return refusal(status, reason, [(b"www-authenticate", told)])


def failure(error: PatqlError) -> Response:
    """What a client is told of an error; one that isn't the client's is logged."""
    status = problems.BY_CODE[error.code]
    if status >= problems.BY_CODE[Code.INTERNAL]:
        report(error)
    told = problems.told(error)
    sent = [*_HEADERS]
    if status == problems.BY_CODE[Code.UNAVAILABLE]:
        sent.append((b"retry-after", problems.RETRY_AFTER))
    return Response(status, sent, problems.body(told))


async def refuse(scope: Message, send: Send, response: Response) -> None:
    """Answer a connection that hasn't been answered, HTTP or WebSocket, with a refusal.

    A server that can't send a response in place of a WebSocket's handshake sends 403 (ASGI 3, "WebSocket").
    """
    if scope["type"] == "http":
        await respond(send, scope["method"], response)
        return
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return

    async def instead(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await respond(instead, "GET", response)


def report(error: Exception) -> None:
    """Log what a client isn't told; of a failure that has a name, its name is enough."""
    if isinstance(error, PatqlError):
        told = f"{error.code}: {error}"
    else:
        told = "".join(traceback.format_exception(error))
    _log.error("%s", redact(told))
