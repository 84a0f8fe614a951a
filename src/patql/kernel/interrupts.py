"""Ctrl-C, held off while something is made that must not be lost."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What stops a statement: Ctrl-C, and what a system or a closed terminal sends."""


class Held:
    """Whether an interruption came while it was held off."""

    def __init__(self) -> None:
        self._pending = False

    @property
    def pending(self) -> bool:
        """Whether one has come that nobody has taken yet; any thread may look."""
        return self._pending

    def take(self) -> bool:
        """Whether one came that nobody has taken yet; whoever takes it must act on it."""
        pending, self._pending = self._pending, False
        return pending

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The handler: keep the first, let the second through.

        Raises:
            KeyboardInterrupt: one is kept already.
        """
        if self.take():
            raise KeyboardInterrupt
        self._pending = True


@contextmanager
def held_off() -> Generator[Held]:
    """Hold off signals that would raise KeyboardInterrupt; a second one comes through.

    Signals that are handled otherwise, and threads other than the main one, which signals don't reach, are left alone.

    Raises:
        KeyboardInterrupt: at the end, where one came that nobody took.
    """
    held = Held()
    main = threading.current_thread() is threading.main_thread()
    theirs = signal.default_int_handler
    numbers = [n for n in SIGNALS if main and signal.getsignal(n) is theirs]
    for number in numbers:
        signal.signal(number, held.note)
    try:
        yield held
    finally:
        for number in numbers:
            signal.signal(number, theirs)
    if held.take():
        raise KeyboardInterrupt
