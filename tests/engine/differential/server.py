"""The random resources over HTTP on loopback: one server for the whole run, each world under a base URL of its own."""

import json
import re
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import uvicorn
from tests.engine.differential.filters import Filter, RefusedError, Row
from tests.engine.differential.world import NEVER, VERSION, Table, World, kind

from patql.catalog.document import Cursor, Method, Paging

Answer = tuple[int, list[tuple[str, str]], Any]
Sent = Callable[[dict[str, Any]], Awaitable[None]]

_OFTEN = 90
"""A restless list changes once in so many requests."""

_BUSY = 20
"""At which of these requests the server asks to be asked again."""


class Server:
    """Answers for every world that was opened."""

    def __init__(self) -> None:
        self._worlds: dict[str, Served] = {}
        self.port = 0

    def open(self, world: World) -> str:
        """The base URL under which a world is served from now on, until it is closed."""
        base = f"http://127.0.0.1:{self.port}/w{world.seed}/v4"
        self._worlds[f"w{world.seed}"] = Served(world, base)
        return base

    def close(self, world: World) -> None:
        """Forget a world."""
        del self._worlds[f"w{world.seed}"]

    async def __call__(
        self, scope: dict[str, Any], _receive: object, send: Sent
    ) -> None:
        """One request (ASGI)."""
        _, name, _v4, *segments = scope["raw_path"].decode("ascii").split("/")
        query = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True)
        headers = dict(scope["headers"])
        path = tuple(map(unquote, segments))
        status, extra, content = self._worlds[name].answer(path, dict(query), headers)
        told = [("content-type", "application/json"), *extra]
        raw = [(key.encode(), value.encode()) for key, value in told]
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def serving() -> Generator[Server]:
    """A server in a thread of its own."""
    server = Server()
    # With its protocol named, since asyncio sets TCP_NODELAY on none but those.
    tcp = socket.IPPROTO_TCP
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, tcp)
    listening.bind(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    config = uvicorn.Config(
        server,
        log_config=None,
        lifespan="off",
        ws="none",
        http="httptools",
        loop="asyncio",
        h11_max_incomplete_event_size=65_536,
    )
    running = uvicorn.Server(config)
    thread = Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        running.should_exit = True
        thread.join()
        listening.close()


class Served:
    """A world as its server answers for it."""

    def __init__(self, world: World, base: str) -> None:
        self._lists = [
            _Listing(table, method, base)
            for table in world.tables
            for method in table.resource.methods
        ]

    def answer(
        self, path: tuple[str, ...], query: dict[str, str], headers: dict[bytes, bytes]
    ) -> Answer:
        """What is sent for a GET of a path, decoded segment by segment."""
        for listing in self._lists:
            if (values := listing.match(path)) is not None:
                try:
                    return listing.answer(values, query, headers)
                except RefusedError as error:
                    return 400, [], {"errors": [{"reason": str(error)}]}
        return 404, [], {"errors": [{"reason": f"Unknown path {path}"}]}


class _Listing:
    """One method of a resource."""

    def __init__(self, table: Table, method: Method, base: str) -> None:
        self._table = table
        self._method = method
        self._url = base + method.path
        self._template = tuple(method.path.strip("/").split("/"))
        self._asked = 0
        self._keys = [p.name for p in method.parameters if p.key_column]
        selecting = [*table.required, *([table.optional] if table.optional else [])]
        self._selecting = {table.key, *(p.name for p in selecting)}

    def match(self, path: tuple[str, ...]) -> dict[str, str] | None:
        """The parameters in a path, None where it is another method's."""
        if len(path) != len(self._template):
            return None
        values: dict[str, str] = {}
        for part, segment in zip(self._template, path, strict=True):
            if part.startswith("{"):
                values[part[1:-1]] = segment
            elif part != segment:
                return None
        return values

    def answer(
        self,
        values: dict[str, str],
        query: dict[str, str],
        headers: dict[bytes, bytes],
    ) -> Answer:
        """The page that is asked for.

        Raises:
            RefusedError: the request is wrong.
        """
        for name, value in query.items():
            follows = self._method.cursor is not None and name == "cursor"
            if self._method.parameter(name) is None and not follows:
                raise RefusedError(f"there is no parameter {name}")
            values[name] = value
        for parameter in self._method.parameters:
            if parameter.required and parameter.name not in values:
                raise RefusedError(f"{parameter.name} is missing")
        rows = self._selected(values)
        if self._keys:
            missing: Answer = 404, [], {"errors": [{"reason": "Not found"}]}
            return (200, [], self._wire(rows[0])) if rows else missing
        if header := headers.get(b"x-filter"):
            if self._method.parameter("X-Filter") is None:
                raise RefusedError("there is no header X-Filter")
            ours = self._table.serving.ours
            rows = Filter(header, self._filterable(), ours=ours).rows(rows)
        self._asked += 1
        if self._asked % _OFTEN == _BUSY:
            return 429, [("retry-after", "0")], {"errors": [{"reason": "Busy"}]}
        if self._method.paging:
            return self._numbered(self._method.paging, rows, values)
        if self._method.cursor:
            return self._from_cursor(self._method.cursor, rows, values, headers)
        if self._table.name == "me":
            return 200, [], self._wire(rows[0])
        return 200, [], self._envelope(rows, {})

    def _selected(self, values: dict[str, str]) -> list[Row]:
        """The rows of the parameters' values; of a value that nothing has, none."""
        wanted: dict[str, Any] = {}
        for parameter in self._method.parameters:
            name = parameter.key_column or parameter.name
            if parameter.name not in values or name not in self._selecting:
                continue
            text = values[parameter.name]
            if parameter.type == "integer":
                if not re.fullmatch(r"-?\d+", text):
                    raise RefusedError(f"{parameter.name} is a whole number")
                wanted[name] = int(text)
            else:
                wanted[name] = text
        return [
            row
            for row in self._table.rows
            if all(row[name] == value for name, value in wanted.items())
        ]

    def _filterable(self) -> dict[str, str]:
        ours = self._table.serving.ours
        return {
            c.name: kind(c)
            for c in self._table.columns
            if c.filterable or (ours and c.filterable_extension)
        }

    def _size(self, values: dict[str, str]) -> int:
        size = int(values.get("page_size", self._table.serving.size))
        if not 1 <= size <= self._table.serving.size:
            raise RefusedError(f"page_size is at most {self._table.serving.size}")
        return size

    def _numbered(
        self, paging: Paging, rows: list[Row], values: dict[str, str]
    ) -> Answer:
        serving = self._table.serving
        size, number = self._size(values), int(values.get("page", "1"))
        pages = max(1, -(-len(rows) // size))
        if not 1 <= number <= pages:
            return 404, [], {"errors": [{"reason": "Not found"}]}
        start = (number - 1) * size
        changes = serving.restless and self._asked % _OFTEN == 3
        if changes and not serving.ours and number > 1:
            start -= 1  # as if a row had come before it since the first page
        told: dict[str, Any] = {"page": number, paging.pages_key: pages}
        if paging.results_key:
            told[paging.results_key] = len(rows)
        version = str(self._asked // _OFTEN) + ("+" if changes else "")
        headers = [(VERSION, version)] if serving.ours else []
        return 200, headers, self._envelope(rows[start : start + size], told)

    def _from_cursor(
        self,
        cursor: Cursor,
        rows: list[Row],
        values: dict[str, str],
        headers: dict[bytes, bytes],
    ) -> Answer:
        sent = headers.get(b"cursor", b"").decode() or values.get("cursor", "")
        start = int(sent.removeprefix("from ")) if sent else 0
        end = start + self._size(values)
        token = f"from {end}" if end < len(rows) else None
        path = self._url
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        kept = [(n, v) for n, v in values.items() if f"{{{n}}}" not in self._url]
        again = [*((n, v) for n, v in kept if n != "cursor"), ("cursor", str(token))]
        url = path + "?" + "&".join(f"{n}={quote(v, safe='')}" for n, v in again)
        extra: list[tuple[str, str]] = []
        told: dict[str, Any] = {}
        if cursor.source == "body":
            _put(
                told,
                cursor.key,
                (token if cursor.kind == "token" else url) if token else None,
            )
        elif cursor.kind == "link":
            first = f'<{path}>; rel="first"'
            after = f'<{url}>; rel="next", ' if token else ""
            extra.append(("link", after + first))
        elif token:
            extra.append((cursor.key, token))
        return 200, extra, self._envelope(rows[start:end], told)

    def _envelope(self, rows: list[Row], told: dict[str, Any]) -> Any:  # noqa: ANN401  (JSON)
        sent = [self._wire(row) for row in rows]
        if self._method.object_key is None:
            return sent
        return {self._method.object_key: sent, **told}

    def _wire(self, row: Row) -> Row:
        serving = self._table.serving
        sent: Row = {}
        for column in self._table.columns:
            value = row[column.name]
            if value is None and column.never and not serving.ours:
                value = NEVER
            if value is not None or not serving.drops:
                sent[column.name] = value
        return {**sent, "more": {"than": "described"}}


def _put(told: dict[str, Any], dotted: str, value: object) -> None:
    *outer, last = dotted.split(".")
    for key in outer:
        told = told.setdefault(key, {})
    told[last] = value
