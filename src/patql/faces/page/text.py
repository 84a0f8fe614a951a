"""The page as plain text for a terminal of 80 columns."""

import textwrap
from collections.abc import Iterable, Iterator

from patql.faces.page.content import Entry, Page, Section
from patql.faces.page.inline import Kind, Paragraph, Span
from patql.kernel.text import printable

WIDTH = 80
"""In characters."""

_GAP = "  "


def render(page: Page) -> str:
    """Headings in capitals, tables aligned, descriptions wrapped beneath their rows."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    title = printable(page.title)
    yield from (title, "=" * len(title), "")
    yield from _wrapped((printable(page.tagline),), "")
    for paragraph in page.described:
        yield ""
        yield from _wrapped((_flat(paragraph),), "")
    for section in page.sections:
        yield from ("", section.title.upper(), "")
        yield from _table(section)


def _table(section: Section) -> Iterator[str]:
    rows = [tuple(map(printable, entry.cells)) for entry in section.entries]
    widths = [
        max(map(len, cells)) for cells in zip(section.headings, *rows, strict=True)
    ]
    yield _row(section.headings, widths)
    yield _row(tuple("-" * width for width in widths), widths)
    for position, (cells, entry) in enumerate(zip(rows, section.entries, strict=True)):
        if position and section.described:
            yield ""
        yield _row(cells, widths)
        yield from _beneath(entry)


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return (_GAP + _GAP.join(padded)).rstrip()


def _beneath(entry: Entry) -> Iterator[str]:
    facts = "".join(f"{_flat(fact)}. " for fact in entry.facts).rstrip()
    yield from _wrapped((*map(_flat, entry.described), facts), _GAP * 3)


def _wrapped(texts: Iterable[str], indent: str) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _flat(paragraph: Paragraph) -> str:
    return "".join(map(_span, paragraph))


def _span(span: Span) -> str:
    if span.kind is Kind.LINK:
        return f"{span.text} <{span.url}>"
    return f"`{span.text}`" if span.kind is Kind.CODE else span.text
