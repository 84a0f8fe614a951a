"""The API: `Api.handle` takes a request and gives a response, whatever the request is."""

from collections.abc import Callable, Sequence

from patql.api import headers, problems
from patql.api.authorize import credential
from patql.api.batches import Batches
from patql.api.events import Events
from patql.api.oauth import INTROSPECT, REVOKE, OAuth
from patql.api.profile import Profile
from patql.api.routes import (
    PREFIXES,
    Act,
    Endpoint,
    Route,
    Routes,
    operations,
    served,
)
from patql.api.tokens import Tokens
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.authority.ports import UndoneError
from patql.catalog.document import Provider
from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem
from patql.kernel.http import Headers, Request, Response

WRITES = frozenset({"POST", "PUT", "DELETE"})
"""Methods that may change something, and so may wait for a disk."""

DOCUMENT = "/openapi.json"
"""Where the document is that describes the API."""

OWN = ("/healthz", DOCUMENT, INTROSPECT, REVOKE)
"""Paths that no provider document describes."""

BAD_TOKEN = "Invalid Token"  # noqa: S105  (what a client is told, not a token)
NO_SCOPE = "Your OAuth token is not authorized to use this endpoint."

CHALLENGE = b"www-authenticate"
_ADMINISTRATION = tuple(f"{prefix}/patql/" for prefix in PREFIXES)
_SHOWN_PATH = 200  # characters of a path or method that a reason repeats

Report = Callable[[Exception], None]
"""Takes an error that the client isn't told of: whoever runs the API may log it, redacted."""


Verify = Callable[[bytes, Sequence[str]], Granted | Denied]
"""What gives the verdict on a secret and the scopes that are needed: the authority, or whoever stands before it."""


class Api:
    """The Linode API v4, as far as the provider document describes it.

    Args:
        authority: users and tokens.
        provider: the operations by id, with their paths, the scopes they need and what may be filtered on.
        openapi: the document that `/openapi.json` sends.
        administration: gives the operations of whoever runs the authority, when one is first asked for; where it is
            omitted, there are none.
    """

    def __init__(
        self,
        authority: Authority,
        provider: Provider,
        openapi: bytes,
        administration: Callable[[], Provider] | None = None,
    ) -> None:
        self.authority = authority
        self._openapi = openapi
        self._oauth = OAuth(authority)
        methods = operations(provider)
        profile = Profile(authority)
        tokens = Tokens(authority, methods["getPersonalAccessTokens"])
        batches = Batches(authority)
        events = Events(authority, methods["getEvents"])
        acts: dict[str, Act] = {
            "getProfile": profile.view,
            "getProfileGrants": profile.grants,
            "getPersonalAccessTokens": tokens.page,
            "createPersonalAccessToken": tokens.create,
            "getPersonalAccessToken": tokens.view,
            "updatePersonalAccessToken": tokens.update,
            "deletePersonalAccessToken": tokens.delete,
            "createPersonalAccessTokens": batches.create,
            "updatePersonalAccessTokens": batches.update,
            "deletePersonalAccessTokens": batches.delete,
            "getEvents": events.page,
            "getEvent": events.view,
        }
        self._routes = served(methods, acts)
        self._administration = administration
        self._admins: Routes | None = None

    def handle(
        self,
        request: Request,
        report: Report | None = None,
        verify: Verify | None = None,
    ) -> Response:
        """The answer to a request; it raises nothing.

        Args:
            request: its path starts with `/v4` or `/v4beta`, or is one of the server's own.
            report: takes an error that became a 5xx.
            verify: gives the verdicts; the authority does where it is omitted.
        """
        try:
            response = self._answer(request, verify or self.authority.verify)
        except Exception as error:  # noqa: BLE001  (the outermost shell: whatever it is, the client gets JSON)
            response = _failure(error, report)
        return _head(response) if request.method == "HEAD" else response

    def handle_together(
        self,
        requests: Sequence[tuple[Request, Verify]],
        report: Report | None = None,
    ) -> list[Response]:
        """The answers to requests that came at once, whose changes become durable together; it raises nothing."""
        try:
            with self.authority.together():
                return [self.handle(one, report, verify) for one, verify in requests]
        except UndoneError:
            return [self.handle(one, report, verify) for one, verify in requests]
        except Exception as error:  # noqa: BLE001  (nothing of any of them was kept)
            return [_failure(error, report)] * len(requests)

    def writes(self, request: Request) -> bool:
        """Whether a request may change something."""
        return request.method in WRITES and not self._oauth.introspects(request)

    def asks(self, request: Request) -> tuple[bytes, Sequence[str]] | None:
        """The secret that a request is verified by, and the scopes that it needs; None where it is answered to anyone."""
        if self._oauth.introspects(request):
            return credential(request.headers) or b"", ()
        found = self._find(request.path)
        endpoint = found[0].endpoints.get(request.method) if found else None
        if endpoint is None:
            return None
        return credential(request.headers) or b"", endpoint.needs

    @property
    def templates(self) -> tuple[str, ...]:
        """Every path that is answered, with the parameters' names where they stand."""
        admins = self._admins_routes()
        further = admins.templates if admins else ()
        return (*self._routes.templates, *further, *OWN)

    def template(self, path: str) -> str | None:
        """The one of these that a path is; None for any other."""
        found = self._find(path)
        if found is not None:
            return found[0].template
        return path if path in OWN else None

    def close(self) -> None:
        """Close the authority; the API can't be used afterwards."""
        self.authority.close()

    def _find(self, path: str) -> tuple[Route, str] | None:
        """The route of a path, and the value of the parameter that it ends in."""
        found = self._routes.find(path)
        if found is None and path.startswith(_ADMINISTRATION):
            admins = self._admins_routes()
            found = admins.find(path) if admins else None
        return found

    def _admins_routes(self) -> Routes | None:
        if self._admins is None and self._administration is not None:
            self._admins = _administered(self.authority, self._administration())
        return self._admins

    def _answer(self, request: Request, verify: Verify) -> Response:
        found = self._find(request.path)
        if found is None:
            return self._oauth.answer(request, verify) or self._own(request)
        route, item = found
        endpoint = route.endpoints.get(request.method)
        if endpoint is None:
            return _without_operation(request.method, route.allow)
        verdict = verify(credential(request.headers) or b"", endpoint.needs)
        if isinstance(verdict, Denied):
            return _denied(verdict, endpoint)
        try:
            answer = endpoint.act(verdict, request, item)
        except PatqlError as error:
            if error.code is Code.INVALID_TOKEN:  # revoked since it was verified
                return _bad_token(endpoint)
            if problems.BY_CODE[error.code] >= problems.BY_CODE[Code.INTERNAL]:
                raise
            sent = headers.granted(endpoint.accepted, verdict.scopes)
            return _refusal(error, sent)
        sent = headers.granted(endpoint.accepted, verdict.scopes)
        if answer.status == 204:
            sent = [pair for pair in sent if pair not in headers.JSON]
        elif answer.headers:
            sent = [*sent, *answer.headers]
        return Response(answer.status, sent, answer.body)

    def _own(self, request: Request) -> Response:
        """What the server says of itself, to anyone."""
        if request.path == DOCUMENT:
            body = self._openapi
        elif request.path == "/healthz":
            self.authority.is_empty()  # reads the store, so that a broken one is a 503
            body = b'{"status":"ok"}'
        else:
            problem = Problem(f"Unknown path {request.path[:_SHOWN_PATH]}")
            return _refusal(
                InvalidRequestError(problem, code=Code.UNKNOWN_PATH), headers.PLAIN
            )
        if request.method not in ("GET", "HEAD"):
            return _without_operation(request.method, b"GET, HEAD, OPTIONS")
        return Response(200, headers.PLAIN, body)


def _administered(authority: Authority, provider: Provider) -> Routes:
    """The operations of whoever runs the authority, which a statement about one's own tokens needn't wait for."""
    from patql.api.audit import Audit
    from patql.api.entries import Entries
    from patql.api.users import Users

    methods = operations(provider)
    users = Users(authority, methods["getUsers"])
    entries = Entries(authority, methods["getTokens"])
    audit = Audit(authority, methods["getAuthorityEvents"])
    acts: dict[str, Act] = {
        "getUsers": users.page,
        "getUser": users.view,
        "createUser": users.create,
        "updateUser": users.update,
        "deleteUser": users.delete,
        "getTokens": entries.page,
        "getToken": entries.view,
        "deleteToken": entries.delete,
        "getAuthorityEvents": audit.page,
    }
    return served(methods, acts)


def _denied(verdict: Denied, endpoint: Endpoint) -> Response:
    """401 either way, as at Linode; only its own scopes tell a token without the needed ones that it is good."""
    if verdict.granted is None:
        return _bad_token(endpoint)
    sent = headers.granted(endpoint.accepted, verdict.granted.scopes)
    challenge = b'Bearer error="insufficient_scope", scope="%b"' % endpoint.accepted
    return _refusal(
        PatqlError(Code.INSUFFICIENT_SCOPE, NO_SCOPE), [*sent, (CHALLENGE, challenge)]
    )


def _bad_token(endpoint: Endpoint) -> Response:
    """The same for every reason, so that nobody learns whether a token ever was."""
    sent = [*headers.PLAIN, *headers.told(endpoint.accepted, b"unknown")]
    challenge = (CHALLENGE, b'Bearer error="invalid_token"')
    return _refusal(PatqlError(Code.INVALID_TOKEN, BAD_TOKEN), [*sent, challenge])


def _without_operation(method: str, allow: bytes) -> Response:
    """A preflight is answered to anyone; any other method is refused with those that there are."""
    allowed = (b"allow", allow)
    if method == "OPTIONS":
        return Response(204, [*headers.BARE, allowed])
    problem = f"{method[:_SHOWN_PATH]} isn't allowed here; {allow.decode()} are"
    return _refusal(
        PatqlError(Code.METHOD_NOT_ALLOWED, problem), [*headers.PLAIN, allowed]
    )


def _failure(error: Exception, report: Report | None) -> Response:
    """What is told of an error that nobody expected here: of ours, that there was one."""
    if report is not None and not isinstance(error, UndoneError):
        report(error)
    if not isinstance(error, PatqlError):
        error = PatqlError(Code.INTERNAL, problems.INTERNAL)
    return _refusal(error, headers.PLAIN)


def _refusal(error: PatqlError, sent: Headers) -> Response:
    status = problems.BY_CODE[error.code]
    if status == problems.BY_CODE[Code.UNAVAILABLE]:
        sent = [*sent, (b"retry-after", problems.RETRY_AFTER)]
    return Response(status, sent, problems.body(problems.told(error)))


def _head(response: Response) -> Response:
    """The same without the body, whose length the client still learns (RFC 9110, section 9.3.2)."""
    if response.status == 204:
        return response
    length = (b"content-length", b"%d" % len(response.body))
    return Response(response.status, [*response.headers, length])
