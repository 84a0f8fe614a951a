"""A product with the authority in process: what it is asked over a socket, it asks the authority directly.

python -m tests.prove.product PORT        # the database is PATQL_DB's
"""

import os
import socketserver
import sys
from collections.abc import Sequence

import msgspec
from tests.prove.wording import Asked, Created, Several

from patql import config
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Granted, Issued
from patql.compose import open_authority
from patql.kernel.errors import Code, PatqlError

_STATUS = {
    Code.INVALID: 409,  # a user who is suspended gets no tokens
    Code.INVALID_TOKEN: 401,
    Code.NOT_FOUND: 409,  # one of several, nobody says which
    Code.UNAVAILABLE: 503,
}


def main() -> None:
    """Serve until killed."""
    try:
        opened = open_authority(config.read(os.environ))
    except PatqlError as error:
        sys.exit(error.message)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                asked = msgspec.json.decode(line, type=Asked)
                self.wfile.write(answer(opened, asked) + b"\n")

    with _Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.serve_forever()


def answer(authority: Authority, asked: Asked) -> bytes:
    """A status, and what is told of new tokens."""
    body: object = {}
    try:
        status, body = _answer(authority, asked)
    except PatqlError as error:
        status = _STATUS[error.code]
    return b"%d %b" % (status, msgspec.json.encode(body))


def _answer(authority: Authority, asked: Asked) -> tuple[int, object]:
    if asked.act == "surrender":
        authority.revoke_presented(asked.secret)
        return 200, {}
    acting = None
    if asked.secret:
        verdict = authority.verify(asked.secret)
        if not isinstance(verdict, Granted):
            return 401, {}
        acting = verdict
    if asked.act == "issue":
        wanted = [Wanted(asked.label, expiry=asked.expiry)]
        made = authority.issue_many(asked.user, wanted, acting=acting)
        return 200, _created(made)[0]
    if asked.act == "issue_many":
        wanted = [Wanted(label) for label in asked.labels]
        made = authority.issue_many(asked.user, wanted, acting=acting)
        return 200, Several(_created(made))
    return _change(authority, asked, acting), {}


def _change(authority: Authority, asked: Asked, acting: Granted | None) -> int:
    """Do what tells of no token; whether there was anything to do it to."""
    user, target = asked.user, asked.target
    done: object
    match asked.act:
        case "rename":
            done = authority.rename(user, target, asked.label, acting=acting)
        case "revoke":
            done = authority.revoke(user, target, acting=acting)
        case "revoke_many":
            done = authority.revoke_many(
                user, asked.targets, cascade=asked.cascade, acting=acting
            )
        case "suspend":
            done = authority.admin.change(user, suspended=True)
        case "resume":
            done = authority.admin.change(user, suspended=False)
        case "remove":
            done = authority.admin.remove(user)
        case _:
            done = True
    return 200 if done else 404


def _created(made: Sequence[Issued]) -> list[Created]:
    return [Created(one.token.id, one.secret.reveal()) for one in made]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    main()
