"""A server of fixed pages, for measuring clients: `python -m bench.pageserver CORE` prints its port and serves.

Each response is one precomputed write, so that the client is what is measured.
"""

import asyncio
import os
import re
import sys
from typing import cast

import msgspec
import uvloop

PAGES = 400
ROWS = 500
"""Rows a page, as many as Linode sends at most."""

_PAGE = re.compile(rb"[?&]page=(\d+)")


class Pages(asyncio.Protocol):
    """Answers each request with the page that it asks for; the first where it asks for none."""

    responses: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for head in heads:
            page = _PAGE.search(head)
            self._transport.write(self.responses[int(page[1]) - 1 if page else 0])


def response(page: int) -> bytes:
    """The HTTP response with a page of tokens, about 75 KB."""
    first = (page - 1) * ROWS + 1
    body = msgspec.json.encode(
        {
            "data": [_token(number) for number in range(first, first + ROWS)],
            "page": page,
            "pages": PAGES,
            "results": PAGES * ROWS,
        }
    )
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _token(number: int) -> dict[str, object]:
    minute = number % 60
    return {
        "id": number,
        "created": f"2026-01-02T03:{minute:02}:05",
        "expiry": None if number % 3 else f"2027-01-02T03:{minute:02}:05",
        "label": f"token {number}",
        "scopes": "linodes:read_only domains:read_write",
        "token": f"pql_{number:012}",
    }


async def _serve() -> None:
    Pages.responses = [response(page) for page in range(1, PAGES + 1)]
    server = await asyncio.get_running_loop().create_server(Pages, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(_serve())
