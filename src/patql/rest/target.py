"""A target over HTTP: how a request is addressed to it, and what is said where no answer came."""

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pyreqwest import exceptions

from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers, Request, Response
from patql.kernel.secrets import Secret
from patql.kernel.version import __version__

if TYPE_CHECKING:
    from pyreqwest.bytes import Bytes
    from pyreqwest.client import BaseClientBuilder
    from pyreqwest.http import HeaderMap
    from pyreqwest.request import BaseRequestBuilder
    from pyreqwest.response import BaseResponse

    Client = TypeVar("Client", bound=BaseClientBuilder)
    Builder = TypeVar("Builder", bound=BaseRequestBuilder)

CONNECT_TIMEOUT = 10
"""Seconds to reach the server."""
TIMEOUT = 60
"""Seconds for a request and the whole of its answer."""

# pyreqwest also calls it a ConnectError where an established connection is closed before the answer.
_CONNECTING = "client error (Connect)"


class Target:
    """A base URL without trailing slash, such as `https://api.linode.com/v4`, and the token that belongs to it."""

    def __init__(self, base: str, token: Secret) -> None:
        self._base = base
        self._token = token

    def configure(self, client: "Client") -> "Client":
        """Our settings, for either of pyreqwest's clients.

        Redirects are never followed: a credential belongs to one origin, and a 3xx is an answer like any other.
        """
        client = (
            client.user_agent(f"patql/{__version__}")
            .connect_timeout(timedelta(seconds=CONNECT_TIMEOUT))
            .timeout(timedelta(seconds=TIMEOUT))
            .follow_redirects(enable=False)
            .referer(enable=False)
        )
        # A proxy of plain http would read the token.
        return client.no_proxy() if self._base.startswith("http:") else client

    def url(self, request: Request) -> str:
        """Where the request goes.

        Raises:
            PatqlError: INVALID for a path with a `.` or `..` segment, which URL parsers resolve to another path.
        """
        if not {".", ".."}.isdisjoint(request.path.split("/")):
            raise PatqlError(
                Code.INVALID,
                f"{request.path} can't be asked for: a part of it is `.` or `..`",
            )
        query = f"?{request.query}" if request.query else ""
        return self._base + request.path + query

    def fill(self, builder: "Builder", request: Request) -> "Builder":
        """The builder with the request's headers, body and credential."""
        for name, value in request.headers:
            builder = builder.header(name.decode("latin-1"), value.decode("latin-1"))
        if request.body:
            builder = builder.body_bytes(request.body)
        return builder.bearer_auth(self._token.reveal())

    def no_answer(self, request: Request, error: Exception) -> Exception:
        """What to say of a request that got no answer; an error that isn't of the network stays as it is."""
        named = f"{request.method} {self._base}{request.path}"
        match error:
            case exceptions.RequestTimeoutError():
                return PatqlError(
                    Code.UNREACHABLE,
                    f"{named} got no answer (waited {CONNECT_TIMEOUT} s to connect, {TIMEOUT} s in all)",
                    hint="check the host and port of --url, and that no firewall is in the way",
                )
            case exceptions.DecodeError():
                return PatqlError(
                    Code.BAD_RESPONSE,
                    f"{named} sent a body that can't be read: {_cause(error)}",
                )
            case exceptions.ConnectError() if _CONNECTING in _causes(error):
                return PatqlError(
                    Code.UNREACHABLE,
                    f"can't connect to {self._base}: {_cause(error)}",
                    hint=_what_to_check(_cause(error)),
                )
            case exceptions.RequestError():
                return PatqlError(
                    Code.UNREACHABLE,
                    f"{named} got no answer, the connection broke: {_cause(error)}",
                    hint="it isn't known whether the server acted on it",
                )
            case _:
                return error


def to_response(answer: "BaseResponse", body: "Bytes") -> Response:
    """An answer of pyreqwest's as a plain value."""
    return Response(answer.status, _headers(answer.headers), body.to_bytes())


def _headers(headers: "HeaderMap") -> Headers:
    pairs: Headers = []
    for name in headers:
        try:
            pairs.append((name.encode(), headers[name].encode()))
        except (
            ValueError
        ):  # not ASCII: pyreqwest can't hand it out, and no header we read is
            continue
    return pairs


def _causes(error: exceptions.RequestError) -> list[str]:
    causes = [cause["message"] for cause in error.details.get("causes") or []]
    return causes or [error.message]


def _cause(error: exceptions.RequestError) -> str:
    """The innermost cause: the outer ones repeat the URL."""
    return _causes(error)[-1]


def _what_to_check(cause: str) -> str:
    if "certificate" in cause:
        return "the server's certificate must be valid, and signed by an authority that this machine trusts or SSL_CERT_FILE names"
    return "check the host and port of --url, and that the server is running"
