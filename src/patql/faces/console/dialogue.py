"""The engine's Dialogue at a command line."""

from patql.faces.console import stderr


class ConsoleDialogue:
    """Notes go to standard error; questions too, where a person is there to answer.

    Args:
        assume_yes: whether every question is answered yes, unasked.
    """

    def __init__(self, *, assume_yes: bool = False) -> None:
        self._assume_yes = assume_yes

    def note(self, message: str) -> None:
        """Tell something that isn't part of the result."""
        stderr.tell(f"note: {message}")

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Yes with `assume_yes`; else a person's answer, of which only `y` and `yes` are yes; else `otherwise`."""
        if self._assume_yes:
            return True
        if not stderr.can_ask():
            return otherwise
        return stderr.ask(f"{question} [y/N]").casefold() in {"y", "yes"}
