"""Time as retries need it, as a port: tests don't sleep through pauses."""

import os
import time
from typing import Protocol

from patql.kernel.clock import SystemClock

RETRY = 60.0
"""Seconds for which a request is sent again, unless somebody says otherwise."""


class Pauses(Protocol):
    """What time it is, and how long to wait."""

    def passed(self) -> float:
        """Seconds since some instant; it never goes back."""
        ...

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00 UTC."""
        ...

    def timeout(self, seconds: float) -> float:
        """How long to really wait, in seconds, so that `seconds` have passed afterwards."""
        ...

    def chance(self) -> float:
        """A number from 0 to 1, any as likely as another."""
        ...


class SystemPauses:
    """Time as it is."""

    def passed(self) -> float:
        """Seconds since some instant; it never goes back."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00 UTC."""
        return SystemClock().now()

    def timeout(self, seconds: float) -> float:
        """So many seconds."""
        return seconds

    def chance(self) -> float:
        """A number from 0 to 1; `random` would take longer to import."""
        return int.from_bytes(os.urandom(4)) / 2**32
