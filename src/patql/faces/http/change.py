"""The head of a request that changes something."""

import msgspec

from patql.kernel.http import Headers, Request


class Change(msgspec.Struct, frozen=True, gc=False):
    """A head, read.

    Attributes:
        method: as it was sent.
        path: decoded.
        query: raw.
        headers: all of them.
        length: how long the body is, in bytes.
        stays: whether the connection stays after the answer.
    """

    method: str
    path: str
    query: str
    headers: Headers
    length: int
    stays: bool

    def request(self, body: bytes) -> Request:
        """The request whose head this is."""
        return Request(self.method, self.path, self.query, self.headers, body)
