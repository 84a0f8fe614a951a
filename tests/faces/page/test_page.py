"""The page in its formats: what each promises a reader."""

import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from patql.catalog.document import Provider, Resource
from patql.faces.page.page import FORMATS, render
from patql.faces.page.text import WIDTH
from patql.kernel.errors import Code, PatqlError
from patql.kernel.text import printable

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Outline(HTMLParser):
    """The elements of a document with their attributes, and whether each is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a name."""
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(provider: Provider, tokens: Resource) -> Outline:
    """The HTML page's outline."""
    return Outline(render(provider, tokens, "html"))


def test_html_is_well_formed(page: Outline) -> None:
    """Every element is closed, in order, and no id is there twice."""
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_html_for_everyone(page: Outline, provider: Provider, tokens: Resource) -> None:
    """Language, title, landmarks, one h1, and a link first of all that skips to the content."""
    assert page.named("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert len(page.named(landmark)) == 1, landmark
    links = page.named("a")
    assert links[0] == {"class": "skip", "href": "#content"}
    assert page.named("main")[0]["id"] == "content"
    text = render(provider, tokens, "html")
    assert "<h1>tokens</h1>" in text
    assert "<title>tokens · linode.profile.tokens</title>" in text
    assert re.findall(r"<h2[^>]*>([^<]*)", text) == [
        "Overview",
        "Fields",
        "Methods",
        "Scopes",
    ]


def test_html_tables_name_their_cells(page: Outline) -> None:
    """Headings have a scope, and a role that outlasts the telephone's layout."""
    scopes = {attrs["scope"] for attrs in page.named("th")}
    assert scopes == {"col", "row"}
    for tag in ("table", "thead", "tbody", "tr", "th", "td"):
        assert all(attrs.get("role") for attrs in page.named(tag)), tag


def test_html_links_lead_somewhere(page: Outline) -> None:
    """A link leads to an id of the page, or to https without telling from where."""
    ids = {attrs.get("id") for _, attrs in page.elements}
    outside = 0
    for attrs in page.named("a"):
        target = attrs["href"] or ""
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            outside += 1
            assert target.startswith("https://")
            assert attrs["rel"] == "noopener noreferrer"
    assert outside == 1


def test_html_needs_no_other_file(page: Outline) -> None:
    """Nothing is loaded: no script, no image, no style sheet, no address in the style; a policy forbids it too."""
    assert not {tag for tag, _ in page.elements} & {"script", "img", "link", "iframe"}
    assert not any("src" in attrs or "style" in attrs for _, attrs in page.elements)
    policies = [
        attrs["content"] or "" for attrs in page.named("meta") if "http-equiv" in attrs
    ]
    assert policies[0].startswith("default-src 'none'")


def test_text_fits_a_terminal(provider: Provider) -> None:
    """No line is longer than 80 columns, none ends in blanks, no two blank lines follow each other."""
    for resource in provider.services[0].resources:
        text = render(provider, resource)
        lines = text.split("\n")
        assert max(map(len, lines)) <= WIDTH
        assert all(line == line.rstrip() for line in lines)
        assert "\n\n\n" not in text
        assert text.endswith("\n")


def test_scopes_only_where_a_column_holds_some(
    provider: Provider, tokens: Resource
) -> None:
    """The categories are listed for tokens, whose `scopes` they are, and for no other resource."""
    for resource in provider.services[0].resources:
        page = render(provider, resource, "markdown")
        assert ("## Scopes" in page) == (resource == tokens)


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_document_stays_text(
    form: str, hostile: tuple[Provider, Resource]
) -> None:
    """Whatever a document's texts hold, no markup, link or terminal sequence comes of it."""
    page = render(*hostile, form)
    assert all(printable(line) == line for line in page.split("\n"))
    if form == "html":
        outline = Outline(page)
        assert "script" not in {tag for tag, _ in outline.elements}
        assert {a["href"] for a in outline.named("a")} <= {
            "#content",
            "#overview",
            "#fields",
            "#methods",
        }
    if form == "markdown":
        parsed = MarkdownIt("commonmark").enable("table").parse(page)
        inner = [token for block in parsed for token in block.children or ()]
        assert not [t for t in parsed if t.type in ("html_block", "fence")]
        assert {t.content for t in inner if t.type == "html_inline"} <= {"<br>"}
        assert not [t for t in inner if t.type in ("link_open", "image")]
        assert sum(t.type == "td_open" for t in parsed) == 2 * 3 + 3 + 4


def test_unknown_format(provider: Provider, tokens: Resource) -> None:
    """An unknown format is an error that names those there are."""
    with pytest.raises(PatqlError, match="`text`, `markdown`, `html`") as caught:
        render(provider, tokens, "pdf")
    assert caught.value.code is Code.USAGE


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("which", ["tokens", "long_names"])
def test_html_in_a_browser(
    width: int,
    which: str,
    need: Callable[..., str],
    provider: Provider,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """A browser shows it without scrolling sideways, from the narrowest telephone on, and with the style applied."""
    chromium = need("chromium", "chromium-browser", "google-chrome")
    resource = request.getfixturevalue(which)
    (tmp_path / "page.html").write_text(render(provider, resource, "html"), "utf-8")
    # A browser's window has a least width; a frame hasn't.
    (tmp_path / "frame.html").write_text(
        f"""<!doctype html><iframe src="page.html" width="{width}" height="800" frameborder="0"></iframe>
        <script>onload = () => {{
          const page = document.querySelector("iframe").contentDocument;
          const main = page.querySelector("main");
          document.body.textContent = [page.documentElement.scrollWidth,
            page.defaultView.getComputedStyle(main.parentElement).maxWidth, page.title.length].join(" ");
        }}</script>""",
        "utf-8",
    )
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown = re.search(r"<body>(\d+) (\w+) (\d+)</body>", done.stdout)
    assert shown is not None, done.stdout
    assert int(shown[1]) <= width
    assert shown[2] == "1024px"
