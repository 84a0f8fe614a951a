"""`Idempotency-Key`: a batch that is sent again with the same key has the answer that it had, and nothing is done twice.

Answers hold secrets, so they are kept encrypted (`authority.replay`). What one is kept under, and what it is encrypted
with, both come from the key and from what the client proves itself by: the token's secret, or the name of a user that a
product vouches for. So neither the database nor the key alone gives an answer away, nor does another client's key.
"""

import re
from hashlib import blake2b, sha256

from patql.api.authorize import credential
from patql.authority.model import Granted
from patql.authority.replay import Replay
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request
from patql.kernel.secrets import Secret

HEADER = "Idempotency-Key"

_SHAPE = re.compile(rb"[!-~]{16,255}")
_PLACE, _CIPHER = b"patql batch key", b"patql batch enc"  # 16 bytes at most


def replay(granted: Granted, request: Request) -> Replay | None:
    """How the answer to a request is found again; None where the client didn't ask for that.

    Raises:
        InvalidRequestError: where the key isn't one.
    """
    given = [value for name, value in request.headers if name == b"idempotency-key"]
    if not given:
        return None
    if len(given) > 1 or not _SHAPE.fullmatch(given[0]):
        reason = "Must be given once, and be 16 to 255 visible ASCII characters"
        raise InvalidRequestError(Problem(reason, HEADER))
    known = _known(given[0], granted, request)
    return Replay(
        key=_derived(known, _PLACE),
        secret=Secret(_derived(known, _CIPHER).hex()),
        request=sha256(request.method.encode() + b" " + request.body).digest(),
    )


def _known(key: bytes, granted: Granted, request: Request) -> bytes:
    """What the client knows and nobody else does; no two of them are written the same."""
    proof = b"user %b" % granted.user.encode()
    if granted.token_id is not None:
        proof = b"token %b" % (credential(request.headers) or b"")
    return b"%b %b" % (key, proof)


def _derived(known: bytes, purpose: bytes) -> bytes:
    """32 bytes for a purpose, from which neither `known` nor those for another one can be told (RFC 7693)."""
    return blake2b(known, digest_size=32, person=purpose).digest()
