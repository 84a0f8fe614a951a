"""The connection: uvicorn's, except that what it refuses by itself is refused as the API does, and heads end.

A head is a request's line and headers. The parser puts one together piece by piece, which takes time that grows with
the square of its length, and does so for anyone: so one that doesn't end is refused while it is short.
"""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from patql.api import headers, problems
from patql.kernel.errors import Problem

HEAD_LIMIT = 64 * 1024
"""How long a head may be, in bytes, beyond the piece that it begins in."""


class Protocol(HttpToolsProtocol):
    """Reads requests from one connection and writes the answers."""

    _in_head = False
    _head = 0

    def data_received(self, data: bytes) -> None:
        """Take a piece of what a client sends."""
        unfinished = self.headers if self._in_head else None
        super().data_received(data)
        if unfinished is None or not self._in_head or unfinished is not self.headers:
            return
        self._head += len(data)
        if self._head > HEAD_LIMIT and not self.transport.is_closing():
            reason = "The request line and headers are too long"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)

    def on_message_begin(self) -> None:
        """A request begins: each has a head of its own, in a list of its own."""
        super().on_message_begin()
        self._in_head = True
        self._head = 0

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        body = problems.body([Problem(reason)])
        sent = [
            *headers.PLAIN,
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 %d %b" % (status, status.phrase.encode())]
        lines += [b"%b: %b" % pair for pair in sent]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()
