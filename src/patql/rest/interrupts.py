"""Ctrl-C, held off while a request is under way whose answer must not be lost."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Holds off one interruption, and lets it out later."""

    def __init__(self) -> None:
        self._held = False

    def check(self) -> None:
        """Let out what was held off.

        Raises:
            KeyboardInterrupt: something was.
        """
        if self._held:
            self._held = False
            raise KeyboardInterrupt

    @contextmanager
    def held_off(self, method: str) -> Generator[None]:
        """Hold off signals that would raise KeyboardInterrupt, while a POST is under way; a second one comes through.

        Only a POST makes something whose secret its answer alone holds. Signals that are handled otherwise, and
        threads other than the main one, which signals don't reach, are left alone.
        """
        main = threading.current_thread() is threading.main_thread()
        numbers = [
            number
            for number in _NUMBERS
            if main
            and method == "POST"
            and signal.getsignal(number) is signal.default_int_handler
        ]
        for number in numbers:
            signal.signal(number, self._hold)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, signal.default_int_handler)

    def _hold(self, _number: int, _frame: FrameType | None) -> None:
        self._held = not self._held
        if not self._held:
            raise KeyboardInterrupt
