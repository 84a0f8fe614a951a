"""The little Markdown that descriptions have: code, links, emphasis. All else is text.

Descriptions come from documents that others may have written. So links lead to https and mailto only, anything else
is shown as it is written, and unprintable characters are shown as escapes.
"""

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

from patql.kernel.text import printable

SAFE_SCHEMES = ("https://", "mailto:")

_MARKUP = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?<!!)\[(?P<label>[^\[\]]+)\]\((?P<url>[^()\s<>\"']+)\)"
    r"|\*\*(?P<strong>[^*]+)\*\*"
    r"|(?<![\w*])(?P<mark>[*_])(?P<emphasis>[^*_\s](?:[^*_]*[^*_\s])?)(?P=mark)(?![\w*])"
)


class Kind(Enum):
    """How a stretch of text stands out."""

    TEXT = "text"
    CODE = "code"
    LINK = "link"
    STRONG = "strong"
    EMPHASIS = "emphasis"


class Span(msgspec.Struct, frozen=True):
    """A stretch of printable text; `url`, of a safe scheme, for a link only."""

    kind: Kind
    text: str
    url: str = ""


Paragraph = tuple[Span, ...]


def paragraphs(markdown: str) -> tuple[Paragraph, ...]:
    """The paragraphs of a description, which blank lines separate."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    flat = (printable(" ".join(block.split())) for block in blocks)
    return tuple(tuple(_spans(text)) for text in flat if text)


def _spans(text: str) -> Iterator[Span]:
    position = 0
    for found in _MARKUP.finditer(text):
        if found.start() > position:
            yield Span(Kind.TEXT, text[position : found.start()])
        yield _span(found)
        position = found.end()
    if position < len(text):
        yield Span(Kind.TEXT, text[position:])


def _span(found: re.Match[str]) -> Span:
    if url := found["url"]:
        safe = url.lower().startswith(SAFE_SCHEMES)
        return Span(Kind.LINK, found["label"], url) if safe else _written(found)
    for kind in (Kind.CODE, Kind.STRONG, Kind.EMPHASIS):
        if text := found[kind.value]:
            return Span(kind, text)
    return _written(found)


def _written(found: re.Match[str]) -> Span:
    return Span(Kind.TEXT, found[0])
