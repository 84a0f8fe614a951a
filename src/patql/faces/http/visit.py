"""One request to the API, from when it has been read until its answer is noted."""

from collections.abc import Sequence
from time import perf_counter

from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.authority.tokens import Parsed
from patql.faces.http.limits import Standing
from patql.kernel.errors import PatqlError
from patql.kernel.http import Request

Asked = tuple[bytes, Sequence[str]]
"""A secret, and the scopes that it needs."""


class Visit:
    """What is known of a request beside what it says.

    Attributes:
        request: what was sent.
        client: the address that it came from.
        secret: the credential that came with it; None for none, empty for more than one.
        now: when it came, in seconds since the epoch.
        begun: the same, to measure how long it takes.
        standing: where its client or its secret stands; None where nobody counts.
        heard: the verdicts that were given on its behalf, each with the secret that it is about.
    """

    __slots__ = (
        "_authority",
        "_known",
        "_presented",
        "begun",
        "client",
        "heard",
        "now",
        "request",
        "secret",
        "standing",
    )

    def __init__(
        self,
        authority: Authority,
        request: Request,
        client: str,
        now: float,
        secret: bytes | None,
        presented: Parsed | None = None,
    ) -> None:
        self._authority = authority
        self._presented = presented
        self._known: tuple[Asked, Granted | Denied | PatqlError] | None = None
        self.request = request
        self.client = client
        self.now = now
        self.begun = perf_counter()
        self.secret = secret
        self.standing: Standing | None = None
        self.heard: list[tuple[Granted | Denied, bytes]] = []

    async def ask(self, asked: Asked) -> None:
        """Have the verdict that will be asked for given beforehand, without blocking the event loop."""
        try:
            self._known = asked, await self._authority.verify_async(*asked)
        except PatqlError as error:
            self._known = asked, error

    def verify(self, secret: bytes, needs: Sequence[str]) -> Granted | Denied:
        """The verdict on a secret, as the API asks for it.

        Raises:
            PatqlError: as `Authority.verify`.
        """
        if self._known is not None and self._known[0] == (secret, needs):
            verdict = self._known[1]
            if isinstance(verdict, PatqlError):
                raise verdict
        elif self._presented is not None and secret == self.secret:
            verdict = self._authority.verify(self._presented, needs)
        else:
            verdict = self._authority.verify(secret, needs)
        self.heard.append((verdict, secret))
        return verdict
