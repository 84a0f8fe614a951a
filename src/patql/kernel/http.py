"""HTTP messages as plain values, in the form that ASGI and the in-process transport share."""

import msgspec

Headers = list[tuple[bytes, bytes]]
"""Pairs of name and value, as bytes; names are lower case."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request: `path` is decoded and starts with `/`, `query` is raw, without the `?`."""

    method: str
    path: str
    query: str = ""
    headers: Headers = []
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first header of that (lower-case) name, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response; `headers` holds no content-length, which the one who sends it adds."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first header of that (lower-case) name, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None
