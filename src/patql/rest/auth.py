"""What authorises requests to one origin, made from how a provider's document says that they are authorised."""

import re
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import quote

import msgspec

from patql.catalog.document import Auth
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret

_SENDABLE = re.compile("(?:[!-~]+ )?[!-~]+")
"""What a header can hold: a scheme, and one word; RFC 9110, section 5.5, allows more."""

_NAME = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.1)."""


class Credential(msgspec.Struct, frozen=True):
    """What is sent with each request to one origin, and to no other.

    Attributes:
        origin: as `rest.origin.Base` has it.
        headers: name and value of each.
        query: percent-encoded name and value of each parameter.
        token: the bearer token, None where another kind of credential is sent.
    """

    origin: str
    headers: tuple[tuple[str, Secret], ...] = ()
    query: tuple[tuple[str, Secret], ...] = ()
    token: Secret | None = None

    def check(self, named: str) -> None:
        """Refuse what headers can't hold.

        Raises:
            PatqlError: CREDENTIAL, which calls the target `named`.
        """
        for name, value in self.headers:
            if not _NAME.fullmatch(name):
                raise PatqlError(
                    Code.CREDENTIAL,
                    f"the credential for {named} can't be sent: {name!r} can't be a header's name",
                )
            if not _SENDABLE.fullmatch(value.reveal()):
                raise PatqlError(
                    Code.CREDENTIAL,
                    f"the token for {named} can't be sent: a token is one word of ASCII letters, digits and signs",
                )

    def scrub(self, text: str) -> str:
        """The text without what the URL holds of the credential."""
        for _, value in self.query:
            text = text.replace(value.reveal(), "…")
        return text


def bearer(origin: str, token: Secret, prefix: str = "Bearer ") -> Credential:
    """A bearer token (RFC 6750); some services want another word before it."""
    header = ("Authorization", Secret(prefix + token.reveal()))
    return Credential(origin, (header,), token=token)


class Secrets:
    """Where the secrets for an origin come from.

    Args:
        origin: where they belong.
        find: the value of an environment variable.
        stored: what was stored for the origin; of a user and a password, both with a colon between.
    """

    def __init__(
        self,
        origin: str,
        find: Callable[[str], Secret | None],
        stored: Secret | None,
    ) -> None:
        self.origin = origin
        self._find = find
        self._stored = stored

    def key(self, auth: Auth) -> Secret:
        """The one secret that a document asks for.

        Raises:
            PatqlError: CREDENTIAL where there is none.
        """
        found = self._find(auth.variables[0]) if auth.variables else None
        return found or self._stored or self._missing(auth)

    def pair(self, auth: Auth) -> Secret:
        """A user's name and password, in base64 (RFC 7617); one variable without a colon is in base64 already.

        Raises:
            PatqlError: CREDENTIAL where they aren't there, or the name holds a colon.
        """
        if len(auth.variables) < 2:
            given = self.key(auth)
            return _encoded(given) if ":" in given.reveal() else given
        user, password = (self._find(name) for name in auth.variables[:2])
        if user is None or password is None:
            return _encoded(self._stored or self._missing(auth))
        if ":" in user.reveal():
            raise PatqlError(
                Code.CREDENTIAL,
                f"the user's name in {auth.variables[0]} can't be sent: it holds a colon",
            )
        return _encoded(Secret(f"{user.reveal()}:{password.reveal()}"))

    def beside(self) -> "Secrets":
        """Those for what is sent as well: the environment's alone."""
        return Secrets(self.origin, self._find, None)

    def _missing(self, auth: Auth) -> NoReturn:
        named = " and ".join(auth.variables) or "no environment variable"
        raise PatqlError(
            Code.CREDENTIAL,
            f"there is no credential for {self.origin}: {named} would hold it",
            hint=f"set {named}" if auth.variables else None,
        )


def credential(auth: Auth, secrets: Secrets) -> Credential | None:
    """The credential that a document asks for; None where it asks for none.

    Raises:
        PatqlError: CREDENTIAL where there is none; UNSUPPORTED for a type that isn't known.
    """
    match auth.type:
        case "null":
            return None
        case "bearer":
            prefix = auth.prefix or "Bearer "
            return bearer(secrets.origin, secrets.key(auth), prefix)
        case "basic":
            text = (auth.prefix or "Basic ") + secrets.pair(auth).reveal()
            return Credential(secrets.origin, (("Authorization", Secret(text)),))
        case "api_key" | "custom":
            return _key(auth, secrets)
        case _:
            raise PatqlError(
                Code.UNSUPPORTED,
                f"requests to {secrets.origin} are to be authorised by `{auth.type}`, which PatQL can't do",
            )


def _key(auth: Auth, secrets: Secrets) -> Credential:
    """A key, and those that its successors add."""
    text = auth.prefix + secrets.key(auth).reveal()
    more = auth.successor and credential(auth.successor, secrets.beside())
    headers, query = (more.headers, more.query) if more else ((), ())
    if auth.location == "query":
        query = ((quote(auth.name, safe=""), Secret(quote(text, safe=""))), *query)
    else:
        headers = ((auth.name, Secret(text)), *headers)
    return Credential(secrets.origin, headers, query)


def _encoded(pair: Secret) -> Secret:
    from base64 import b64encode

    return Secret(b64encode(pair.reveal().encode()).decode())
