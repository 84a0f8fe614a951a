"""The engine's Dialogue at a command line."""

import sys

from patql.faces.console import stderr
from patql.faces.console.progress import Progress


class ConsoleDialogue:
    """Notes go to standard error; questions too, where a person is there to answer.

    Args:
        assume_yes: whether every question is answered yes, unasked.
        progress: what is shown meanwhile, and out of the way then.
    """

    def __init__(
        self, *, assume_yes: bool = False, progress: Progress | None = None
    ) -> None:
        self._assume_yes = assume_yes
        self._progress = progress or Progress()

    def announce(self, target: str) -> None:
        """Tell where the first request is about to go, where a terminal shows it."""
        if stderr.is_terminal(sys.stderr):
            with self._progress.paused():
                stderr.tell(f"target: {target}")

    def note(self, message: str) -> None:
        """Tell something that isn't part of the result."""
        with self._progress.paused():
            stderr.tell(f"note: {message}")

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Yes with `assume_yes`; else a person's answer, of which only `y` and `yes` are yes; else `otherwise`."""
        if self._assume_yes:
            return True
        if not stderr.can_ask():
            return otherwise
        with self._progress.paused():
            return stderr.ask(f"{question} [y/N]").casefold() in {"y", "yes"}
