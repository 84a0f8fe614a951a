"""A server of made-up rows, for measuring clients: it prints its port and serves.

`python -m bench.pageserver CORE PAGES LATENCY [own]`: the core to run on, pages of 500 tokens, and milliseconds from a
request to its answer, 0 for none. With `own` lists have a version, as those of a PatQL server have.

    GET    /v4/profile/tokens          a page of tokens
    GET    /v4/profile/tokens/ID       one of them
    DELETE /v4/profile/tokens/ID       says that it was done, and leaves it there
    GET    /v4/groups                  a page of groups, of which there are 1,000
    GET    /v4/groups/ID/members       five members of one
    GET    /requests                   how many requests came since this was last asked

Answers that are asked for often are made once, and each is one write, so that the client is what is measured.
"""

import asyncio
import os
import re
import selectors
import sys
from functools import lru_cache, partial
from typing import cast

import msgspec
import uvloop

PAGES = 400
ROWS = 500
"""Rows a page, as many as Linode sends at most."""
GROUPS = 1_000
MEMBERS = 5
"""Rows of each group."""

_ROUTES = re.compile(
    rb"(?P<verb>\w+) (?:/v4/profile/(?P<tokens>tokens)(?:/(?P<token>\d+))?"
    rb"|/v4/(?P<groups>groups)(?:/(?P<group>\d+)/members)?|/(?P<requests>requests))\?? ?"
)
_PAGE = re.compile(rb"[?&]page=(\d+)")
_SIZE = re.compile(rb"[?&]page_size=(\d+)")


class Rows(asyncio.Protocol):
    """Answers each request after the latency.

    Attributes:
        pages: how many pages of tokens there are.
        latency: seconds.
        head: further headers of each answer.
        count: requests so far.
    """

    pages = PAGES
    latency = 0.0
    head = ""
    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for head in heads:
            write = partial(self._transport.write, _answer(head))
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, write)
            else:
                write()


def _answer(head: bytes) -> bytes:
    route = _ROUTES.match(head)
    if route is None:
        raise ValueError(head)
    if route["requests"]:
        count, Rows.count = Rows.count, 0
        return _response(count)
    Rows.count += 1
    if route["verb"] == b"DELETE":
        return _response({})
    if route["group"]:
        return _members(int(route["group"]))
    if route["token"]:
        return _response(_token(int(route["token"])))
    page, size = _PAGE.search(head), _SIZE.search(head)
    return _page(
        int(page[1]) if page else 1,
        int(size[1]) if size else ROWS,
        groups=bool(route["groups"]),
    )


@lru_cache(maxsize=PAGES)
def _page(page: int, size: int, *, groups: bool) -> bytes:
    """A page of a list; 500 tokens are about 75 KB."""
    results = GROUPS if groups else Rows.pages * ROWS
    row = _group if groups else _token
    first = (page - 1) * size + 1
    last = min(first + size - 1, results)
    return _response(
        {
            "data": [row(number) for number in range(first, last + 1)],
            "page": page,
            "pages": -(-results // size),
            "results": results,
        }
    )


@lru_cache(maxsize=GROUPS)
def _members(group: int) -> bytes:
    rows = [
        {"id": group * 10 + n, "name": f"member {n} of {group}", "admin": n == 0}
        for n in range(MEMBERS)
    ]
    return _response({"data": rows})


def _group(number: int) -> dict[str, object]:
    return {"id": number, "name": f"group {number}"}


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


def _response(content: object) -> bytes:
    body = msgspec.json.encode(content)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{Rows.head}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Rows, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _exact() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    core, pages, latency, *own = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    Rows.pages = int(pages)
    Rows.latency = float(latency) / 1000
    Rows.head = "x-patql-list-version: 1\r\n" if own else ""
    if (
        Rows.latency
    ):  # select's timeouts are exact, where other loops' timers tell milliseconds
        runner = asyncio.Runner(loop_factory=_exact)
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(_serve())
