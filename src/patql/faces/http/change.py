"""The head of a request that changes something."""

import msgspec

from patql.authority.tokens import Parsed
from patql.kernel.http import Headers, Request


class Change(msgspec.Struct, frozen=True, gc=False):
    """A head, read.

    Attributes:
        method: as it was sent.
        path: decoded.
        query: raw.
        headers: all of them.
        secret: the credential among them; None for none, empty for more than one.
        presented: what is left of it where it is well-formed, to be verified.
        length: how long the body is, in bytes.
        stays: whether the connection stays after the answer.
    """

    method: str
    path: str
    query: str
    headers: Headers
    secret: bytes | None
    presented: Parsed | None
    length: int
    stays: bool

    def request(self, body: bytes) -> Request:
        """The request whose head this is."""
        return Request(self.method, self.path, self.query, self.headers, body)
