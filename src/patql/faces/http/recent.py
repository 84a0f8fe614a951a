"""What bytes were read as a moment ago: clients send the same again and again."""

from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 4096  # texts
_LONGEST = 2048  # bytes of a text


class Recent(Generic[T]):
    """Texts, each with what it was read as: never with what was answered, which is asked anew each time."""

    def __init__(self) -> None:
        self._known = dict[bytes, T]()
        self.recall = self._known.get
        """What a text was read as; None for one that isn't kept."""

    def keep(self, text: bytes, value: T) -> None:
        """Keep what a text was read as, if there is room."""
        if len(text) <= _LONGEST and len(self._known) < _KEPT:
            self._known[text] = value

    def forget(self) -> None:
        """Let go of all of them: there are secrets in them."""
        self._known.clear()
