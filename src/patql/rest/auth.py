"""What authorises requests to one origin, made from how a provider's document says that they are authorised."""

import re
from collections.abc import Callable
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


def credential(
    auth: Auth,
    origin: str,
    find: Callable[[str], Secret | None],
    stored: Secret | None,
) -> Credential | None:
    """The credential that a document asks for; None where it asks for none.

    Args:
        auth: how requests are authorised; a `bearer` one has no other place than its header.
        origin: where the credential belongs.
        find: the value of an environment variable.
        stored: the secret that was stored for the origin; of a user and a password, both with a colon between.

    Raises:
        PatqlError: CREDENTIAL where there is none; UNSUPPORTED for a type that isn't known.
    """
    match auth.type:
        case "null":
            return None
        case "bearer":
            return bearer(
                origin, _secret(auth, origin, find, stored), auth.prefix or "Bearer "
            )
        case "basic":
            pair = _user_and_password(auth, origin, find, stored)
            header = (
                "Authorization",
                Secret((auth.prefix or "Basic ") + pair.reveal()),
            )
            return Credential(origin, (header,))
        case "api_key" | "custom":
            return _key(auth, origin, find, stored)
        case _:
            raise PatqlError(
                Code.UNSUPPORTED,
                f"requests to {origin} are to be authorised by `{auth.type}`, which PatQL can't do",
            )


def _key(
    auth: Auth,
    origin: str,
    find: Callable[[str], Secret | None],
    stored: Secret | None,
) -> Credential:
    """A key, and those that its successors add."""
    key = _secret(auth, origin, find, stored)
    more = auth.successor and credential(auth.successor, origin, find, None)
    headers, query = (more.headers, more.query) if more else ((), ())
    text = auth.prefix + key.reveal()
    if auth.location == "query":
        query = ((quote(auth.name, safe=""), Secret(quote(text, safe=""))), *query)
    else:
        headers = ((auth.name, Secret(text)), *headers)
    return Credential(origin, headers, query)


def _user_and_password(
    auth: Auth,
    origin: str,
    find: Callable[[str], Secret | None],
    stored: Secret | None,
) -> Secret:
    """In base64 (RFC 7617); a single variable that holds no colon is taken to be in base64 already."""
    if len(auth.variables) > 1:
        user, password = (find(name) for name in auth.variables[:2])
        if user is None or password is None:
            if stored is None:
                raise missing(auth, origin)
            return _encoded(stored)
        if ":" in user.reveal():
            raise PatqlError(
                Code.CREDENTIAL,
                f"the user's name in {auth.variables[0]} can't be sent: it holds a colon",
            )
        return _encoded(Secret(f"{user.reveal()}:{password.reveal()}"))
    given = _secret(auth, origin, find, stored)
    return _encoded(given) if ":" in given.reveal() else given


def _encoded(pair: Secret) -> Secret:
    from base64 import b64encode

    return Secret(b64encode(pair.reveal().encode()).decode())


def _secret(
    auth: Auth,
    origin: str,
    find: Callable[[str], Secret | None],
    stored: Secret | None,
) -> Secret:
    found = find(auth.variables[0]) if auth.variables else None
    if found is None and stored is None:
        raise missing(auth, origin)
    return found or stored or Secret("")


def missing(auth: Auth, origin: str) -> PatqlError:
    """What to say where there is no credential."""
    named = " and ".join(auth.variables) or "no environment variable"
    return PatqlError(
        Code.CREDENTIAL,
        f"there is no credential for {origin}: {named} would hold it",
        hint=f"set {named}" if auth.variables else None,
    )
