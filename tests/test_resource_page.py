"""The mission, cell by cell: each row of data/resource_page.yaml against the document and the page in every format."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from patql.catalog.document import Method, Provider, Resource
from patql.catalog.load import builtin
from patql.faces.page.page import FORMATS, render

SECTIONS = ("Overview", "Fields", "Methods")

Rows = dict[str, list[tuple[str, ...]]]
"""By section: each row's cells, the description last. What a reader sees, without markup."""


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A requirement of the page."""

    cell: str
    section: str
    row: tuple[str, ...]
    says: tuple[str, ...] = ()
    request: str = ""
    optional: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    document: dict[str, Any] = {}


CELLS = msgspec.convert(
    yaml.safe_load(
        (Path(__file__).parent / "data" / "resource_page.yaml").read_text("utf-8")
    ),
    list[Cell],
)
by_cell = pytest.mark.parametrize("cell", CELLS, ids=[c.cell for c in CELLS])


@pytest.fixture(scope="module")
def provider() -> Provider:
    """The built-in document."""
    return builtin("linode")


@pytest.fixture(scope="module")
def tokens(provider: Provider) -> Resource:
    """The resource that it is all about."""
    return next(r for r in provider.services[0].resources if r.name == "tokens")


@by_cell
@pytest.mark.parametrize("form", FORMATS)
def test_page_has_cell(
    form: str, cell: Cell, provider: Provider, tokens: Resource
) -> None:
    """The cell is at its place on the page, in order, and its description says what it must."""
    rows = READERS[form](render(provider, tokens, form))[cell.section]
    row = rows[_position(cell)]
    assert row[: len(cell.row)] == cell.row
    for phrase in (*cell.says, cell.request, *cell.optional, *cell.properties):
        assert phrase in row[-1]


@by_cell
def test_document_has_cell(cell: Cell, tokens: Resource) -> None:
    """The provider document has the cell at its place, with the facts that the engine needs."""
    if cell.section == "Overview":
        assert cell.row[1] in (tokens.name, "Resource", tokens.id)
        return
    described: Any
    if cell.section == "Fields":
        described = tokens.columns[_position(cell)]
        assert (described.name, described.type) == cell.row
    else:
        described = tokens.methods[_position(cell)]
        required = ", ".join(described.required)
        assert (described.name, described.access, required) == cell.row
        assert f"{described.verb} {described.path}" == cell.request
        assert _optional(described) == cell.optional
        assert _properties(described) == cell.properties
    for fact, value in cell.document.items():
        known = msgspec.json.encode(getattr(described, fact))
        assert known == msgspec.json.encode(value), fact


@pytest.mark.parametrize("form", FORMATS)
def test_page_has_nothing_else(form: str, provider: Provider, tokens: Resource) -> None:
    """The three sections hold the cells of the data file and no further row."""
    found = READERS[form](render(provider, tokens, form))
    assert list(found)[:3] == list(SECTIONS)
    for section in SECTIONS:
        assert len(found[section]) == sum(c.section == section for c in CELLS)


def _position(cell: Cell) -> int:
    return [c for c in CELLS if c.section == cell.section].index(cell)


def _optional(method: Method) -> tuple[str, ...]:
    return tuple(p.name for p in method.parameters if not p.required)


def _properties(method: Method) -> tuple[str, ...]:
    return tuple(c.name for c in method.body.columns) if method.body else ()


def read_text(page: str) -> Rows:
    """Rows of the terminal's page: two spaces, a description beneath at six."""
    found: Rows = {}
    section = width = ""
    for line in page.splitlines():
        if line.isupper() and not line.startswith(" "):
            section, width = line.capitalize(), ""
            found[section] = []
        elif re.match(r"  -", line):
            width = line
        elif line.startswith(" " * 6) and section:
            *cells, told = found[section][-1]
            found[section][-1] = (*cells, f"{told} {line.strip()}".strip())
        elif line.startswith("  ") and width:
            cells = [
                line[m.start() : m.end()].strip() for m in re.finditer("-+", width)
            ]
            found[section].append((*cells, ""))
    return found


def read_markdown(page: str) -> Rows:
    """Rows of GitHub's tables, after the heading and the line of dashes."""
    found: Rows = {}
    section = ""
    for line in page.splitlines():
        if line.startswith("## "):
            section = line[3:]
            found[section] = []
        elif line.startswith("| ") and section:
            cells = re.split(r"(?<!\\) ?\| ?", line)[1:-1]
            found[section].append(tuple(_unmarked(cell) for cell in cells))
    return {section: rows[2:] for section, rows in found.items()}


def _unmarked(cell: str) -> str:
    text = re.sub(r"\[([^]]*)\]\(([^)]*)\)", r"\1 \2", cell.replace("<br>", " "))
    return re.sub(r"\\(.)", r"\1", text.replace("`", "")).strip()


class _Tables(HTMLParser):
    """Collects the body rows of the tables beneath each h2."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Rows = {}
        self._section = ""
        self._open: list[str] = []
        self._cell = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        if tag == "tr" and "tbody" in self._open:
            self.found[self._section].append(())
        elif tag in ("td", "th", "h2"):
            self._cell = ""
        elif tag == "a":
            self._cell += f"{dict(attrs)['href']} "
        elif tag in ("p", "li"):
            self._cell += " "

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "h2":
            self._section = self._cell
            self.found[self._section] = []
        elif tag in ("td", "th") and "tbody" in self._open:
            self.found[self._section][-1] += (" ".join(self._cell.split()),)

    def handle_data(self, data: str) -> None:
        self._cell += data


def read_html(page: str) -> Rows:
    """Rows of the HTML page."""
    parser = _Tables()
    parser.feed(page)
    parser.close()
    return parser.found


READERS = {"text": read_text, "markdown": read_markdown, "html": read_html}
