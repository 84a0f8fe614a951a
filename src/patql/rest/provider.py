"""The Transport port to the servers that another provider's document names."""

from patql.kernel.errors import Code, PatqlError
from patql.rest import origin
from patql.rest.auth import Credential
from patql.rest.http import TargetTransport
from patql.rest.origin import Base
from patql.rest.pauses import RETRY, Pauses
from patql.rest.target import Target


class ProviderTarget(Target):
    """The servers of a document, or the one that a person names instead.

    Documents are written by others, so they decide where requests go only as long as no credential goes there too.

    Args:
        provider: the name of the provider in statements.
        consent: the URL that a person named: an origin takes the place of each server's, and its path is kept; a URL
            with a path takes the place of the whole.
        credential: what belongs to that origin, None where nothing is sent; or why requests can't be made.
        insecure: whether the document's servers may be asked over plain http.
    """

    def __init__(
        self,
        provider: str,
        consent: Base | None,
        credential: Credential | PatqlError | None,
        *,
        insecure: bool = False,
    ) -> None:
        option = f"--provider-url {provider}=URL"
        super().__init__(consent.url if consent else provider, option, credential)
        self._provider = provider
        self._consent = consent
        self._insecure = insecure

    def place(self, base: str | None) -> Base:
        """The server that the document names for a request, or where a person has said."""
        consent = self._consent
        if consent is not None and (consent.path or base is None):
            return consent
        if base is None:
            raise PatqlError(
                Code.USAGE,
                f"the document of `{self._provider}` doesn't say where its server is",
                hint=f"say {self._option}",
            )
        server = origin.parse_server(base)
        if consent is not None:
            return origin.parse_server(consent.url + server.path)
        if server.exposed and not self._insecure:
            raise PatqlError(
                Code.USAGE,
                f"{server.url}, which the document of `{self._provider}` names, is plain http, over which anyone on the way could read and change what is sent",
                hint=f"say {self._option} with https, or --insecure if the network is yours",
            )
        return server


class ProviderTransport(TargetTransport):
    """The Transport port to a provider's servers; arguments as for `ProviderTarget` and `TargetTransport`."""

    def __init__(
        self,
        provider: str,
        consent: Base | None,
        credential: Credential | PatqlError | None,
        *,
        insecure: bool = False,
        retry: float = RETRY,
        pauses: Pauses | None = None,
    ) -> None:
        target = ProviderTarget(provider, consent, credential, insecure=insecure)
        super().__init__(target, retry=retry, pauses=pauses)
