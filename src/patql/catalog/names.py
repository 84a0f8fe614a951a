"""Dotted names, `provider.service.resource`, and what they stand for. Case doesn't matter."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from patql.catalog.document import Provider, Resource, Service
from patql.kernel.errors import Code, PatqlError

SHOWN = 5
"""How many names a hint lists."""

_Named = TypeVar("_Named", Service, Resource)


class Catalog:
    """The providers that statements can name.

    Every lookup raises PatqlError: UNKNOWN_NAME, with the nearest names that there are; SCHEMA where the document of a
    service couldn't be read.

    Args:
        providers: those that are loaded.
        deferred: what loads the others, by name; each is called when its provider is first named, or all are shown.
    """

    def __init__(
        self,
        providers: tuple[Provider, ...],
        deferred: Mapping[str, Callable[[], Provider]] | None = None,
    ) -> None:
        self._loaded = {provider.name: provider for provider in providers}
        self._deferred = dict(deferred or {})

    @property
    def names(self) -> tuple[str, ...]:
        """What the providers are called; none is loaded for it."""
        return (*self._loaded, *self._deferred)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """All of them."""
        for name in tuple(self._deferred):
            self._load(name)
        return tuple(self._loaded.values())

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
        folded = name.casefold()
        for known in self.names:
            if known.casefold() == folded:
                return self._load(known)
        raise _unknown("provider", name, self.names)

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

    def _load(self, name: str) -> Provider:
        if name in self._deferred:
            self._loaded[name] = self._deferred[name]()
            del self._deferred[name]
        return self._loaded[name]


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
    raise _unknown(kind, name, (c.name for c in candidates), within)


def _unknown(
    kind: str, name: str, known: Iterable[str], within: str = ""
) -> PatqlError:
    where = f" in `{within}`" if within else ""
    message = f"There is no {kind} `{name}`{where}."
    return PatqlError(Code.UNKNOWN_NAME, message, hint=suggestion(name, known))
