"""The connection: uvicorn's, but for four things.

What it refuses by itself is refused as the API does, and heads end. A head is a request's line and headers. The parser
puts one together piece by piece, which takes time that grows with the square of its length, and does so for anyone: so one
that doesn't end is refused while it is short.

`/authorize` is answered where its request has been read, in the parser's own callback, with one write: no task, no scope,
no events. Whatever is odd about a request (a body, others that wait, a client that reads too slowly) is left to uvicorn
and the application, which answer the same.

So is a request that changes one thing: it is handed to the thread that writes as soon as it has been read, and answered
with one write. What its client sends meanwhile waits.

A worker that is told to go goes on listening to the connections that it has for a moment: a client may have sent a request
before it could know.
"""

# pyright: reportUnnecessaryComparison=false, reportOptionalMemberAccess=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (uvicorn declares what is None before the first request, and after the last, as if it never were)

import asyncio
import socket
from http import HTTPStatus
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from patql.api import authorize, bodies, headers, problems
from patql.api.api import WRITES
from patql.api.routes import PREFIXES
from patql.authority import tokens
from patql.faces.http.app import HSTS, App
from patql.faces.http.change import Change
from patql.faces.http.gate import Question
from patql.faces.http.proxies import UNIX
from patql.faces.http.recent import Recent
from patql.faces.http.visit import Visit
from patql.kernel.errors import Problem
from patql.kernel.http import Headers, Response

HEAD_LIMIT = 64 * 1024
"""How long a head may be, in bytes, beyond the piece that it begins in."""
LINGER = 1.0
"""How long a connection may still bring a request once its worker is to go, in seconds."""

_HSTS = b"%b: %b\r\n" % HSTS
_CLOSE = b"connection: close\r\n\r\n"
_END = b"\r\n"
_END_OF_HEAD = b"\r\n\r\n"
_VERSIONED = tuple(f"{prefix}/".encode() for prefix in PREFIXES)


class Protocol(HttpToolsProtocol):
    """Reads requests from one connection and writes the answers."""

    _in_head = False
    _head = 0
    _is_quick = False
    _target: tuple[str, str, str] | None = None
    _body = b""
    _change: Change | None = None
    _stays = False
    _visit: Visit | None = None
    _held = b""
    _is_at_rest = True
    _begun = 0
    _asked: Question | None = None
    _is_leaving = False
    _answered = 0.0
    _idle: asyncio.TimerHandle | None = None
    _peer: str | None = None
    _stranger: str | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app = cast("object", config.loaded_app)
        self._site = app if isinstance(app, App) else None
        self._desk = app.desk if isinstance(app, App) else None
        self._gate = app.gate if isinstance(app, App) and app.inline else None
        self._recall = (self._gate.recent if self._gate else Recent[Question]()).recall

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come: a proxy of ours, or a stranger, whose address is its own whatever it says."""
        super().connection_made(cast("asyncio.Transport", transport))
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            self.client = (UNIX, 0)
        self._peer = self.client and self.client[0]
        if self._desk is not None and not self._desk.is_proxy(self._peer):
            self._stranger = self._desk.client(self._peer, [])

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        super().connection_lost(exc)
        if self._idle is not None:
            self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        """Take a piece of what a client sends."""
        if self._visit is not None:
            self._held += data
            self.flow.pause_reading()
            return
        if self._is_at_rest:
            question = self._recall(data)
            if question is not None and self._is_listening():
                self._reply(question, keeps=True)
                return
            self._take_from_the_beginning(data)
        elif self._in_head:
            self._take_more_of_a_head(data)
        else:
            super().data_received(data)
        if self._change is not None:
            change, body = self._change, self._body
            self._change, self._body = None, b""
            self._enter(change, body)

    def on_message_begin(self) -> None:
        """A request begins: each has a head of its own, in a list of its own."""
        if self._change is not None:  # and came with one that was to be answered before
            self._leave_to_application()
            super().on_message_complete()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._head = 0
        self._is_quick = False
        self._is_at_rest = False
        self._asked = None
        self._begun += 1

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        self._in_head = False
        if self._is_plain():
            if authorize.is_meant(self.url):
                self._is_quick = True
                return
            self._target = self._as_target()
            if self._target is not None:
                return
        self._leave_to_application()

    def on_body(self, body: bytes) -> None:
        """It has a body, of which this is a piece."""
        if self._target is not None:
            self._body += body
            if len(self._body) <= bodies.LIMIT:
                return
            self._leave_to_application()
            return
        if self._is_quick:
            self._is_quick = False
            self._leave_to_application()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It has ended."""
        if self._is_quick:
            self._answer()
        elif self._target is not None:
            target, sent = self._target, self.headers
            self._target = None
            secret, keeps = authorize.credential(sent), self._keeps(sent)
            presented = tokens.parse(secret or b"")
            length = len(self._body)
            self._change = Change(*target, sent, secret, presented, length, keeps)
        else:
            super().on_message_complete()

    def shutdown(self) -> None:
        """The worker is to go: what is under way is finished, and what may be on its way already is waited for."""
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
            return
        self._is_leaving = True
        self.loop.call_later(LINGER, self._leave)

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _is_plain(self) -> bool:
        """Whether nothing comes before the request, and nothing but its end after its head."""
        cycle = self.cycle
        return (
            self._gate is not None
            and (cycle is None or cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
        )

    def _as_target(self) -> tuple[str, str, str] | None:
        """The method, path and query of a request that changes one thing; None for any other."""
        method = self.parser.get_method().decode("ascii")
        if method not in WRITES or not self.url.startswith(_VERSIONED):
            return None
        path, _, query = self.url.decode("latin-1").partition("?")
        if not path.isascii() or "%" in path or bodies.limit(path) > bodies.LIMIT:
            return None
        return method, path, query

    def _leave_to_application(self) -> None:
        """Let uvicorn take the request from where it begins, with what has come of its body."""
        url, sent, expects = self.url, self.headers, self.expect_100_continue
        body, self._body, self._target = self._body, b"", None
        super().on_message_begin()
        self.url = url.replace(b"#", b"%23")  # nobody sends fragments (RFC 9112, 3.2)
        self.headers.extend(sent)
        self.expect_100_continue = expects
        super().on_headers_complete()
        if self.cycle is not None:
            if self._change is not None:  # the parser is at the next one
                self.cycle.keep_alive = self._change.stays
                self._change = None
            if self._is_leaving:
                self.cycle.keep_alive = False
        if body:
            super().on_body(body)

    def _enter(self, change: Change, body: bytes) -> None:
        """A request that changes something has come, whole and alone."""
        desk, site = self._desk, self._site
        if desk is None or site is None or self.transport.is_closing():
            return
        client = self._stranger or desk.client(self._peer, change.headers)
        self._stays = change.stays
        self._visit, refusal = site.enter(
            change.request(body), client, change.secret, change.presented
        )
        if refusal is None:
            site.write(self._visit, self._deliver)
        else:
            self._deliver(refusal)

    def _deliver(self, response: Response) -> None:
        visit, self._visit = self._visit, None
        site, transport = self._site, self.transport
        if visit is None or site is None:
            return
        if not transport.is_closing():
            head = site.heads.of(response, self.server_state.default_headers)
            keeps = self._stays and not self._is_leaving
            self._send(head, response.body, keeps=keeps)
            self._is_at_rest = keeps
        site.note(visit, response)
        if self._held and not transport.is_closing():
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(held)

    def _take_from_the_beginning(self, data: bytes) -> None:
        """Take what begins with a request, whose head may have been read before."""
        gate, site = self._gate, self._site
        if gate is None or site is None:
            super().data_received(data)
            return
        end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        change = site.changes.recall(data[:end])
        is_whole = change is not None and change.length == len(data) - end
        if change is not None and is_whole and self._is_listening():
            self._enter(change, data[end:])
            return
        self._begun = 0
        super().data_received(data)
        if self._begun == 1 and self._asked is not None:
            gate.recent.keep(data, self._asked)
        elif self._begun == 1 and self._change is not None:
            site.changes.keep(data.removesuffix(self._body), self._change)

    def _is_listening(self) -> bool:
        """Whether a request is answered here, and the connection then stays."""
        return not (
            self._is_leaving or self.flow.write_paused or self.transport.is_closing()
        )

    def _take_more_of_a_head(self, data: bytes) -> None:
        unfinished = self.headers
        super().data_received(data)
        if not self._in_head or unfinished is not self.headers:
            return
        self._head += len(data)
        if self._head > HEAD_LIMIT and not self.transport.is_closing():
            reason = "The request line and headers are too long"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)

    def _answer(self) -> None:
        if self._gate is None or self.transport.is_closing():
            return
        sent = self.headers
        method = self.parser.get_method().decode("ascii")
        question = self._gate.read(self.url, sent, method)
        keeps = self._keeps(sent)
        self._reply(question, keeps=keeps)
        if keeps:
            self._is_at_rest = True
            self._asked = question

    def _reply(self, question: Question, *, keeps: bool) -> None:
        gate, desk = self._gate, self._desk
        if gate is None or desk is None:
            return
        client = self._stranger or desk.client(self._peer, question.headers)
        answer = gate.answer(question, client)
        head = gate.head(answer.status, self.server_state.default_headers)
        self._send(head + answer.lines, keeps=keeps)

    def _send(self, head: bytes, body: bytes = b"", *, keeps: bool) -> None:
        if self.scheme == "https":
            head += _HSTS
        if not keeps:
            self.transport.write(head + _CLOSE + body)
            self.transport.close()
            return
        self.transport.write(head + _END + body)
        self._answered = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _keeps(self, sent: Headers) -> bool:
        """Whether the connection stays: as uvicorn has it, never one of HTTP 1.0, even if that asks for it."""
        if self._is_leaving or not self.parser.should_keep_alive():
            return False
        for name, _ in sent:
            if name == b"connection":
                return self.parser.get_http_version() != "1.0"
        return True

    def _look(self) -> None:
        """Close the connection if it has been idle for as long as one may be; else look again when it might have."""
        self._idle = None
        if self.transport.is_closing():
            return
        quiet = self.loop.time() - self._answered
        is_busy = (
            self._in_head
            or self._target is not None
            or self._visit is not None
            or (self.cycle is not None and not self.cycle.response_complete)
        )
        left = self.timeout_keep_alive if is_busy else self.timeout_keep_alive - quiet
        if left <= 0:
            if self.timeout_keep_alive_task is None:
                self.transport.close()
            return
        self._idle = self.loop.call_later(left, self._look)

    def _leave(self) -> None:
        """Close the connection, unless it has brought something that is under way."""
        if self._visit is not None or self._target is not None:
            return  # its answer will close it
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

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
