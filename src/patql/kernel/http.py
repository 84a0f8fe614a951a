"""HTTP messages as plain values, in the form that ASGI and the in-process transport share."""

from urllib.parse import quote, urlencode

import msgspec

Headers = list[tuple[bytes, bytes]]
"""Pairs of name and value, as bytes; names are lower case."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request: `path` is decoded and starts with `/`, `query` is raw, without the `?`.

    `base` is the URL that the path is relative to, without trailing slash, where that isn't the target's own; only
    documents that name servers of their own give one.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = []
    body: bytes = b""
    base: str | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first header of that (lower-case) name, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response; only that to HEAD holds a content-length, that of GET; to others the one who sends it adds it."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first header of that (lower-case) name, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


def path_segment(text: str) -> str:
    """One segment of a path, percent-encoded (RFC 3986, section 3.3)."""
    return quote(text, safe="")


def path_segments(text: str) -> str:
    """Several segments of a path, which slashes part."""
    return quote(text, safe="/")


def query_string(pairs: list[tuple[str, str]]) -> str:
    """A query without its `?`, percent-encoded."""
    return urlencode(pairs, quote_via=quote)
