"""SHOW: what the documents say, with StackQL's headings. Nothing is asked of any server."""

import re
from collections.abc import Callable, Iterator
from fnmatch import translate

import msgspec

from patql.catalog.document import Access, Service
from patql.engine.inputs import inputs
from patql.engine.lines import one_line, texts
from patql.engine.lookup import complete, resource_named, service_named
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import Name, Show
from patql.kernel.version import __version__

_ORDER = [
    Access.SELECT,
    Access.INSERT,
    Access.DELETE,
    Access.UPDATE,
    Access.REPLACE,
    Access.EXEC,
]

_Rows = Iterator[tuple[str, ...]]


class _Kind(msgspec.Struct, frozen=True):
    """Something to show: `plain` headings, and `further` ones if EXTENDED; LIKE looks at the first `named` columns."""

    rows: Callable[[Name, State], _Rows]
    plain: tuple[str, ...]
    further: tuple[str, ...] = ()
    named: int = 0


def show(statement: Show, state: State) -> Result:
    """SHOW PROVIDERS, SERVICES, RESOURCES, METHODS, TABLES, AUTH or VERSION.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names, or what is wrong with the predicate.
    """
    kind = _KINDS[statement.kind]
    headings = kind.plain + kind.further * statement.extended
    rows = list(kind.rows(statement.name, state))
    if statement.like is not None:
        alike = _like(statement.like)
        rows = [row for row in rows if any(map(alike, row[: kind.named]))]
    rows = [row[: len(headings)] for row in rows]
    if statement.where is not None:
        from patql.engine.predicate import matching

        rows = matching(statement.where, headings, rows, state)
    return texts(headings, rows)


def _providers(_: Name, state: State) -> _Rows:
    for p in state.catalog.providers:
        yield p.name, p.version, one_line(p.description), "\n".join(p.warnings)


def _services(name: Name, state: State) -> _Rows:
    (provider,) = complete(name, 1, state)
    for s in state.catalog.provider(provider).services:
        preferred = str(s.preferred).lower()
        yield s.id, s.name, _title(s), one_line(s.description), s.version, preferred


def _title(service: Service) -> str:
    """What everyone sees of a service whose document isn't there is why, for none of its resources will be found."""
    return f"missing: {service.missing}" if service.missing else service.title


def _resources(name: Name, state: State) -> _Rows:
    for r in service_named(name, state).resources:
        yield r.name, r.id, one_line(r.description)


def _methods(name: Name, state: State) -> _Rows:
    methods = resource_named(name, state).methods
    for m in sorted(methods, key=lambda m: (_ORDER.index(m.access), m.name)):
        required = ", ".join(given.name for given in inputs(m) if given.required)
        told = one_line(" ".join((*m.unsupported, m.description)))
        yield m.name, required, m.access.value, told


def _tables(_: Name, state: State) -> _Rows:
    """The local tables and views, in order of their names; a person who has none is told where resources are."""
    names = sorted(name for *_, name in state.relational.local_tables())
    if not names:
        message = "there are no local tables; SHOW RESOURCES IN provider.service lists resources"
        state.dialogue.note(message)
    yield from ((name,) for name in names)


def _auth(name: Name, state: State) -> _Rows:
    """How requests to a provider are authorised, and what gives the credential: a variable's name, never its value."""
    provider = state.catalog.provider(*complete(name, 1, state))
    auth, variable = provider.auth, provider.token_variable
    if auth is None:
        yield "", "bearer" if variable else "", variable or ""
    while auth is not None:
        yield "", auth.type, ", ".join(auth.variables) or (variable or "")
        auth, variable = auth.successor, None


def _version(_: Name, _state: State) -> _Rows:
    """The version. A package doesn't know its commit or when it was built, so they are empty."""
    import platform

    where = f"{platform.system()} {platform.machine()}".lower()
    yield __version__, "", "", where


_KINDS = {
    "PROVIDERS": _Kind(_providers, ("name", "version"), ("description", "warnings"), 1),
    "SERVICES": _Kind(
        _services,
        ("id", "name", "title"),
        ("description", "version", "preferred"),
        2,
    ),
    "RESOURCES": _Kind(_resources, ("name", "id"), ("description",), 2),
    "METHODS": _Kind(
        _methods, ("MethodName", "RequiredParams", "SQLVerb"), ("description",), 1
    ),
    "TABLES": _Kind(_tables, ("name",), (), 1),
    "AUTH": _Kind(_auth, ("principal", "type", "source")),
    "VERSION": _Kind(_version, ("version",), ("commit", "build_date", "platform")),
}


def _like(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Whether a name is LIKE the pattern, in any case; `translate` makes patterns that take no long time to fail."""
    wild = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    glob = "".join(wild.get(char, char) for char in pattern)
    return re.compile(translate(glob), re.IGNORECASE).match
