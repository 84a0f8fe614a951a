"""A piece of a statement twice: as PatQL is asked, and as DuckDB is, which knows nothing of resources."""

from collections.abc import Iterable

Pair = tuple[str, str]


def same(text: str) -> Pair:
    """A piece that both write alike."""
    return text, text


def join(template: str, *pieces: Pair) -> Pair:
    """A template with the pieces in its `{}`."""
    ours, theirs = zip(*pieces, strict=True) if pieces else ((), ())
    return template.format(*ours), template.format(*theirs)


def listed(pieces: Iterable[Pair], between: str = ", ") -> Pair:
    """Pieces with something between them."""
    ours, theirs = zip(*pieces, strict=True)
    return between.join(ours), between.join(theirs)
