"""Time as a port, and the wire's form of an instant."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)
    """Seconds since 1970-01-01T00:00:00 UTC."""


class ManualClock:
    """A clock that stands still until it is moved; `seconds` since the epoch."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """The instant it was set to."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self.seconds += seconds


def to_wire(seconds: int) -> str:
    """An instant as the API writes it: `YYYY-MM-DDTHH:MM:SS`, UTC, no zone (Linode API, "time values")."""
    return (
        datetime.fromtimestamp(seconds, UTC)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .rjust(19, "0")
    )
