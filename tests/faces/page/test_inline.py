"""The little Markdown of descriptions: what it makes stand out, and what it leaves as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.faces.page.inline import SAFE_SCHEMES, Kind, Span, paragraphs
from patql.kernel.text import printable

TEXT, CODE, LINK, STRONG, EMPHASIS = Kind


@pytest.mark.parametrize(
    ("markdown", "spans"),
    [
        ("plain text", [Span(TEXT, "plain text")]),
        ("needs `*`.", [Span(TEXT, "needs "), Span(CODE, "*"), Span(TEXT, ".")]),
        ("`a_b_c`", [Span(CODE, "a_b_c")]),
        ("**at once**", [Span(STRONG, "at once")]),
        ("*once* only", [Span(EMPHASIS, "once"), Span(TEXT, " only")]),
        ("_once_", [Span(EMPHASIS, "once")]),
        ("page_size and read_only", [Span(TEXT, "page_size and read_only")]),
        ("2 * 3 * 4", [Span(TEXT, "2 * 3 * 4")]),
        (
            "the [CLI](https://example.com/cli).",
            [
                Span(TEXT, "the "),
                Span(LINK, "CLI", "https://example.com/cli"),
                Span(TEXT, "."),
            ],
        ),
        ("[mail](mailto:a@b.c)", [Span(LINK, "mail", "mailto:a@b.c")]),
        ("[x](HTTPS://A.B)", [Span(LINK, "x", "HTTPS://A.B")]),
        ("[x](http://a.b)", [Span(TEXT, "[x](http://a.b)")]),
        ("[x](javascript:alert(1))", [Span(TEXT, "[x](javascript:alert(1))")]),
        ("[x](javascript:alert)", [Span(TEXT, "[x](javascript:alert)")]),
        ("[x](/relative)", [Span(TEXT, "[x](/relative)")]),
        ('[x](https://a"onclick)', [Span(TEXT, '[x](https://a"onclick)')]),
        ("![i](https://a.b/i.png)", [Span(TEXT, "![i](https://a.b/i.png)")]),
        ("<b>bold</b>", [Span(TEXT, "<b>bold</b>")]),
        ("a\n  b", [Span(TEXT, "a b")]),
        ("red \x1b[31m", [Span(TEXT, r"red \x1b[31m")]),
        ("\u202eright", [Span(TEXT, r"\u202eright")]),
    ],
)
def test_spans(markdown: str, spans: list[Span]) -> None:
    """Code, emphasis and links to https and mailto stand out; all else is text as written."""
    assert [list(p) for p in paragraphs(markdown)] == [spans]


def test_paragraphs() -> None:
    """Blank lines separate paragraphs; nothing is no paragraph."""
    told = [p[0].text for p in paragraphs("one\ntwo\n\n \nthree\n")]
    assert told == ["one two", "three"]
    assert paragraphs(" \n ") == ()


@given(st.text())
def test_links_are_safe_whatever_is_written(markdown: str) -> None:
    """Every address is https or mailto, every text printable."""
    for paragraph in paragraphs(markdown):
        for span in paragraph:
            assert printable(span.text) == span.text
            assert not span.url or span.url.lower().startswith(SAFE_SCHEMES)
