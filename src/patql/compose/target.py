"""The target of statements, and the credential that belongs to it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from patql.compose.api import open_api
from patql.compose.authority import DATABASE, Authority, make_first, policy
from patql.config import Settings
from patql.engine.ports import Transport
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest.pauses import RETRY

if TYPE_CHECKING:
    from patql.rest.origin import Base

EMBEDDED = "embedded"
LINODE = "https://api.linode.com"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of the target, over what the environment says; None and False where they say nothing.

    Attributes:
        url: a base URL that ends in /v4 or /v4beta.
        path: the file of an embedded authority other than the user's own.
        embedded: the embedded authority, whatever the environment names.
        token: the token to send.
        token_file: a file that holds the token to send and nothing else.
        insecure: whether the token may go over plain http to another machine.
        retry: seconds for which a request is sent again that a server has put off or lost; 0: never.
    """

    url: str | None = None
    path: Path | None = None
    embedded: bool = False
    token: Secret | None = None
    token_file: Path | None = None
    insecure: bool = False
    retry: float = RETRY


def open_target(
    settings: Settings,
    choice: Choice,
    note: Callable[[str], None],
    announce: Callable[[str], None] | None = None,
) -> Transport:
    """The target, to be opened with the first request; see `open_session`."""
    from patql.rest.deferred import DeferredTransport

    base = _named(settings, choice)
    if base is None:
        path = choice.path or settings.data_dir / DATABASE
        token = _given_token(settings, choice, None)

        def embedded() -> Transport:
            if announce is not None:
                announce(f"{EMBEDDED}, {path}")
            return _embedded(settings, path, token, note)

        return DeferredTransport(EMBEDDED, embedded)
    credential = _token_for(base, settings, choice)

    def remote() -> Transport:
        from patql.rest.http import HttpTransport

        if announce is not None:
            announce(base.url)
        variable = _variable(base, settings)
        return HttpTransport(
            base.url, credential, variable=variable, retry=choice.retry
        )

    return DeferredTransport(base.url, remote)


def store_token(settings: Settings, choice: Choice, ask: Callable[[], Secret]) -> str:
    """Keep a token for a URL's origin, once the server there has accepted it.

    Args:
        settings: say where it is kept.
        choice: names the URL.
        ask: gives the token; it isn't asked for a URL that it can't be sent to.

    Returns:
        The username that the server knows the token's owner by.

    Raises:
        PatqlError: CREDENTIAL where the server refuses the token, and as `open_session`.
    """
    from patql.kernel.http import Request
    from patql.rest.credentials import Credentials
    from patql.rest.http import HttpTransport

    base = _named(settings, choice)
    if base is None:
        raise PatqlError(Code.USAGE, "a token is stored for a --url")
    check_confidential(base, choice)
    token = ask()
    transport = HttpTransport(base.url, token)
    try:
        (answer,) = transport.send([Request("GET", "/profile")], 1)
    finally:
        transport.close()
    if answer.status != 200:
        raise PatqlError(
            Code.CREDENTIAL,
            f"{base.url} doesn't accept the token ({answer.status} for GET /profile); it isn't stored",
        )
    try:
        profile = msgspec.json.decode(answer.body, type=_Profile)
    except msgspec.DecodeError as error:
        raise PatqlError(
            Code.BAD_RESPONSE,
            f"{base.url} isn't a Linode API: GET /profile names no username",
        ) from error
    with Credentials(settings.data_dir).edit() as tokens:
        tokens[base.origin] = token.reveal()
    return profile.username


def keep_embedded(settings: Settings, token: Secret) -> Path:
    """Store a token of the user's own embedded authority; returns the folder."""
    from patql.rest.credentials import Credentials

    with Credentials(settings.data_dir).edit() as tokens:
        tokens[EMBEDDED] = token.reveal()
    return settings.data_dir


def _named(settings: Settings, choice: Choice) -> "Base | None":
    """The URL that is the target; None for the embedded authority.

    Raises:
        PatqlError: USAGE where a credential is given and no target named, or the URL can't be one.
    """
    if choice.embedded or choice.path is not None:
        return None
    url = settings.url if choice.url is None else choice.url
    if url is not None:
        from patql.rest import origin

        return origin.parse(url)
    for given, name in (
        (choice.token, "a token"),
        (choice.token_file, "--token-file"),
        (settings.token, "PATQL_TOKEN"),
        (settings.linode_token, "LINODE_TOKEN"),
    ):
        if given is not None:
            likely = f"{LINODE}/v4" if name == "LINODE_TOKEN" else "URL"
            raise PatqlError(
                Code.USAGE,
                f"{name} is given, but not where it belongs",
                hint=f"name the target: --url {likely}, or --embedded for the authority on this machine",
            )
    return None


def _token_for(base: "Base", settings: Settings, choice: Choice) -> Secret | None:
    """The token that belongs to a URL; None where there is none."""
    from patql.rest.credentials import Credentials

    check_confidential(base, choice)
    given = _given_token(settings, choice, base)
    return given or Credentials(settings.data_dir).get(base.origin)


def _given_token(
    settings: Settings, choice: Choice, base: "Base | None"
) -> Secret | None:
    """The token that the caller or the environment gives for the target.

    PATQL_TOKEN goes with PATQL_URL: where another target is named than that one, it isn't sent there.
    """
    if choice.token is not None:
        return choice.token
    if choice.token_file is not None:
        from patql.rest.credentials import read_token

        return read_token(choice.token_file)
    if base is not None and base.origin == LINODE and settings.linode_token:
        return settings.linode_token
    if settings.url is None:
        return settings.token
    from patql.rest import origin

    own = base is not None and origin.parse(settings.url).origin == base.origin
    return settings.token if own else None


def _variable(base: "Base", settings: Settings) -> str | None:
    """The environment variable whose token `_given_token` would send to a URL."""
    if base.origin == LINODE:
        return "LINODE_TOKEN"
    if settings.url is None:
        return "PATQL_TOKEN"
    from patql.rest import origin

    own = origin.parse(settings.url).origin == base.origin
    return "PATQL_TOKEN" if own else None


def check_confidential(base: "Base", choice: Choice) -> None:
    """Refuse to send a credential where others could read it, unless the caller insists.

    Raises:
        PatqlError: USAGE.
    """
    if base.exposed and not choice.insecure:
        raise PatqlError(
            Code.USAGE,
            f"{base.url} is plain http, over which anyone on the way could read the token",
            hint="use https, or say --insecure if the network is yours",
        )


def _embedded(
    settings: Settings, path: Path, token: Secret | None, note: Callable[[str], None]
) -> Transport:
    """The authority on this machine, in process; made now, with a first user and token, where it doesn't exist."""
    from patql.rest.credentials import Credentials
    from patql.rest.inprocess import InProcessTransport

    credentials = Credentials(path.parent)
    own = EMBEDDED if path.name == DATABASE else f"{EMBEDDED}:{path.name}"
    stored = credentials.get(own)
    if stored is None or not path.exists():
        with credentials.edit() as tokens:
            opened = Authority(path, policy=policy(settings))
            if opened.is_empty():
                tokens[own] = make_first(opened, None).secret.reveal()
                note(
                    f"made the embedded authority {path}; its root token is in {path.parent / 'credentials.json'}"
                )
            stored = Secret(tokens[own]) if own in tokens else None
    else:
        opened = Authority(path, policy=policy(settings))
    acting = token or stored
    if acting is None:
        opened.close()
        raise PatqlError(
            Code.CREDENTIAL,
            f"there is no token for the embedded authority {path}",
            hint="`patql init --recover` makes a new root token",
        )
    api = open_api(opened, settings)
    return InProcessTransport(EMBEDDED, "/v4", api.handle, acting, opened.close)


class _Profile(msgspec.Struct):
    username: str
