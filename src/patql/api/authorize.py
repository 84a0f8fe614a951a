"""`/authorize`: what a gateway asks before it lets a request pass. A pure function of the URL, the headers and a verdict.

    GET /authorize?scope=linodes:read_only+domains:read_write       the exact path: what the query requires
    GET /authorize/linodes:read_only/whatever/the/client?asked=for   what the next part requires; the rest is ignored
    GET /authorize                                                   any good token

200 lets it pass, and says in headers whose the token is; 401 and 403 don't (RFC 6750, section 3). No answer has a body.

What is required is what the gateway's own, fixed URL says. Some gateways append the path and query that their client
sent (Envoy does), so a client must not be able to take anything away: where the path isn't exact, all that follows the
required scopes is ignored; and a URL whose scopes can't be read, all of them, lets nobody pass.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

import msgspec

from patql.authority.model import Denied, Granted, Reason
from patql.authority.policy import Policy
from patql.kernel.http import Headers

PATH = b"/authorize"

_UNDER = PATH + b"/"
_SCOPES_AT = len(_UNDER)
_AFTER = frozenset(b"/?")
# All that is printable in ASCII but the space, which headers lose at their ends, and `%`, which begins what is encoded.
_PLAIN = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_RECALLED = 2_000  # bytes of a URL whose demand is remembered
_QUOTED = 60  # characters of a gateway's URL that an answer repeats


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer: the status, and header lines, each with its end."""

    status: int
    lines: bytes = b""


Demand = str | Answer
"""What a URL requires: scopes, in canonical form; or the answer that it gets, whoever asks."""

NO_CREDENTIAL = Answer(401, b'www-authenticate: Bearer realm="patql"\r\n')
BAD_CREDENTIAL = Answer(401, b'www-authenticate: Bearer error="invalid_token"\r\n')


def demands(policy: Policy) -> Callable[[bytes], Demand]:
    """What tells of a URL what it requires: the raw path and query of a request to `/authorize`, or to what is under it.

    Args:
        policy: the scopes that there are.
    """
    levels = policy.levels()

    def read(own: bytes) -> Demand:
        text = own[_SCOPES_AT:]
        if own.startswith(_UNDER):
            return _scopes(text, levels)
        return _of_query(text, levels) if text else ""

    recalled = lru_cache(maxsize=1024)(read)

    def demand(target: bytes) -> Demand:
        own = target
        if target.startswith(_UNDER):  # the gateway's own part of it
            end = target.find(b"/", _SCOPES_AT)
            own = (target if end < 0 else target[:end]).partition(b"?")[0]
        # Others than a gateway's own would fill the memory.
        return recalled(own) if len(own) <= _RECALLED else read(own)

    return demand


def is_meant(target: bytes) -> bool:
    """Whether a request is one to `/authorize`, as the raw path and query have it."""
    return target.startswith(PATH) and (
        len(target) == len(PATH) or target[len(PATH)] in _AFTER
    )


def credential(headers: Headers) -> bytes | None:
    """The bearer token that was sent (RFC 6750, section 2.1); None for none, empty where there is more than one."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if found is not None:
                return b""
            found = value
    if found is None:
        return None
    scheme, _, token = found.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


def answer(verdict: Granted | Denied, required: str) -> Answer:
    """What the gateway is told of a verdict.

    Args:
        verdict: the authority's.
        required: the scopes that it is about.
    """
    if isinstance(verdict, Granted):
        v = verdict
        return Answer(200, _identity(v.user, v.scopes, v.token_id, v.handle))
    if verdict.reason is Reason.INSUFFICIENT_SCOPE:
        return Answer(403, _insufficient(required))
    return BAD_CREDENTIAL


@lru_cache(maxsize=4096)
def _identity(user: str, scopes: str, token_id: int | None, handle: str) -> bytes:
    lines = {
        "x-auth-user": quote(user, safe=_PLAIN),
        "x-auth-scopes": scopes,
        "x-auth-token-id": token_id,
        "x-auth-handle": handle,
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return text.encode("ascii")


@lru_cache(maxsize=1024)
def _insufficient(required: str) -> bytes:
    challenge = f'Bearer error="insufficient_scope", scope="{required}"'
    return f"www-authenticate: {challenge}\r\n".encode("ascii")


def _of_query(query: bytes, levels: Mapping[str, tuple[str, ...]]) -> Demand:
    name, equals, value = query.partition(b"=")
    if name != b"scope" or not equals or b"&" in value:
        return _misdirected("the query of /authorize is scope=… and nothing else")
    return _scopes(value, levels)


def _scopes(text: bytes, levels: Mapping[str, tuple[str, ...]]) -> Demand:
    """The scopes that a part of the URL says: with `+`, a comma or an encoded space between them."""
    said = unquote_to_bytes(text).decode(errors="replace")
    words = said.replace("+", " ").replace(",", " ").split(" ")
    for word in words:
        category, _, level = word.partition(":")
        if word != "*" and level not in levels.get(category, ()):
            return _misdirected(
                f"no such scope in the gateway's URL: {word[:_QUOTED]!r}"
            )
    return " ".join(dict.fromkeys(words))


def _misdirected(reason: str) -> Answer:
    """The gateway asks for what there isn't: nobody passes, and whoever set it up can see why.

    It isn't a 5xx, after which gateways may be set up to let requests pass.
    """
    told = reason.encode("unicode_escape").decode("ascii")
    return Answer(400, f"x-patql-note: {told}\r\n".encode("ascii"))
