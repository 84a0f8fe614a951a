"""A target over HTTP: how a request is addressed to it, and what is said where no answer came."""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pyreqwest import exceptions

from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Headers, Request, Response
from patql.kernel.secrets import Secret
from patql.kernel.version import __version__
from patql.rest.auth import Credential
from patql.rest.origin import Base
from patql.rest.sockets import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

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
_CUT_SHORT = "error reading a body from connection"


class Target(ABC):
    """Where requests go, and what authorises them there.

    Args:
        name: the target as a person knows it: its URL, if it has one.
        option: how a person names its URL, for hints.
        credential: what belongs to the target, None where nothing does; or why requests can't be made.
    """

    def __init__(
        self, name: str, option: str, credential: Credential | PatqlError | None
    ) -> None:
        self.name = name
        self._option = option
        self._credential = credential
        self._places = dict[str | None, Base]()

    @abstractmethod
    def place(self, base: str | None) -> Base:
        """What a request's path is relative to; the credential goes there if its origin is that.

        Args:
            base: what the request itself says of it.

        Raises:
            PatqlError: USAGE where there is no such URL, or it can't be asked.
        """

    @property
    def acting(self) -> str | None:
        """The first 16 characters of the bearer token that is sent, None where there is none."""
        match self._credential:
            case Credential(token=Secret() as token):
                return token.shown
            case _:
                return None

    def check(self) -> None:
        """Say why nothing can be sent.

        Raises:
            PatqlError: CREDENTIAL, and what the target's document can't have.
        """
        if isinstance(self._credential, PatqlError):
            raise self._credential
        if self._credential is not None:
            self._credential.check(self.name)

    def configure(self, client: "Client", mark: Mark) -> "Client":
        """Our settings, for either of pyreqwest's clients.

        Redirects are never followed: a credential belongs to one origin, and a 3xx is an answer like any other.
        """
        client = (
            client.user_agent(f"patql/{__version__}")
            .connect_timeout(timedelta(seconds=CONNECT_TIMEOUT))
            .timeout(timedelta(seconds=TIMEOUT))
            .tcp_keepalive(timedelta(seconds=mark.seconds))
            .follow_redirects(enable=False)
            .referer(enable=False)
        )
        # A proxy of plain http would read the token.
        return client.no_proxy() if self.name.startswith("http:") else client

    def build(
        self, make: "Callable[[str, str], Builder]", request: Request
    ) -> "Builder":
        """The request as `make`, of either of pyreqwest's clients, begins it: with its headers, body and credential.

        Raises:
            PatqlError: INVALID for a path with a `.` or `..` segment, which URL parsers resolve to another path; USAGE
                where it would go to a place that can't be asked.
        """
        if not {".", ".."}.isdisjoint(request.path.split("/")):
            raise PatqlError(
                Code.INVALID,
                f"{request.path} can't be asked for: a part of it is `.` or `..`",
            )
        place = self._place_of(request)
        own = self._credential
        headers, keys = (
            (own.headers, own.query)
            if isinstance(own, Credential) and own.origin == place.origin
            else ((), ())
        )
        query = request.query
        for parameter, key in keys:
            query += f"{'&' if query else ''}{parameter}={key.reveal()}"
        url = place.url + request.path + ("?" + query if query else "")
        builder = make(request.method, url)
        for name, value in request.headers:
            builder = builder.header(name.decode("latin-1"), value.decode("latin-1"))
        for header, secret in headers:
            builder = builder.header(header, secret.reveal(), is_sensitive=True)
        return builder.body_bytes(request.body) if request.body else builder

    def no_answer(self, request: Request, error: Exception) -> Exception:
        """What to say of a request that got no answer; an error that isn't of the network stays as it is."""
        if not isinstance(error, exceptions.RequestError):
            return error
        base = self._place_of(request).url
        named = f"{request.method} {base}{request.path}"
        cause = self._scrubbed(_cause(error))
        match error:
            case exceptions.RequestTimeoutError():
                return PatqlError(
                    Code.UNREACHABLE,
                    f"{named} got no answer (waited {CONNECT_TIMEOUT} s to connect, {TIMEOUT} s in all)",
                    hint=f"check the host and port of {self._option}, and that no firewall is in the way",
                )
            case exceptions.DecodeError():
                return PatqlError(
                    Code.BAD_RESPONSE,
                    f"{named} sent a body that can't be read: {cause}",
                )
            case exceptions.ConnectError() if _CONNECTING in _causes(error):
                return PatqlError(
                    Code.UNREACHABLE,
                    f"can't connect to {base}: {cause}",
                    hint=self._what_to_check(cause),
                )
            case _:
                return PatqlError(
                    Code.UNREACHABLE,
                    f"{named} got no answer, the connection broke: {cause}",
                    hint="it isn't known whether the server acted on it",
                )

    def _place_of(self, request: Request) -> Base:
        if request.base not in self._places:
            self._places[request.base] = self.place(request.base)
        return self._places[request.base]

    def _scrubbed(self, text: str) -> str:
        own = self._credential
        return own.scrub(text) if isinstance(own, Credential) else text

    def _what_to_check(self, cause: str) -> str:
        if "certificate" in cause:
            return "the server's certificate must be valid, and signed by an authority that this machine trusts or SSL_CERT_FILE names"
        return (
            f"check the host and port of {self._option}, and that the server is running"
        )


def may_pass(error: Exception, *, heard: bool) -> bool:
    """Whether a request that got no answer may get one later.

    Args:
        error: what pyreqwest raised.
        heard: whether the server has ever answered; one that hasn't, and can't be reached, isn't waited for.
    """
    match error:
        case exceptions.DecodeError():
            return _CUT_SHORT in _causes(error)
        case exceptions.RequestTimeoutError():
            return heard
        case exceptions.ConnectError() if _CONNECTING in _causes(error):
            return heard and "certificate" not in _cause(error)
        case _:
            return isinstance(error, exceptions.TransportError)


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
