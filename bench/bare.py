"""The least that answers HTTP in Python: a hand-written asyncio.Protocol on uvloop and httptools that says one thing.

`python -m bench.bare` prints the port that it listens on.
"""

import asyncio

import httptools
import uvloop

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\ncontent-length: 0\r\nx-auth-user: sender\r\nx-auth-scopes: *\r\n"
    b"x-auth-token-id: 1234567\r\nx-auth-handle: pql_0123456789ab\r\n\r\n"
)


class Bare(asyncio.Protocol):
    """Reads requests with httptools, and looks at none."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has come."""
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer."""
        self.write(ANSWER)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
