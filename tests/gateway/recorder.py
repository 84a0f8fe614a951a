"""A real HTTP server that notes what reaches it: the product behind a gateway, or a stand-in for the authority."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Arrived(NamedTuple):
    """A request as it came: its headers in order with names in lower case, and which connection it came on."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass
class Recorder:
    """What has arrived at the port, and what is answered there; with the status 0, nothing: the connection is closed."""

    port: int
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    arrived: list[Arrived] = field(default_factory=list[Arrived])


@contextmanager
def recorder() -> Generator[Recorder]:
    """Such a server on loopback, which answers 200 with an empty body until it is told otherwise."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.recorded = Recorder(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.recorded
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    recorded: Recorder

    def handle_error(self, request: object, client_address: object) -> None:
        """A gateway that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    close_connection: bool

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        recorded = self.server.recorded
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        recorded.arrived.append(
            Arrived(
                self.command,
                self.path,
                headers,
                self._body(),
                self.client_address[1],
            )
        )
        if not recorded.status:
            self.close_connection = True
            return
        self.send_response_only(recorded.status)
        for name, value in recorded.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(recorded.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(recorded.body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""
