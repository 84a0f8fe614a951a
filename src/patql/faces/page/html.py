"""The page as one HTML file that loads nothing: readable without style, on a telephone, and by a screen reader."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from patql.faces.page.content import Entry, Page, Section
from patql.faces.page.inline import Kind, Paragraph, Span
from patql.kernel.text import printable

# The policy holds even if a description should ever get past the escaping: no script, no request.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

_TAGS = {
    Kind.CODE: "code",
    Kind.STRONG: "strong",
    Kind.EMPHASIS: "em",
}


def render(page: Page) -> str:
    """A whole document."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    style = (Path(__file__).parent / "style.css").read_text("utf-8").strip()
    yield from (
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{_text(page.title)} · {_text(page.id)}</title>",
        f"<style>\n{style}\n</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#content">Skip to content</a>',
        "<header>",
        f"<h1>{_text(page.title)}</h1>",
        f"<p>{_text(page.tagline)} · <code>{_text(page.id)}</code></p>",
        '<nav aria-label="Sections"><ul>',
    )
    for section in page.sections:
        yield f'<li><a href="#{_anchor(section)}">{_text(section.title)}</a></li>'
    yield from ("</ul></nav>", "</header>", '<main id="content" tabindex="-1">')
    yield from map(_paragraph, page.described)
    for section in page.sections:
        yield from _section(section)
    yield from (
        "</main>",
        "<footer><p>Made from the provider document by PatQL.</p></footer>",
        "</body>",
        "</html>",
    )


def _section(section: Section) -> Iterator[str]:
    anchor = _anchor(section)
    headings = section.headings + (("Description",) if section.described else ())
    # A telephone shows rows as blocks, which takes a table's meaning away from screen readers; the roles give it back.
    yield f'<section aria-labelledby="{anchor}">'
    yield f'<h2 id="{anchor}">{_text(section.title)}</h2>'
    yield f'<table role="table" aria-labelledby="{anchor}">'
    yield '<thead role="rowgroup"><tr role="row">'
    for heading in headings:
        yield f'<th role="columnheader" scope="col">{_text(heading)}</th>'
    yield '</tr></thead>\n<tbody role="rowgroup">'
    for entry in section.entries:
        yield from _row(entry, section)
    yield "</tbody>\n</table>\n</section>"


def _row(entry: Entry, section: Section) -> Iterator[str]:
    first, *others = entry.cells
    name = f"<code>{_text(first)}</code>" if section.named else _text(first)
    yield f'<tr role="row"><th role="rowheader" scope="row">{name}</th>'
    for heading, cell in zip(section.headings[1:], others, strict=True):
        yield f'<td role="cell" data-heading="{_text(heading)}">{_text(cell)}</td>'
    if section.described:
        yield f'<td role="cell">{_description(entry)}</td>'
    yield "</tr>"


def _description(entry: Entry) -> str:
    facts = "".join(f"<li>{_inline(fact)}</li>" for fact in entry.facts)
    told = "".join(map(_paragraph, entry.described))
    return f'{told}<ul class="facts">{facts}</ul>' if facts else told


def _paragraph(paragraph: Paragraph) -> str:
    return f"<p>{_inline(paragraph)}</p>"


def _inline(paragraph: Paragraph) -> str:
    return "".join(map(_span, paragraph))


def _span(span: Span) -> str:
    text = _text(span.text)
    if span.kind is Kind.LINK:
        return f'<a href="{escape(span.url)}" rel="noopener noreferrer">{text}</a>'
    tag = _TAGS.get(span.kind)
    return f"<{tag}>{text}</{tag}>" if tag else text


def _anchor(section: Section) -> str:
    return section.title.lower()


def _text(text: str) -> str:
    return escape(printable(text))
