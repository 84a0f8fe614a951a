"""What every request passes, wherever it is answered: whose it is, the limits, the verdict, the counts and the log."""

import asyncio
from collections.abc import Callable, Sequence

from patql.api.uses import Uses
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason
from patql.config import Settings
from patql.faces.http import limits
from patql.faces.http.access_log import AccessLog
from patql.faces.http.host import Host
from patql.faces.http.limits import Limits, Standing
from patql.faces.http.metrics import Metrics
from patql.faces.http.proxies import NOBODY, Proxies
from patql.kernel.clock import Clock
from patql.kernel.http import Headers

LOG_DELAY = 0.2
"""How long a line of the access log may wait to be written, in seconds."""


class Desk:
    """One for each process.

    Args:
        authority: gives verdicts.
        settings: limits, proxies, and the form of the log.
        host: what it shares with others.
        routes: the forms of paths that are counted apart.
        write: takes log lines.
        clock: where the present comes from.
    """

    def __init__(
        self,
        authority: Authority,
        settings: Settings,
        host: Host,
        routes: Sequence[str],
        write: Callable[[bytes], object],
        clock: Clock,
    ) -> None:
        self.authority = authority
        self.now = clock.now
        self.log = AccessLog(write, clock, json=settings.log == "json")
        self.uses = Uses()
        self.proxies = Proxies(settings.proxies)
        self.limits = Limits(
            host.memory,
            settings.limit_failures,
            settings.limit_requests,
            self.proxies.trusts,
        )
        self.metrics = Metrics(host.memory, limits.SIZE, host.workers, routes)

    def is_proxy(self, peer: str | None) -> bool:
        """Whether a peer is a proxy of ours, so that what it says of its clients counts."""
        return peer is not None and self.proxies.trusts(peer)

    def client(self, peer: str | None, headers: Headers) -> str:
        """The address that a request came from."""
        return self.proxies.client(peer or NOBODY, headers)

    def limited(
        self, client: str, secret: bytes | None, now: float
    ) -> tuple[Standing | None, bool]:
        """Where somebody who sent a secret stands, and whether that is too far; before the store is asked."""
        if not secret:
            return None, False
        standing = self.failing(client, now)
        if standing is not None:
            return standing, True
        if not self.limits.counts_requests:
            return None, False
        standing = self.limits.used(secret, now)
        if standing is not None and standing.remaining < 0:
            self.metrics.limited("requests")
            return standing, True
        return standing, False

    def failing(self, client: str, now: float) -> Standing | None:
        """Where somebody stands who has presented too many secrets that nobody has; None for any other."""
        standing = self.limits.failing(client, now)
        if standing is not None:
            self.metrics.limited("failures")
        return standing

    def tell(
        self, verdict: Granted | Denied, secret: bytes, client: str, now: float
    ) -> None:
        """Take note of a verdict.

        A secret that nobody has is a failure of the address that sent it; one that has expired was no guess.
        """
        self.metrics.verdict(verdict)
        if isinstance(verdict, Granted):
            self.uses.note(verdict.handle, now, client)
        elif verdict.reason is Reason.UNKNOWN and secret:
            self.limits.failed(client, now)

    def note(
        self,
        route: str | None,
        now: float,
        client: str,
        handle: str,
        method: str,
        path: str,
        status: int,
        size: int,
        seconds: float,
        request_id: str = "",
    ) -> None:
        """Take note of an answer: of the form of its path, and as `AccessLog.add`."""
        self.metrics.request(route, method, status, seconds)
        if self.log.add(
            now, client, handle, method, path, status, size, seconds, request_id
        ):
            self.write_soon()

    def write_soon(self) -> None:
        """Have what the log gathers written in a moment."""
        asyncio.get_running_loop().call_later(LOG_DELAY, self.log.flush)

    def close(self) -> None:
        """Write what is left to write."""
        self.log.flush()
        self.metrics.close()
