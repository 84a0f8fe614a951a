"""What a progress bar looks like: a line for each step of the statement. Imported once there is one, for it takes rich."""

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from patql.engine.meter import Meter
from patql.kernel.text import printable

STEPS = 8
"""How many steps are shown: the last ones."""
_WIDTH = 16


class Bars:
    """Lines on the terminal that standard error is, which change in place and can be erased."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None

    def draw(self, meters: Sequence[Meter], seconds: float) -> None:
        """Show how far each step is, and how long all have taken; nothing where the terminal can't move its cursor."""
        if not self._console.is_interactive:
            return
        lines = _lines(meters, seconds)
        if self._live is not None:
            self._live.update(lines, refresh=True)
            return
        self._live = Live(
            lines,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def erase(self) -> None:
        """Leave the terminal as it was before."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _lines(meters: Sequence[Meter], seconds: float) -> RenderableType:
    took = f"{seconds // 60:.0f}:{int(seconds % 60):02}"
    if not meters:
        return Text(f"working  {took}")
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name_gives_way in (True, False, False, False):
        lines.add_column(no_wrap=not name_gives_way)
    last = len(meters[-STEPS:]) - 1
    for at, meter in enumerate(meters[-STEPS:]):
        bar = ProgressBar(
            total=meter.expected,
            completed=meter.requests,
            width=_WIDTH,
            pulse=meter.expected is None,
            animation_time=seconds,
        )
        # As Text, since rich would obey what is in brackets.
        name = Text(printable(meter.name), no_wrap=True, overflow="ellipsis")
        lines.add_row(name, bar, Text(_told(meter)), Text(took if at == last else ""))
    return lines


def _told(meter: Meter) -> str:
    noun = "page" if meter.rows else "request"
    of = f"{meter.requests:,} of " if meter.expected is not None else ""
    known = meter.requests if meter.expected is None else meter.expected
    told = [of + _count(known, noun)]
    if meter.rows:
        told.append(_count(meter.rows, "row"))
    if meter.waited:
        told.append(f"waits of {meter.waited:.0f} s")
    return ", ".join(told)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
