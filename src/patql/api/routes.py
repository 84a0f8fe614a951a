"""From a path and a method to what answers: the operations of a provider document, under each version's prefix."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from patql.api import problems
from patql.authority.model import Granted
from patql.catalog.document import Batch, Method, Provider
from patql.kernel.http import Headers, Request

PREFIXES = ("/v4", "/v4beta")
NAME = "{username}"
"""The parameter that takes the rest of a path: a name may have slashes in it, and paths come decoded."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What an operation gives: a JSON body (none for 204), and headers beyond those of every response."""

    body: bytes
    status: int = 200
    headers: Headers = []


Act = Callable[[Granted, Request, str], Answer]
"""An operation: who asks, the request, and the last part of the path where the document has a parameter there."""


class Endpoint(msgspec.Struct, frozen=True):
    """An operation in service: what it does, the scopes it needs, and how its header says them."""

    act: Act
    needs: tuple[str, ...]
    accepted: bytes


class Route(msgspec.Struct, frozen=True):
    """What one path answers, by method; HEAD is GET. `template` is the path as the document writes it, under `/v4`."""

    endpoints: Mapping[str, Endpoint]
    allow: bytes
    template: str


Operation = Method | Batch
"""What a document says of an operation."""


class Routes:
    """All paths; found without looking at more than a few of them.

    Args:
        methods: the operations in service, with what each does.
    """

    def __init__(self, methods: Iterable[tuple[Operation, Act]]) -> None:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for method, act in methods:
            accepted = " ".join(method.scopes).encode("ascii") or b"*"
            endpoint = Endpoint(act, method.scopes, accepted)
            by_path.setdefault(method.path, {})[method.verb] = endpoint
        self._exact: dict[str, Route] = {}
        self._open: dict[str, Route] = {}
        self._names: dict[str, Route] = {}
        self.templates = tuple(PREFIXES[0] + path for path in by_path)
        for path, endpoints in by_path.items():
            for prefix in PREFIXES:
                self._add(prefix + path, _route(endpoints, PREFIXES[0] + path))

    def _add(self, path: str, route: Route) -> None:
        parent, _, last = path.rpartition("/")
        if last == NAME:
            self._names[parent + "/"] = route
        elif last.startswith("{"):
            self._open[parent] = route
        else:
            self._exact[path] = route

    def find(self, path: str) -> tuple[Route, str] | None:
        """The route of a path, and the value of the parameter that it ends in, if it does."""
        if route := self._exact.get(path):
            return route, ""
        parent, _, last = path.rpartition("/")
        if last and (route := self._open.get(parent)):
            return route, last
        for parent, route in self._names.items():
            if path.startswith(parent) and len(path) > len(parent):
                return route, path[len(parent) :]
        return None


def operations(provider: Provider) -> dict[str, Method]:
    """A provider's methods by operation id; where several are one operation, the first of them."""
    found: dict[str, Method] = {}
    for service in provider.services:
        for resource in service.resources:
            for method in resource.methods:
                found.setdefault(method.operation_id, method)
    return found


def served(methods: Mapping[str, Method], acts: Mapping[str, Act]) -> Routes:
    """The routes of a provider's operations, and of the batches that stand for many of them.

    Args:
        methods: the operations by id.
        acts: what each of those that are served does, by id.
    """
    batches = (m.batch for m in methods.values() if m.batch)
    described: dict[str, Operation] = {b.operation_id: b for b in batches}
    described |= methods
    return Routes((described[name], act) for name, act in acts.items())


def number(item: str) -> int:
    """An id from a path.

    Raises:
        PatqlError: NOT_FOUND, for what can't be one: nothing has it.
    """
    if item.isascii() and item.isdigit() and len(item) < 19:
        return int(item)
    raise problems.missing()


def _route(endpoints: dict[str, Endpoint], template: str) -> Route:
    if get := endpoints.get("GET"):
        endpoints = {**endpoints, "HEAD": get}
    allow = ", ".join(sorted([*endpoints, "OPTIONS"]))
    return Route(endpoints, allow.encode("ascii"), template)
