"""Secrets: a wrapper that never shows itself, comparison in constant time, and redaction."""

import hmac
import re

SHOWN = 16
"""How many characters of a token are ever shown again, in characters."""

_TOKEN_SHAPE = re.compile(r"[0-9A-Za-z_]{48,}")


class Secret:
    """A string that only `reveal()` shows: repr, str, format and pickling don't."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The string itself; call it only where the secret leaves for its owner."""
        return self._text

    @property
    def shown(self) -> str:
        """The first 16 characters, which give nothing of the secret away."""
        return self._text[:SHOWN]

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        msg = "a Secret can't be pickled"
        raise TypeError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


def same(left: bytes, right: bytes) -> bool:
    """Whether two byte strings are equal, in time that doesn't depend on where they differ."""
    return hmac.compare_digest(left, right)


def redact(text: str) -> str:
    """The text with everything of a token's shape (48 or more letters, digits, `_`) cut to 16 characters."""
    return _TOKEN_SHAPE.sub(lambda found: found[0][:SHOWN] + "…", text)
