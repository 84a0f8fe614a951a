"""Providers beside our own: their documents, where their requests go, and the credentials that belong there.

A document is written by others, so it may name an environment variable but not where that is sent: a person does, by the
URL that requests to the provider are to go to.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from patql.catalog.document import Auth, Method, Provider
from patql.catalog.load import from_folder
from patql.compose.target import LINODE, Choice, check_confidential
from patql.config import Settings
from patql.engine.ports import Transport
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest import origin
from patql.rest.auth import Credential, Secrets, credential
from patql.rest.credentials import Credentials
from patql.rest.deferred import DeferredTransport
from patql.rest.origin import Base

OPTION = "--provider-url"


TOLD = 5
"""How many warnings about a provider's documents are told when it is loaded."""


def load_providers(
    settings: Settings,
    folders: Mapping[str, Path],
    taken: Sequence[str],
    urls: Mapping[str, str],
) -> tuple[Provider, ...]:
    """The providers whose documents are in folders, by the names that statements use.

    Args:
        settings: say where what is compiled of documents is kept.
        folders: by the provider's name.
        taken: the names of our own providers.
        urls: where a person wants requests to go, by the provider's name.

    Raises:
        PatqlError: USAGE for a name that is taken, and as `catalog.load.from_folder`.
    """
    names = {name.casefold() for name in taken}
    for name in folders:
        if name.casefold() in names:
            raise PatqlError(
                Code.USAGE,
                f"there is a provider `{name}` already",
                hint=f"give the one in {folders[name]} another name, such as `{name}2`",
            )
        names.add(name.casefold())
    if folders and all(folder.is_dir() for folder in folders.values()):
        with suppress(OSError):  # nothing is kept then
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache = settings.data_dir / "documents"
    loaded = (from_folder(name, folder, cache) for name, folder in folders.items())
    return tuple(
        _with_environment(settings, provider, origin.parse_server(urls[provider.name]))
        if provider.name in urls
        else provider
        for provider in loaded
    )


def warnings(provider: Provider) -> Iterator[str]:
    """What is told of a provider's documents when it is loaded: a handful of sentences, however much is to be said."""
    told, more = provider.warnings[:TOLD], len(provider.warnings) - TOLD
    if more > 0:
        told = told[:-1]
    yield from told
    if more > 0:
        yield f"`{provider.name}`: {more + 1} more warnings about its documents are in SHOW EXTENDED PROVIDERS."


def _with_environment(
    settings: Settings, provider: Provider, consent: Base
) -> Provider:
    """The provider with the variables of its servers' URLs given, where the environment has them.

    They become part of what is asked for, so a document has them from the environment only where a person has said what
    server is asked.
    """
    services = tuple(
        replace(
            service,
            resources=tuple(
                replace(
                    resource,
                    methods=tuple(
                        _given(settings, method, consent) for method in resource.methods
                    ),
                )
                for resource in service.resources
            ),
        )
        for service in provider.services
    )
    return replace(provider, services=services)


def _given(settings: Settings, method: Method, consent: Base) -> Method:
    values = {
        parameter.name: value.reveal()
        for parameter in method.parameters
        if parameter.variable
        and _may_have(settings, parameter.variable, consent)
        and (value := _read(parameter.variable))
    }
    if not values:
        return method
    parameters = tuple(
        replace(p, default=values[p.name], required=False) if p.name in values else p
        for p in method.parameters
    )
    return replace(method, parameters=parameters)


def open_providers(
    settings: Settings,
    choice: Choice,
    providers: tuple[Provider, ...],
    urls: Mapping[str, str],
    announce: Callable[[str], None] | None = None,
) -> dict[str, Transport]:
    """The target of each provider, by its name; each is opened with the first request.

    Args:
        settings: the environment's.
        choice: the caller's, as far as it isn't about the target of statements.
        providers: as `load_providers` gives them.
        urls: where a person wants requests to go, by the provider's name.
        announce: told where requests go, once a provider, when the first one is about to.

    Raises:
        PatqlError: USAGE for a URL that can't be one, or of no provider.
    """
    named = {provider.name: provider for provider in providers}
    consents = dict[str, Base]()
    for name, url in urls.items():
        if name not in named:
            raise PatqlError(
                Code.USAGE,
                f"{OPTION} {name}=… is for a provider that isn't there",
                hint=f"there is {', '.join(named)}" if named else "name its folder too",
            )
        consents[name] = origin.parse_server(url)
        check_confidential(consents[name], choice)
    return {
        name: _deferred(settings, choice, provider, consents.get(name), announce)
        for name, provider in named.items()
    }


def _deferred(
    settings: Settings,
    choice: Choice,
    provider: Provider,
    consent: Base | None,
    announce: Callable[[str], None] | None,
) -> Transport:
    target = consent.url if consent else provider.name

    def connect() -> Transport:
        from patql.rest.provider import ProviderTransport

        if announce is not None:
            announce(f"{provider.name}, {consent.url if consent else 'its own server'}")
        return ProviderTransport(
            provider.name,
            consent,
            _credential(settings, provider, consent),
            insecure=choice.insecure,
            retry=choice.retry,
        )

    return DeferredTransport(target, connect)


def _credential(
    settings: Settings, provider: Provider, consent: Base | None
) -> Credential | PatqlError | None:
    """What belongs to the URL that a person named; or why requests can't be made."""
    auth = provider.auth
    if auth is None or auth.type == "null":
        return None
    variables = tuple(_variables(auth))
    if consent is None:
        asked = f", in {' and '.join(variables)}" if variables else ""
        return PatqlError(
            Code.CREDENTIAL,
            f"the document of `{provider.name}` asks for a credential{asked}, and nobody has said where that may be sent",
            hint=f"say {OPTION} {provider.name}={_likely(provider)}: it is sent there, and nowhere else",
        )
    own = {v for v in variables if _may_have(settings, v, consent)}
    stored = Credentials(settings.data_dir).get(consent.origin)

    def find(variable: str) -> Secret | None:
        return _read(variable) if variable in own else None

    try:
        return credential(auth, Secrets(consent.origin, find, stored))
    except PatqlError as error:
        others = [v for v in variables if v not in own]
        if not others:
            return error
        return PatqlError(
            Code.CREDENTIAL,
            f"there is no credential for {consent.origin}: {' and '.join(others)} belongs elsewhere, and isn't sent there",
            hint=f"store one with `patql init --url {consent.origin}/v4`",
        )


def _variables(auth: Auth) -> Iterator[str]:
    """The environment variables that a document names."""
    yield from auth.variables
    if auth.successor is not None:
        yield from _variables(auth.successor)


def _may_have(settings: Settings, variable: str, consent: Base) -> bool:
    """Whether an origin may have what a variable holds: ours belong to origins of their own."""
    if variable == "LINODE_TOKEN":
        return consent.origin == LINODE
    if variable == "PATQL_TOKEN" and settings.url is not None:
        return consent.origin == origin.parse(settings.url).origin
    return not variable.startswith("PATQL_")


def _read(variable: str) -> Secret | None:
    value = os.environ.get(variable, "").strip()
    return Secret(value) if value else None


def _likely(provider: Provider) -> str:
    """The origin of the first server that the document names."""
    servers = [server for service in provider.services for server in service.servers]
    for server in servers:
        with suppress(PatqlError):  # a template
            return origin.parse_server(server).origin
    return "URL"
