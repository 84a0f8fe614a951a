"""Names that were likely meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names most like `name`, best first."""
    folded = {k.casefold(): k for k in known}
    return [
        folded[k]
        for k in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    ]
