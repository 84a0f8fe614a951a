"""The page as Markdown with tables, as GitHub reads it (GFM)."""

import re
from collections.abc import Iterator

from patql.faces.page.content import Entry, Page, Section
from patql.faces.page.inline import Kind, Paragraph, Span
from patql.kernel.text import printable

_SPECIAL = re.compile(r"[\\`*_\[\]<>|&~]")


def render(page: Page) -> str:
    """Headings and tables; a row's description and facts are its last cell."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield from (f"# {_escaped(page.title)}", "", _escaped(page.tagline))
    for paragraph in page.described:
        yield from ("", _flat(paragraph))
    for section in page.sections:
        yield from ("", f"## {section.title}", "")
        yield from _table(section)


def _table(section: Section) -> Iterator[str]:
    headings = section.headings + (("Description",) if section.described else ())
    yield _row(headings)
    yield _row(("---",) * len(headings))
    for entry in section.entries:
        last = (_description(entry),) if section.described else ()
        first, *others = entry.cells
        name = _code(first) if section.named else _escaped(first)
        yield _row((name, *map(_escaped, others), *last))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _description(entry: Entry) -> str:
    facts = "".join(f"{_flat(fact)}. " for fact in entry.facts).rstrip()
    return "<br>".join(filter(None, [*map(_flat, entry.described), facts]))


def _flat(paragraph: Paragraph) -> str:
    return "".join(map(_span, paragraph))


def _span(span: Span) -> str:
    match span.kind:
        case Kind.TEXT:
            return _escaped(span.text)
        case Kind.CODE:
            return _code(span.text)
        case Kind.LINK:
            return f"[{_escaped(span.text)}]({span.url.replace('|', '%7C')})"
        case Kind.STRONG:
            return f"**{_escaped(span.text)}**"
        case Kind.EMPHASIS:
            return f"*{_escaped(span.text)}*"


def _code(text: str) -> str:
    """A code span, fenced by more backticks than it has in a row; a bar is escaped even there (GFM, "Tables")."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest else ""
    shown = printable(text).replace("|", "\\|")
    return f"{fence}{padding}{shown}{padding}{fence}" if text else ""


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", printable(text))
