"""A server made from a provider's documents: every GET operation, answering what its schema says, on loopback.

`MockServer.rows` says what a method's rows are in truth, all of them; over HTTP lists come in pages, in the way that the
document has them. What there is depends on the seed and the path alone.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, NamedTuple, Self, cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.mock.data import Json, make

from patql.catalog import schema
from patql.catalog.document import Access, Method, Provider, Resource
from patql.catalog.folder import Folder
from patql.catalog.layout import find_version
from patql.catalog.node import Node
from patql.catalog.unsupported import is_json

PAGE = 7
"""The most rows that a page has, however many are asked for."""

FROM = "_from"
"""The query parameter of URLs that lead to the next page."""

Row = dict[str, Any]
Arguments = Mapping[str, Any]


class MissingError(Exception):
    """There is no such row."""


class Route(NamedTuple):
    """A path: the method that reads it, that method's resource, and the schema of the answer."""

    method: Method
    resource: Resource
    schema: Node


class MockServer:
    """Answers for the GET operations of a provider until it is closed.

    Args:
        provider: as loaded from `folder`.
        folder: where its documents are.
        seed: two servers of one seed hold the same.

    Attributes:
        provider: the one that it was made for.
        requests: the target of each request, in the order of their arrival.
        credentials: what requests were authorised by.
    """

    def __init__(self, provider: Provider, folder: Path, seed: int) -> None:
        self._seed = seed
        self._routes = dict(_routes(provider, dict(_schemas(folder))))
        self._body = cache(self._make_body)
        self.provider = provider
        self.requests: list[str] = []
        self.credentials = set[str | None]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """The origin of the server; the paths of the document's own servers are kept."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rows(self, method: Method, arguments: Arguments) -> list[Row]:
        """What a method's rows are in truth; none where there is no such row."""
        path = method.path
        for name, value in arguments.items():
            path = path.replace(f"{{{name}}}", str(value))
        try:
            found = _at(json.loads(self._body(method.path, path)), method.object_key)
        except MissingError:
            return []
        rows = _as_list(found)
        nameless = [column.name for column in method.columns] == [schema.ANONYMOUS]
        return [{schema.ANONYMOUS: row} for row in rows] if nameless else rows

    def key(self, method: Method, arguments: Arguments) -> Any:  # noqa: ANN401  (JSON)
        """The key of some row that a method finds by it; None where it finds none so, or there is no row."""
        column, listed = _key(method), self._routes.get(_parent(method.path))
        if column is None or listed is None:
            return None
        rows = self.rows(listed.method, arguments)
        return rows[-1].get(column) if rows else None

    def _make_body(self, template: str, path: str) -> str:
        """The body of an answer, in JSON, not yet cut into pages."""
        route = self._routes[template]
        method, rng = route.method, Random(f"{self._seed} {path}")
        body = make(route.schema, rng)
        described = schema.resolve(route.schema, method.object_key or "")
        described = described or route.schema
        if schema.type_name(described) == "array":
            found: Any = _list(route, described, rng)
        else:
            found = make(described, rng) if method.object_key else body
            self._settle_key(method, path, found)
        for row in _as_list(found):
            if isinstance(row, dict):
                cast("Row", row).update(_named(described, template, path))
        body = _put(body, method.object_key, found)
        if method.cursor and method.cursor.source == "body":
            body = _put(body, method.cursor.key, None)
        return json.dumps(body)

    def _settle_key(self, method: Method, path: str, row: Row) -> None:
        """Give the row that a path asks for its key, if the list has one like that."""
        key, listed = _key(method), self._routes.get(_parent(method.path))
        if key is None or listed is None:
            return
        parent, _, wanted = path.rpartition("/")
        known = json.loads(self._body(listed.method.path, parent))
        rows = _as_list(_at(known, listed.method.object_key))
        match = [other[key] for other in rows if str(other.get(key)) == wanted]
        if not match:
            raise MissingError
        row[key] = match[0]

    def answer(
        self, target: str, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], Json]:
        """Status, headers and body for a GET of a target."""
        url = urlsplit(target)
        try:
            method, path = self._find(url.path)
            body = json.loads(self._body(method.path, path))
        except MissingError:
            return 404, {}, {"errors": [{"reason": "Not found"}]}
        query = dict(parse_qsl(url.query))
        rows = _at(body, method.object_key)
        if isinstance(rows, list):
            given = {**headers, **query}
            return self._page(method, _as_list(rows), body, url.path, given)
        return 200, {}, body

    def _find(self, path: str) -> tuple[Method, str]:
        """The method that serves a path, its literal steps before its parameters, and the path below the server's."""
        for template in sorted(self._routes, key=lambda t: (t.count("{"), t)):
            method = self._routes[template].method
            base = urlsplit(method.server or "").path
            pattern = re.sub(r"\\\{[^/]*?\\\}", "([^/]+)", re.escape(base + template))
            if re.fullmatch(pattern, path):
                return method, unquote(path.removeprefix(base))
        raise MissingError

    def _page(
        self,
        method: Method,
        rows: list[Any],
        body: Json,
        path: str,
        given: dict[str, str],
    ) -> tuple[int, dict[str, str], Json]:
        how = method.paging or method.cursor
        if how is None:
            return 200, {}, body
        size = min(PAGE, int(given.get(how.size or "", PAGE)))
        start = int(given.get(FROM, 0))
        pages = max(-(-len(rows) // size), 1)
        if method.paging:
            start = (int(given.get(method.paging.page, 1)) - 1) * size
        elif method.cursor and method.cursor.parameter:
            start = int(given.get(method.cursor.parameter, 0))
        if start and start >= len(rows):
            return 404, {}, {"errors": [{"reason": "Not found"}]}
        body = _put(body, method.object_key, rows[start : start + size])
        following = start + size if start + size < len(rows) else None
        if method.paging:
            body = _put(body, method.paging.pages_key, pages)
            body = (
                _put(body, method.paging.results_key, len(rows))
                if method.paging.results_key
                else body
            )
            return 200, {}, body
        return 200, *self._onward(method, body, path, given, following)

    def _onward(
        self,
        method: Method,
        body: Json,
        path: str,
        given: dict[str, str],
        following: int | None,
    ) -> tuple[dict[str, str], Json]:
        """Headers and body that say where a list goes on by a cursor."""
        cursor = method.cursor
        assert cursor is not None
        names = {p.name for p in method.parameters if p.location == "query"}
        kept = {name: value for name, value in given.items() if name in names}
        url = f"{self.url}{path}?{urlencode({**kept, FROM: following})}"
        told = (
            None
            if following is None
            else str(following)
            if cursor.kind == "token"
            else url
        )
        if cursor.source == "body":
            return {}, _put(body, cursor.key, told)
        if told is None:
            return {}, body
        return {
            cursor.key: f'<{url}>; rel="next"' if cursor.kind == "link" else told
        }, body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.credentials.add(self.headers["authorization"])
                status, headers, body = server.answer(self.path, dict(self.headers))
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name upstream)
                """Say nothing."""

        return Handler


def _schemas(folder: Path) -> Iterator[tuple[str, Node]]:
    """The schema of what each path answers to GET, where that is JSON; of two services with one path, the first."""
    documents = Folder(find_version(folder))
    found: dict[str, Node] = {}
    for _, entry in documents.document().children("providerServices"):
        link = entry.raw("service")
        service = documents.open(link.reference or "") if link else None
        for path, item in service.children("paths") if service else ():
            get = item.child("get")
            answer = get.need("responses").child("200") if get else None
            for kind, content in answer.children("content") if answer else ():
                if is_json(kind) and (described := content.child("schema")):
                    found.setdefault(path, described)
    yield from found.items()


def _routes(
    provider: Provider, schemas: dict[str, Node]
) -> Iterator[tuple[str, Route]]:
    found: dict[str, Route] = {}
    for resource in (r for s in provider.services for r in s.resources):
        for method in resource.methods:
            if method.verb == "GET" and method.path in schemas:
                known = found.get(method.path)
                if known is None or known.method.access is not Access.SELECT:
                    route = Route(method, resource, schemas[method.path])
                    found[method.path] = route
    yield from found.items()


def _list(route: Route, listed: Node, rng: Random) -> list[Any]:
    """Rows for some pages, or for less than one, whose keys differ."""
    element = listed.need("items")
    count = rng.choice((0, 1, PAGE, 3 * PAGE + 2))
    rows: list[Any] = [make(element, rng) for _ in range(count)]
    key = route.resource.key
    described = schema.resolve(element, key) if key else None
    if key and described:
        whole = schema.type_name(described) == "integer"
        for number, row in enumerate(rows, 1):
            row[key] = number if whole else f"{key}-{number}"
    return rows


def _named(described: Node, template: str, path: str) -> Row:
    """The columns of a path's parameters, which have their values."""
    element = described.child("items") or described
    found: Row = {}
    for name, value in zip(template.split("/"), path.split("/"), strict=True):
        column = schema.resolve(element, name[1:-1]) if name[:1] == "{" else None
        kind = schema.type_name(column) if column else "object"
        if kind in ("string", "integer"):
            found[name[1:-1]] = int(value) if kind == "integer" else value
    return found


def _key(method: Method) -> str | None:
    """The column by which the last step of a method's path finds one row."""
    last = method.path.rpartition("/")[2].strip("{}")
    found = method.parameter(last)
    return found.key_column if found else None


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  (JSON)
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def _at(body: Any, path: str | None) -> Any:  # noqa: ANN401  (JSON)
    for step in path.split(".") if path else ():
        body = body[step]
    return body


def _put(body: Any, path: str | None, value: Any) -> Any:  # noqa: ANN401  (JSON)
    """The body with a value at a path, null taking away what is there."""
    if not path:
        return value
    step, _, rest = path.partition(".")
    below = _put(body.get(step) or {}, rest, value) if rest else value
    return (
        {**body, step: below}
        if below is not None
        else {k: v for k, v in body.items() if k != step}
    )
