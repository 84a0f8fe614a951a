"""Dotted names, `provider.service.resource`, and what they stand for. Case doesn't matter."""

from collections.abc import Iterable
from typing import TypeVar

from patql.catalog.document import Provider, Resource, Service
from patql.kernel.errors import Code, PatqlError

SHOWN = 5
"""How many names a hint lists."""

_Named = TypeVar("_Named", Provider, Service, Resource)


class Catalog:
    """The providers that statements can name.

    Every lookup raises PatqlError: UNKNOWN_NAME, with the nearest names that there are; SCHEMA where the document of a
    service couldn't be read.
    """

    def __init__(self, providers: tuple[Provider, ...]) -> None:
        self.providers = providers

    def knows(self, provider: str, service: str = "", resource: str = "") -> bool:
        """Whether there is a provider, or a resource, of that name."""
        try:
            if resource:
                self.resource(provider, service, resource)
            else:
                self.provider(provider)
        except PatqlError:
            return False
        return True

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        return _find("provider", name, self.providers, within="")

    def service(self, provider: str, service: str) -> Service:
        """The service of that name in a provider."""
        holder = self.provider(provider)
        found = _find("service", service, holder.services, within=holder.name)
        if found.missing is not None:
            message = f"Nothing is known of `{holder.name}.{found.name}`: {found.missing.removesuffix('.')}."
            raise PatqlError(Code.SCHEMA, message)
        return found

    def resource(self, provider: str, service: str, resource: str) -> Resource:
        """The resource of that name in a service."""
        holder = self.service(provider, service)
        within = f"{self.provider(provider).name}.{holder.name}"
        return _find("resource", resource, holder.resources, within=within)


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint that lists the known names that are most like `name`, or all of them where none is; a handful at most."""
    from difflib import get_close_matches

    folded = {other.casefold(): other for other in known}
    alike = get_close_matches(name.casefold(), folded, n=SHOWN, cutoff=0.6)
    if alike:
        return f"Did you mean {_listed([folded[key] for key in alike], 'or')}?"
    if not folded:
        return "There are none."
    first = list(folded.values())[:SHOWN]
    more = " and others" if len(folded) > SHOWN else ""
    return f"There {'is' if len(folded) == 1 else 'are'} {_listed(first, 'and')}{more}."


def _listed(names: list[str], conjunction: str) -> str:
    quoted = [f"`{name}`" for name in names]
    return f" {conjunction} ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _find(
    kind: str, name: str, candidates: tuple[_Named, ...], *, within: str
) -> _Named:
    folded = name.casefold()
    for candidate in candidates:
        if candidate.name.casefold() == folded:
            return candidate
    where = f" in `{within}`" if within else ""
    raise PatqlError(
        Code.UNKNOWN_NAME,
        f"There is no {kind} `{name}`{where}.",
        hint=suggestion(name, (candidate.name for candidate in candidates)),
    )
