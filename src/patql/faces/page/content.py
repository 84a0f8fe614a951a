"""What the page of a resource says, whatever the format it is printed in."""

from collections.abc import Iterable, Iterator

import msgspec

from patql.catalog.document import Column, Method, Provider, Resource
from patql.faces.page.inline import Kind, Paragraph, Span, paragraphs
from patql.kernel.text import printable


class Entry(msgspec.Struct, frozen=True):
    """A row of a table: a cell for each heading, a description, and facts as short phrases without a full stop."""

    cells: tuple[str, ...]
    described: tuple[Paragraph, ...] = ()
    facts: tuple[Paragraph, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """A section with one table.

    `described` says whether its rows have a description as their last cell, `named` whether their first cell is a name
    that statements use.
    """

    title: str
    headings: tuple[str, ...]
    entries: tuple[Entry, ...]
    described: bool = True
    named: bool = True


class Page(msgspec.Struct, frozen=True):
    """A resource's page."""

    title: str
    id: str
    tagline: str
    described: tuple[Paragraph, ...]
    sections: tuple[Section, ...]


def page(provider: Provider, resource: Resource) -> Page:
    """The page of one of a provider's resources."""
    return Page(
        title=resource.name,
        id=resource.id,
        tagline=resource.title,
        described=paragraphs(resource.description),
        sections=tuple(_sections(provider, resource)),
    )


def _sections(provider: Provider, resource: Resource) -> Iterator[Section]:
    yield Section(
        "Overview",
        ("Property", "Value"),
        (
            Entry(("Name", resource.name)),
            Entry(("Type", "Resource")),
            Entry(("Id", resource.id)),
        ),
        described=False,
        named=False,
    )
    yield Section("Fields", ("Name", "Datatype"), tuple(map(_field, resource.columns)))
    yield Section(
        "Methods",
        ("Name", "Accessible by", "Required params"),
        tuple(map(_method, resource.methods)),
    )
    if any(column.format == "oauth-scopes" for column in resource.columns):
        yield Section(
            "Scopes",
            ("Category", "Levels"),
            tuple(_categories(_scopes(provider, resource))),
            described=False,
        )


def _field(column: Column) -> Entry:
    return Entry(
        (column.name, column.type),
        paragraphs(column.description),
        tuple(_column_facts(column)),
    )


def _column_facts(column: Column) -> Iterator[Paragraph]:
    if column.read_only:
        yield from paragraphs("The server sets it")
    if column.immutable:
        yield from paragraphs(f"It can't change: {column.immutable}")
    if column.never:
        yield from paragraphs("A date that stands for “never” reads as NULL")
    if column.filterable:
        yield from paragraphs("Servers filter and sort by it")
    if column.filterable_extension:
        yield from paragraphs("PatQL's own server filters and sorts by it")


def _method(method: Method) -> Entry:
    return Entry(
        (method.name, method.access.value, ", ".join(method.required)),
        paragraphs(method.description),
        tuple(_method_facts(method)),
    )


def _method_facts(method: Method) -> Iterator[Paragraph]:
    yield _names("Request", [f"{method.verb} {method.path}"])
    if optional := [p.name for p in method.parameters if not p.required]:
        yield _names("Optional params", optional)
    if extensions := [p.name for p in method.parameters if p.extension]:
        yield _names("PatQL's own servers alone take it", extensions)
    if method.body:
        yield _names("Properties", [c.name for c in method.body.columns])
    if method.scopes:
        yield _names("Scopes", method.scopes)


def _names(label: str, names: Iterable[str]) -> Paragraph:
    """A fact that lists names, which aren't Markdown."""
    spans = [Span(Kind.TEXT, f"{label}: ")]
    for position, name in enumerate(names):
        if position:
            spans.append(Span(Kind.TEXT, ", "))
        spans.append(Span(Kind.CODE, printable(name)))
    return tuple(spans)


def _scopes(provider: Provider, resource: Resource) -> tuple[str, ...]:
    return next((s.scopes for s in provider.services if resource in s.resources), ())


def _categories(scopes: Iterable[str]) -> Iterator[Entry]:
    levels: dict[str, list[str]] = {}
    for scope in scopes:
        category, _, level = scope.partition(":")
        levels.setdefault(category, []).append(level)
    for category, those in levels.items():
        yield Entry((category, ", ".join(those)))
