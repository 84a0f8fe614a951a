"""The token string.

    pql_7Hq2ZkW0xVbT hM3dGmS1yQbJx0rCz8LwPnE5tUfKi2oXaVg9DlR4YsB 1pNwbt
    │   │            │                                           └ CRC-32 of everything before it, 6 characters
    │   │            └ the secret, 43 characters: 256 bits
    │   └ the handle; together with the prefix it is 16 characters
    └ the prefix: 1 to 5 letters or digits and `_`

(written with spaces here, which a token never has). The alphabet is base62: `0-9A-Za-z`, so that a double click
selects a whole token. The checksum is a number in base62, most significant digit first, padded with `0`; it tells a
mistyped or truncated token from a good one without a look into the store, and leak scanners a token from noise.

The first 16 characters are public: they are the key by which the token is found, and all of it that is ever shown
again. What is stored is the SHA-256 of the whole token.
"""

import os
from binascii import crc32
from hashlib import sha256

import msgspec

from patql.kernel.secrets import SHOWN, Secret

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET = 43
_BODY = SHOWN + _SECRET
LENGTH = _BODY + 6
"""Characters in a token."""

_DIGITS = tuple(bytes((high, low)) for high in _ALPHABET for low in _ALPHABET)
_EVEN = 256 - 256 % 62  # a larger random byte would favour the alphabet's beginning
_TO_BASE62 = bytes(_ALPHABET[byte % 62] for byte in range(256))
_SPARE = 8  # random bytes in place of uneven ones, of which there are 3 in 100
_UNEVEN = bytes(range(_EVEN, 256))


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """A well-formed token that was presented: `handle` to find it by, `digest` (32 bytes) to compare."""

    handle: str
    digest: bytes


def mint(prefix: str) -> tuple[str, Secret]:
    """A new random token: its handle (the first 16 characters) and the whole of it."""
    body = prefix.encode() + _random(_BODY - len(prefix))
    text = (body + _checksum(body)).decode()
    return text[:SHOWN], Secret(text)


def digest(secret: Secret) -> bytes:
    """What is stored of a token: the SHA-256 of the whole of it, 32 bytes."""
    return sha256(secret.reveal().encode()).digest()


def parse(presented: str | bytes) -> Parsed | None:
    """The handle and digest of a presented token; None where it can't be one, whatever the store holds."""
    if len(presented) != LENGTH or not presented.isascii():
        return None
    raw = presented.encode() if isinstance(presented, str) else presented
    if raw[_BODY:] != _checksum(raw[:_BODY]):
        return None
    return Parsed(raw[:SHOWN].decode(), sha256(raw).digest())


def _random(count: int) -> bytes:
    drawn = b""
    while len(drawn) < count:  # rarely more than once
        drawn += os.urandom(count + _SPARE).translate(_TO_BASE62, _UNEVEN)
    return drawn[:count]


def _checksum(body: bytes) -> bytes:
    number = crc32(body)
    return (
        _DIGITS[number // 14776336]
        + _DIGITS[number // 3844 % 3844]
        + _DIGITS[number % 3844]
    )
