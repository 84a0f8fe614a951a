"""A batch's answer, kept for a while, so that a client whose connection broke can have it again.

The answer holds secrets, so it is kept encrypted. The key comes from the request that is to be repeated, which only its
sender knows; of it the store gets a digest. When the time is over, the answer is given no more, and the next batch that is
kept deletes it.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import msgspec

from patql.authority.ports import Sealed, Transaction
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret, same

T = TypeVar("T")

KEPT = 30
"""How long an answer can be had again, in seconds."""

_NONCE = 12  # bytes (NIST SP 800-38D, section 8.2.1)


class Replay(msgspec.Struct, frozen=True):
    """How an answer is found again and read.

    Attributes:
        key: what it is kept under, 32 bytes that give nothing of `secret` away.
        secret: 64 hexadecimal digits: the 32 bytes that it is encrypted with.
        request: SHA-256 of all that was asked for, 32 bytes.
    """

    key: bytes
    secret: Secret
    request: bytes


def answer(
    at: Transaction, replay: Replay | None, now: float, act: Callable[[], bytes]
) -> bytes:
    """What `act` gives; or what it gave, where the same was asked for under the same key not long ago.

    Raises:
        PatqlError: CONFLICT where something else was asked for under that key.
    """
    if replay is None:
        return act()
    kept = at.sealed(replay.key)
    if kept is None or kept.until <= now:
        text = act()
        sealed = Sealed(replay.request, _encrypt(replay, text), int(now) + KEPT)
        at.seal(replay.key, sealed, now)
        return text
    if not same(kept.request, replay.request):
        raise PatqlError(
            Code.CONFLICT,
            "This Idempotency-Key was used for another request; each request needs a new one",
        )
    return _decrypt(replay, kept.answer)


def encode(answer: object) -> bytes:
    """An answer as text, secrets whole: to be kept, it is encrypted."""
    return msgspec.json.encode(answer, enc_hook=_reveal)


def decode(text: bytes, kind: type[T]) -> T:
    """The answer again."""
    return msgspec.json.decode(text, type=kind, dec_hook=_hide)


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError


def _hide(kind: type, value: object) -> object:
    if kind is Secret:
        return Secret(str(value))
    raise NotImplementedError


def _encrypt(replay: Replay, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    cipher = AESGCM(bytes.fromhex(replay.secret.reveal()))
    return nonce + cipher.encrypt(nonce, text, replay.key)


def _decrypt(replay: Replay, sealed: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(bytes.fromhex(replay.secret.reveal()))
    return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], replay.key)
