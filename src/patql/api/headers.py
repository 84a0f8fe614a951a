"""Response headers, made once: those of every response, and those that tell what a token may do."""

from functools import lru_cache

from patql.kernel.http import Headers

ALLOWED_METHODS = b"HEAD, GET, OPTIONS, POST, PUT, DELETE"
LIST_VERSION = b"x-patql-list-version"
NOTE = b"x-patql-note"

SECURITY: Headers = [
    (b"cache-control", b"max-age=0, no-cache, no-store"),
    (b"pragma", b"no-cache"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"vary", b"Authorization, X-Filter"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"1; mode=block"),
]
# Credentials travel in Authorization, never in cookies, so any origin may ask, and Allow-Credentials stays out.
CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", ALLOWED_METHODS),
    (
        b"access-control-allow-headers",
        b"Authorization, Origin, X-Requested-With, Content-Type, Accept, X-Filter, Idempotency-Key",
    ),
    (
        b"access-control-expose-headers",
        b"X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Status, X-PatQL-List-Version, X-PatQL-Note",
    ),
]
# Exactly this value: linodego reads the errors of no other, not even of one with a charset.
JSON: Headers = [(b"content-type", b"application/json")]

BARE: Headers = [*SECURITY, *CORS]
PLAIN: Headers = [*BARE, *JSON]
"""What a response to nobody in particular carries."""


@lru_cache(maxsize=4096)
def granted(accepted: bytes, scopes: str) -> Headers:
    """Headers of an answer to a token; not to be changed, since requests share them.

    Args:
        accepted: the scopes that the operation needs, as its header says them.
        scopes: the token's own.
    """
    return [*PLAIN, *told(accepted, scopes.encode("latin-1", "replace"))]


def told(accepted: bytes, scopes: bytes) -> Headers:
    """Which scopes the operation takes, and which the token has; `unknown` for a bad token."""
    return [(b"x-accepted-oauth-scopes", accepted), (b"x-oauth-scopes", scopes)]


def note(text: str) -> Headers:
    """A remark for the person behind the client, in ASCII on one line."""
    return [(NOTE, text.encode("unicode_escape"))]
