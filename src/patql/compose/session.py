"""A session: the engine, its catalog, and the target."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from patql import config
from patql.compose.api import PATQL, administration, provider
from patql.compose.target import LINODE, Choice, open_target
from patql.config import Settings
from patql.engine.ports import Dialogue, Transport
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest.deferred import DeferredTransport
from patql.rest.pauses import RETRY

if TYPE_CHECKING:
    from patql.catalog.document import Provider
    from patql.engine.session import Session
    from patql.engine.state import Options


def open_session(
    settings: Settings,
    choice: Choice,
    dialogue: Dialogue,
    *,
    announce: Callable[[str], None] | None = None,
    clock: Clock | None = None,
    providers: Mapping[str, Path] | None = None,
    provider_urls: Mapping[str, str] | None = None,
    options: "Options | None" = None,
) -> "Session":
    """A session that runs SQL against the target that the caller or the environment names.

    Args:
        settings: the environment's.
        choice: the caller's.
        dialogue: whom to ask and tell.
        announce: told the target, once, when the first request is about to go there.
        clock: where the present comes from.
        providers: folders of further providers' documents, by the names that statements use.
        provider_urls: where requests to them go, and their credentials belong, by the same names.
        options: how statements are run.

    Raises:
        PatqlError: USAGE or CREDENTIAL, where target and credential don't belong together; USAGE or SCHEMA where a
            provider can't be used.
    """
    from patql.catalog.names import Catalog
    from patql.engine.session import Session

    own = provider(settings)
    others: tuple[Provider, ...] = ()
    transports: dict[str, Transport] = {}
    if providers or provider_urls:
        from patql.compose.providers import load_providers, open_providers, warnings

        urls = provider_urls or {}
        others = load_providers(settings, providers or {}, (own.name, PATQL), urls)
        transports = open_providers(settings, choice, others, urls, announce)
        for warning in (w for other in others for w in warnings(other)):
            dialogue.note(warning)
    target = open_target(settings, choice, dialogue.note, announce)
    if target.target.startswith(f"{LINODE}/"):
        transports[PATQL] = DeferredTransport(target.target, _refuse_authority)
    return Session(
        Catalog((own, *others), {PATQL: lambda: administration(settings)}),
        target,
        clock or SystemClock(),
        dialogue,
        transports=transports,
        options=options,
    )


def _refuse_authority() -> NoReturn:
    raise PatqlError(
        Code.UNSUPPORTED,
        f"{LINODE} has nothing of `{PATQL}`: it is about an authority of PatQL's own",
        hint="name a server of yours by --url, or --embedded for the authority on this machine",
    )


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    path: str | os.PathLike[str] | None = None,
    providers: Mapping[str, str | os.PathLike[str]] | None = None,
    provider_urls: Mapping[str, str] | None = None,
    concurrency: int | None = None,
    retry: float = RETRY,
    timeout: float | None = None,
    local: str | os.PathLike[str] | None = None,
) -> "Session":
    """A session that runs SQL, for Python.

    Args:
        url: a target's base URL, which ends in /v4 or /v4beta; without it, `PATQL_URL`, else the embedded authority.
        token: the token to send to that target; without it the environment's or the stored one.
        path: the SQLite file of an embedded authority other than the user's own.
        providers: folders of further providers' documents, by the names that statements use.
        provider_urls: where requests to them go, and their credentials belong, by the same names.
        concurrency: requests under way at once, 16 unless given.
        retry: seconds for which a request is sent again that a server has put off or lost; 0: never.
        timeout: seconds that a statement may take.
        local: the DuckDB file that local tables last in; without it they go with the session.

    Raises:
        PatqlError: USAGE or CREDENTIAL, where target and credential don't belong together; USAGE or SCHEMA where a
            provider can't be used.
    """
    from patql.engine.state import CONCURRENCY, Options

    if concurrency is not None and concurrency < 1:
        raise PatqlError(Code.USAGE, f"concurrency is at least 1, not {concurrency}")
    choice = Choice(
        url=url,
        path=Path(path) if path is not None else None,
        token=Secret(token) if token is not None else None,
        retry=retry,
    )
    options = Options(
        concurrency=concurrency or CONCURRENCY,
        files=True,
        local=Path(local) if local is not None else None,
        timeout=timeout,
    )
    return open_session(
        config.read(os.environ),
        choice,
        _Log(),
        providers={name: Path(folder) for name, folder in (providers or {}).items()},
        provider_urls=provider_urls,
        options=options,
    )


class _Log:
    """The Dialogue of a Python program: notes go to the logger `patql`, and nobody can be asked."""

    def note(self, message: str) -> None:
        """Log it."""
        import logging

        logging.getLogger("patql").warning(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is asked."""
        self.note(question)
        return otherwise
