"""HTTP messages in the form in which ASGI servers give and take them (ASGI 3, "HTTP & WebSocket")."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from patql.kernel.http import Headers, Request, Response

Message = MutableMapping[str, Any]
"""An event, or the scope of a connection."""
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_BODIED = frozenset({"POST", "PUT", "DELETE"})


async def read(
    scope: Message, receive: Receive, path: str, longest: int
) -> Request | None:
    """A request with its body; None where the client has gone.

    Args:
        scope: the connection's, of type `http`.
        receive: the connection's.
        path: what the request is said to ask for.
        longest: how much of a body is read, in bytes; of a longer one, as much as shows that it is.
    """
    method: str = scope["method"]
    body = await _body(receive, longest) if method in _BODIED else b""
    return None if body is None else unread(scope, path, body)


def unread(scope: Message, path: str, body: bytes = b"") -> Request:
    """A request of whose body that much has been read."""
    query = scope["query_string"].decode("latin-1")
    return Request(scope["method"], path, query, scope["headers"], body)


async def respond(
    send: Send, method: str, response: Response, further: Headers | None = None
) -> None:
    """Send a response, with its length, and with further headers."""
    headers = [*response.headers, *(further or ())]
    if response.status != 204 and method != "HEAD":
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": headers,
        }
    )
    await send({"type": "http.response.body", "body": response.body})


async def _body(receive: Receive, longest: int) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > longest or not message.get("more_body", False):
            return bytes(body)
