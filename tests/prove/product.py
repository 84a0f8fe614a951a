"""A product with the authority in process: what it is asked over a socket, it asks the authority directly.

python -m tests.prove.product PORT        # the database is PATQL_DB's
"""

import os
import socketserver
import sys

import msgspec
from tests.prove.wording import Asked

from patql import config
from patql.authority.authority import Authority
from patql.authority.model import Granted
from patql.compose import open_authority
from patql.kernel.errors import Code, PatqlError

_STATUS = {Code.INVALID_TOKEN: 401, Code.UNAVAILABLE: 503, Code.INVALID: 400}


def main() -> None:
    """Serve until killed."""
    opened = open_authority(config.read(os.environ))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                asked = msgspec.json.decode(line, type=Asked)
                self.wfile.write(answer(opened, asked) + b"\n")

    with _Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.serve_forever()


def answer(authority: Authority, asked: Asked) -> bytes:
    """A status, and for a new token its id and secret."""
    try:
        status, body = _do(authority, asked)
    except PatqlError as error:
        status, body = _STATUS[error.code], {"reason": error.message}
    return b"%d %b" % (status, msgspec.json.encode(body))


def _do(authority: Authority, asked: Asked) -> tuple[int, object]:
    acting = None
    if asked.secret:
        verdict = authority.verify(asked.secret)
        if not isinstance(verdict, Granted):
            return 401, {"reason": verdict.reason}
        acting = verdict
    user, target = asked.user, asked.target
    if asked.act == "issue":
        issued = authority.issue(
            user, label=asked.label, expiry=asked.expiry, acting=acting
        )
        return 200, {"id": issued.token.id, "token": issued.secret.reveal()}
    if asked.act == "rename":
        renamed = authority.rename(user, target, asked.label, acting=acting)
        return (404 if renamed is None else 200), {}
    if asked.act == "revoke":
        return (200 if authority.revoke(user, target, acting=acting) else 404), {}
    return 200, {}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    main()
