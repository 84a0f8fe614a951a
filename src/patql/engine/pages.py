"""Where a list goes on: the next request that a page tells, where pages aren't numbered.

The next request goes to the server that the page came from, whatever host its URL names: what a response says can't
send a credential elsewhere.
"""

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from patql.catalog.document import Cursor
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response, query_string

_LINK = re.compile(
    r'<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)'
)
_PARAMETER = re.compile(
    r';\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?'
)


def next_request(
    cursor: Cursor,
    first: Request,
    last: Request,
    response: Response,
    found: str | int | None,
    base: str,
) -> Request | None:
    """The request for the page after `response`; None at the end of the list.

    Args:
        cursor: how the list is read on.
        first: the request for the first page.
        last: the request that `response` answers.
        response: the page.
        found: what its body holds at the cursor's key.
        base: the URL that paths are relative to, without trailing slash; empty where there is none.

    Raises:
        PatqlError: BAD_RESPONSE where the page names what is no URL.
    """
    if cursor.source == "header":
        header = response.header(cursor.key.lower().encode())
        found = header.decode("latin-1") if header else None
    if cursor.kind == "link":
        found = _linked(str(found or ""))
    if found is None or found == "":
        return None
    if cursor.kind == "token":
        return _with_token(cursor, first, str(found))
    return _at(last, str(found), base)


def check_moved(request: Request, following: Request, where: str) -> None:
    """Refuse a page that names itself as the next, which would be read without end.

    Raises:
        PatqlError: BAD_RESPONSE.
    """
    if following == request:
        message = f"{where} names itself as the next page"
        raise PatqlError(Code.BAD_RESPONSE, message)


def _linked(header: str) -> str | None:
    """The URL of `rel=next` in a Link header (RFC 8288, section 3)."""
    for url, parameters in _LINK.findall(header):
        named = _PARAMETER.findall(parameters)
        relations = (
            quoted or bare for name, quoted, bare in named if name.lower() == "rel"
        )
        if "next" in next(relations, "").lower().split():
            return str(url)
    return None


def _with_token(cursor: Cursor, first: Request, token: str) -> Request:
    pair = [(cursor.parameter, token)]
    match cursor.location:
        case "header":
            header = (cursor.parameter.lower().encode(), token.encode())
            return replace(first, headers=[*first.headers, header])
        case "body":
            body: dict[str, Any] = msgspec.json.decode(first.body or b"{}")
            return replace(first, body=msgspec.json.encode({**body, **dict(pair)}))
        case _:
            query = "&".join(filter(None, (first.query, query_string(pair))))
            return replace(first, query=query)


def _at(last: Request, url: str, base: str) -> Request:
    """The request for a URL, on the server of the last one.

    Raises:
        PatqlError: BAD_RESPONSE where it is no URL.
    """
    prefix = urlsplit(base).path
    here = f"{prefix}{last.path}" + (f"?{last.query}" if last.query else "")
    try:
        target = urlsplit(urljoin(f"http://server{here}", url))
    except ValueError:
        message = f"the next page is said to be at {url!r}, which is no URL"
        raise PatqlError(Code.BAD_RESPONSE, message) from None
    path = f"/{target.path.removeprefix('/')}"  # else it could lengthen the host's name
    if path.startswith(f"{prefix}/"):
        return replace(last, path=path[len(prefix) :], query=target.query)
    root = base.removesuffix(prefix) or None
    return replace(last, base=root, path=path, query=target.query)
