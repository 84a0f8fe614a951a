"""`/oauth/introspect` (RFC 7662) and `/oauth/revoke` (RFC 7009): what standard clients ask and tell of a token.

    POST /oauth/introspect   token=pql_…      by a verifier or an admin: whether it is good, and what it may do
    POST /oauth/revoke       token=pql_…      by whoever holds it: it isn't good any more

Bodies are forms. A token's secret is in them, so nothing of a body ever comes back.
"""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

import msgspec

from patql.api import headers
from patql.api.authorize import credential
from patql.api.bodies import LIMIT
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason, Role
from patql.kernel.http import Headers, Request, Response

INTROSPECT = "/oauth/introspect"
REVOKE = "/oauth/revoke"

_FORM = b"application/x-www-form-urlencoded"
_FIELDS = 16  # that a form may have; either takes two
_ASKERS = frozenset({Role.VERIFIER, Role.ADMIN})
_INACTIVE = b'{"active":false}'

_Verify = Callable[[bytes, Sequence[str]], Granted | Denied]


class Active(msgspec.Struct, omit_defaults=True):
    """An active token (RFC 7662, section 2.2); instants are seconds since the epoch.

    Attributes:
        scope: as given at creation, with spaces between; `*` is every scope.
        username: the owner's.
        sub: the owner's id, which is never given again, as text.
        jti: the token's id, as text.
        exp: left out where it doesn't expire.
        iat: when it was created; left out where that isn't known any more.
    """

    active: bool
    token_type: str
    scope: str
    username: str
    sub: str
    jti: str
    exp: int | None = None
    iat: int | None = None


class Refused(msgspec.Struct, omit_defaults=True):
    """Why a request can't be answered (RFC 6749, section 5.2)."""

    error: str
    error_description: str = ""


_encode = msgspec.json.Encoder().encode


class OAuth:
    """Both endpoints.

    Args:
        authority: users and tokens.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def introspects(self, request: Request) -> bool:
        """Whether a request is an introspection, whose own token has to be verified."""
        return request.path == INTROSPECT and request.method == "POST"

    def answer(self, request: Request, verify: _Verify) -> Response | None:
        """The answer to a request; None where its path is another."""
        if request.path not in (INTROSPECT, REVOKE):
            return None
        if request.method == "OPTIONS":
            return Response(204, [*headers.BARE, (b"allow", b"OPTIONS, POST")])
        if request.method != "POST":
            allow: Headers = [(b"allow", b"OPTIONS, POST")]
            return _refused(405, "invalid_request", "the method is POST", allow)
        if request.path == INTROSPECT:
            return self._introspect(request, verify)
        return self._revoke(request, verify)

    def _introspect(self, request: Request, verify: _Verify) -> Response:
        asker = verify(credential(request.headers) or b"", ())
        if isinstance(asker, Denied):
            challenge = (b"www-authenticate", b'Bearer error="invalid_token"')
            return _refused(401, "invalid_token", "", [challenge])
        user = self._authority.user(asker.user)
        if user is None or user.role not in _ASKERS:
            reason = "introspection is for users with the role verifier or admin"
            return _refused(403, "access_denied", reason)
        token = _token(request)
        if isinstance(token, Response):
            return token
        verdict = self._authority.verify(token)
        if isinstance(verdict, Denied):
            return Response(200, headers.PLAIN, _INACTIVE)
        return Response(200, headers.PLAIN, _encode(self._active(verdict)))

    def _active(self, granted: Granted) -> Active:
        number = granted.token_id
        kept = None if number is None else self._authority.get(granted.user, number)
        return Active(
            active=True,
            token_type="Bearer",  # noqa: S106  (a scheme, not a secret)
            scope=granted.scopes,
            username=granted.user,
            sub=str(granted.uid),
            jti=str(number),
            exp=granted.expiry,
            iat=None if kept is None else kept.created,
        )

    def _revoke(self, request: Request, verify: _Verify) -> Response:
        """Whoever holds a token may end it, and needs nothing else; the answer is the same for one that never was."""
        token = _token(request)
        if isinstance(token, Response):
            return token
        verdict = verify(token, ())
        if isinstance(verdict, Granted) or verdict.reason is not Reason.UNKNOWN:
            self._authority.revoke_presented(token)
        sent = [pair for pair in headers.PLAIN if pair not in headers.JSON]
        return Response(200, sent)


def _token(request: Request) -> bytes | Response:
    """The field `token` of the form; a refusal where there isn't exactly one (RFC 6749, section 3.1)."""
    media_type = (request.header(b"content-type") or b"").partition(b";")[0]
    if media_type.strip().lower() != _FORM or len(request.body) > LIMIT:
        return _refused(400, "invalid_request", "the body is a form, urlencoded")
    try:
        text = request.body.decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        fields = []
    tokens = [value for name, value in fields if name == "token"]
    if len(tokens) != 1:
        return _refused(400, "invalid_request", "the form has one field `token`")
    return tokens[0].encode()


def _refused(
    status: int, error: str, reason: str, further: Headers | None = None
) -> Response:
    sent = [*headers.PLAIN, *(further or ())]
    return Response(status, sent, _encode(Refused(error, reason)))
