"""A small shop behind an API, in process: what its document says, and how it answers. Its rows are in resources.yaml.

Its provider is `acme` on a server of ours, and `rival` on one that isn't: the same document, but no version of lists, no
filters by what only ours knows, dates far ahead for "never", and text that compares in any case.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import yaml
from msgspec.structs import replace
from tests.engine.differential.filters import Filter, RefusedError, Row

from patql.catalog.document import (
    Access,
    Column,
    Cursor,
    Method,
    Paging,
    Parameter,
    Provider,
    Resource,
    Service,
)
from patql.engine.ports import Watch
from patql.kernel.http import Request, Response

FILE = yaml.safe_load(Path(__file__).with_name("resources.yaml").read_text("utf-8"))
"""The rows of the shop, by resource, and the cases."""

BASE = "https://api.shop.example/v4"
VERSION = "x-list-version"
FAR = "2999-12-31T00:00:00"
WIRE = "date-time-local"

_TYPES = {
    "id": "integer",
    **dict.fromkeys(("seats", "age", "rank", "stars", "count", "cpus"), "integer"),
    "price": "number",
    "active": "boolean",
    **dict.fromkeys(("owner", "meta"), "object"),
    **dict.fromkeys(("tags", "data"), "array"),
}


_WHOLE = ("level", "thingId", "page", "page_size", "size")


def _column(name: str, **more: Any) -> Column:  # noqa: ANN401  (attributes of a column)
    more.setdefault("nullable", name not in ("id", "name", "label"))
    return Column(name, _TYPES.get(name, "string"), **more)


def _columns(names: str) -> tuple[Column, ...]:
    return tuple(map(_column, names.split()))


def _in(location: str, name: str, **more: Any) -> Parameter:  # noqa: ANN401
    more.setdefault("required", True)
    type_ = "integer" if name in _WHOLE else "string"
    return Parameter(name, location, type_, **more)


def _method(
    name: str,
    path: str,
    columns: tuple[Column, ...],
    *parameters: Parameter,
    **more: Any,  # noqa: ANN401  (attributes of a method)
) -> Method:
    return Method(
        name,
        Access.SELECT,
        name,
        "GET",
        path,
        "",
        parameters=parameters,
        columns=columns,
        sent=_columns("data meta") if more.get("object_key") else columns,
        **more,
    )


_PAGES = Paging(
    page="page",
    pages_key="pages",
    size="page_size",
    size_maximum=4,
    results_key="results",
    version_header=VERSION,
)
_PAGED = (
    _in("query", "page", required=False),
    _in("query", "page_size", required=False),
)
_ORG = _in("path", "org")
_THINGS = (
    _column("id", filterable=True),
    _column("label", filterable=True),
    _column("created", filterable=True, format=WIRE, nullable=False),
    _column("rank", filterable_extension=True),
    _column("team", filterable_extension=True),
    _column("expiry", filterable_extension=True, format=WIRE, never=True),
    _column("price"),
    _column("note"),
)
_OWNED = (
    _column("id"),
    _column("owner", shape='STRUCT("login" VARCHAR, "id" BIGINT)'),
    _column("tags", shape="VARCHAR[]"),
    _column("extra"),
)
_REPOS = _columns("name stars url")


def _paged(name: str, columns: str, **more: Any) -> Method:  # noqa: ANN401
    """A list that is read by the number of its pages."""
    return _method(
        "list",
        f"/{name}",
        _columns(columns),
        *_PAGED,
        object_key="data",
        paging=replace(_PAGES, **more),
    )


_METHODS: dict[str, tuple[Method, ...]] = {
    "orgs": (_method("list", "/orgs", _columns("name parent seats site")),),
    "me": (_method("get", "/me", _columns("name age")),),
    "members": (
        _method("everyone", "/members", _columns("login age boss")),
        _method("list", "/orgs/{org}/members", _columns("login age boss"), _ORG),
    ),
    "repos": (
        _method(
            "get",
            "/repos/{org}/{repo}",
            _REPOS,
            _ORG,
            _in("path", "repo", key_column="name"),
        ),
        _method(
            "list",
            "/orgs/{org}/repos",
            _REPOS,
            _ORG,
            cursor=Cursor("link", "header", "link"),
        ),
    ),
    "issues": (
        _method(
            "list",
            "/issues",
            _columns("id title repo"),
            _in("query", "state", required=False),
            object_key="data",
            cursor=Cursor("token", "body", "meta.next", "cursor"),
        ),
    ),
    "events": (
        _method(
            "list",
            "/events",
            _columns("id kind"),
            cursor=Cursor("token", "header", "x-next", "x-from", "header"),
        ),
    ),
    "news": (
        _method(
            "list",
            "/news",
            _columns("id title"),
            _in("query", "size", required=False),
            object_key="data",
            cursor=Cursor("url", "body", "links.next", size="size", size_maximum=2),
        ),
    ),
    "zones": (
        _method("get", "/zones/{zone}", _columns("name ttl"), _in("path", "zone")),
        _method("list", "/zones", _columns("name ttl")),
    ),
    "cells": (
        _method(
            "list",
            "/sides/{side}/cells",
            _columns("name price"),
            _in("path", "side"),
            _in("query", "level"),
            object_key="data",
        ),
    ),
    "machines": (
        _method(
            "list",
            "/machines",
            _columns("name cpus"),
            _in("server", "region", required=False, default="eu"),
            server="https://{region}.shop.example",
        ),
    ),
    "things": (
        _method(
            "list",
            "/things",
            _THINGS,
            *_PAGED,
            _in("header", "X-Filter", required=False),
            object_key="data",
            paging=_PAGES,
        ),
        _method(
            "get",
            "/things/{thingId}",
            _THINGS,
            _in("path", "thingId", key_column="id"),
        ),
    ),
    "stock": (_paged("stock", "id count", version_header=None),),
    "owned": (
        _method(
            "list",
            "/owned",
            _OWNED,
        ),
    ),
    "odd": (
        _method("list", "/odd", _columns("id"), unsupported=("its body is XML",)),
        _method("get", "/odd/{side}", _columns("id"), _in("path", "side")),
    ),
    "closed": (
        _method("list", "/closed", _columns("id"), unsupported=("its body is XML",)),
    ),
}


def provider(name: str) -> Provider:
    """The shop's document under a provider's name."""
    resources = tuple(
        Resource(f"{name}.shop.{each}", each, each.title(), "", methods)
        for each, methods in _METHODS.items()
    )
    service = Service("shop:v1", "shop", "Shop", "", "v1", True, (BASE,), resources)
    return Provider(name, name, "v1", name.title(), "", (service,))


def _rows(resource: str) -> list[Row]:
    names, *rows = FILE["rows"][resource]
    return [dict(zip(names, row, strict=True)) for row in rows]


class Shop:
    """The Transport port over the shop.

    Args:
        sent: gets each request as `VERB path?query`, with the server's URL before the path where the document names one,
            and the value of its `X-Filter` or `X-From` after it.
        ours: whether the server is one of ours.
        changes: before which requests of paged lists the list changes, counted from 1.
        fails: the status that requests are answered with, by how they are written in `sent`.
    """

    acting: str | None = None

    def __init__(
        self,
        sent: list[str],
        *,
        ours: bool = True,
        changes: Sequence[int] = (),
        fails: Mapping[str, int] | None = None,
    ) -> None:
        self.target = BASE if ours else "https://api.rival.example"
        self._sent = sent
        self._ours = ours
        self._changes = changes
        self._fails = fails or {}
        self._asked = 0

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The answers, one after the other."""
        for request in requests:
            yield self.answer(request)

    def answer(self, request: Request) -> Response:
        """The answer to one request, which is written down."""
        query = f"?{request.query}" if request.query else ""
        asked = request.header(b"x-filter") or request.header(b"x-from") or b""
        path = f"{request.base or ''}{request.path}{query}"
        written = f"{request.method} {path} {asked.decode()}".strip()
        self._sent.append(written)
        if status := self._fails.get(written):
            return _response(status, [], {"errors": [{"reason": "because"}]})
        try:
            return self._found(request)
        except RefusedError as error:
            return _response(400, [], {"errors": [{"reason": str(error)}]})

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _found(self, request: Request) -> Response:
        for name, methods in _METHODS.items():
            for method in methods:
                template = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", method.path)
                if found := re.fullmatch(template, request.path):
                    values = {k: unquote(v) for k, v in found.groupdict().items()}
                    values |= dict(parse_qsl(request.query, keep_blank_values=True))
                    if request.base:
                        server = re.match(r"https://(\w+)", request.base)
                        values["region"] = server[1] if server else ""
                    return self._answer(name, method, values, request)
        raise RefusedError(f"unknown path {request.path}")

    def _answer(
        self, name: str, method: Method, values: dict[str, str], request: Request
    ) -> Response:
        keys = {p.name: p.key_column for p in method.parameters if p.key_column}
        rows = _rows(name)
        for parameter, value in values.items():
            column = keys.get(parameter, parameter)
            if rows and column in rows[0]:
                rows = [row for row in rows if str(row[column]) == value]
        orgs = {row["name"] for row in _rows("orgs")}
        if (keys and not rows) or values.get("org", "blue") not in orgs:
            return _response(404, [], {"errors": [{"reason": "Not found"}]})
        if asked := request.header(b"x-filter"):
            rows = self._filtered(method, rows, asked)
        wire = self._wire(method, rows)
        if keys or name == "me":
            return _response(200, [], wire[0])
        if method.paging:
            return self._page(method.paging, wire, values)
        if method.cursor:
            return self._from_cursor(method, method.cursor, wire, values, request)
        return _response(200, [], {"data": wire} if method.object_key else wire)

    def _wire(self, method: Method, rows: list[Row]) -> list[Row]:
        """Rows as they are sent, without the parameters that select them."""
        never = {} if self._ours else {c.name: FAR for c in method.columns if c.never}
        return [
            {
                c.name: never.get(c.name) if row[c.name] is None else row[c.name]
                for c in method.columns
            }
            for row in rows
        ]

    def _filtered(self, method: Method, rows: list[Row], asked: bytes) -> list[Row]:
        kinds = {
            c.name: "time" if c.format else "int" if c.type == "integer" else "text"
            for c in method.columns
            if c.filterable or (c.filterable_extension and self._ours)
        }
        return Filter(asked, kinds, ours=self._ours).rows(rows)

    def _page(
        self, paging: Paging, rows: list[Row], values: dict[str, str]
    ) -> Response:
        self._asked += 1
        size, number = int(values.get("page_size", "4")), int(values.get("page", "1"))
        pages = max(1, -(-len(rows) // size))
        if number > pages:
            return _response(404, [], {"errors": [{"reason": "Not found"}]})
        told = {"page": number, "pages": pages, "results": len(rows)}
        version = sum(change <= self._asked for change in self._changes)
        headers = [(VERSION.encode(), f"7-{version}".encode())] if self._ours else []
        page = rows[(number - 1) * size : number * size]
        return _response(200, headers, {"data": page, **told})

    def _from_cursor(
        self,
        method: Method,
        cursor: Cursor,
        rows: list[Row],
        values: dict[str, str],
        request: Request,
    ) -> Response:
        token = request.header(b"x-from")
        start = int(token.decode() if token else values.get("cursor", "0"))
        end = start + int(values.get("size", "2"))
        page = rows[start:end]
        more = end < len(rows)
        kept = {k: v for k, v in values.items() if f"{{{k}}}" not in method.path}
        again = "&".join(
            f"{k}={quote(v)}" for k, v in {**kept, "cursor": str(end)}.items()
        )
        url = f"{BASE}{request.path}?{again}"
        if cursor.kind == "link":
            first = f'<{BASE}{request.path}>; rel="first"'
            link = f'{first}, <{url}>; title="a, b"; rel="next"' if more else first
            return _response(200, [(b"link", link.encode())], page)
        if cursor.source == "header":
            headers = [(b"x-next", str(end).encode())] if more else []
            return _response(200, headers, page)
        told = {
            "meta": {"next": str(end) if more else None},
            "links": {"next": url if more else None},
        }
        return _response(200, [], {"data": page, **told})


def _response(
    status: int, headers: list[tuple[bytes, bytes]], content: object
) -> Response:
    json_type = (b"content-type", b"application/json")
    return Response(status, [json_type, *headers], json.dumps(content).encode())
