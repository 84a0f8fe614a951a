"""A progress bar on standard error for statements that take long; it is gone before anything else is shown."""

import contextlib
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from patql.engine.state import State
from patql.faces.console import stderr

if TYPE_CHECKING:
    from patql.faces.console.bars import Bars

T = TypeVar("T")

AFTER = 1.0
"""Seconds that a statement takes before there is a bar."""
EVERY = 0.1
"""Seconds from one drawing to the next."""


class Progress:
    """Shows what a statement has done so far, where a terminal can show it.

    Args:
        after: seconds that it takes before it is shown; None for `AFTER`.
    """

    def __init__(self, after: float | None = None) -> None:
        self._after = AFTER if after is None else after
        self._shows = stderr.is_terminal(sys.stderr)
        self._drawing = Lock()
        self._bars: Bars | None = None

    def over(self, results: Iterable[T], state: State) -> Iterator[T]:
        """The same results; there may be a bar while the next one is waited for."""
        source = iter(results)
        while True:
            with self._watched(state):
                result = next(source, None)
            if result is None:
                return
            yield result

    @contextmanager
    def paused(self) -> Generator[None]:
        """There is no bar during the block, in which something else is shown or asked."""
        with self._drawing:
            self._erase()
            yield

    @contextmanager
    def _watched(self, state: State) -> Generator[None]:
        if not self._shows:
            yield
            return
        ended = Event()
        Thread(target=self._watch, args=(state, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with self._drawing:
                self._erase()

    def _watch(self, state: State, ended: Event) -> None:
        begun = time.perf_counter()
        if ended.wait(self._after):
            return
        from patql.faces.console.bars import Bars

        bars = Bars()
        while not ended.wait(EVERY):
            # A terminal that has gone away needs no bar.
            with self._drawing, contextlib.suppress(OSError):
                if not ended.is_set():
                    self._bars = bars
                    bars.draw(state.meters, time.perf_counter() - begun)

    def _erase(self) -> None:
        if self._bars is not None:
            with contextlib.suppress(OSError):
                self._bars.erase()
