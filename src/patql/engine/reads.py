"""A transport for dry runs: it sends what only reads, remembers that, and refuses everything else."""

from collections.abc import Iterator, Sequence

from patql.engine.ports import Transport, Watch
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

_READS = frozenset({"GET", "HEAD"})
"""Verbs that change nothing (RFC 9110, section 9.2.1)."""


class OnlyReads:
    """The Transport port over another one.

    Args:
        inner: that one.
        sent: gets each request, as a person would name it.
    """

    def __init__(self, inner: Transport, sent: list[str]) -> None:
        self._inner = inner
        self._sent = sent

    @property
    def target(self) -> str:
        """The other's."""
        return self._inner.target

    @property
    def acting(self) -> str | None:
        """The other's."""
        return self._inner.acting

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The other's answers.

        Raises:
            PatqlError: UNSUPPORTED where one of them may change something; none is sent then.
        """
        named = [self._name(request) for request in requests]
        for request, name in zip(requests, named, strict=True):
            if request.method not in _READS:
                message = f"a dry run doesn't send {name}, which may change something"
                raise PatqlError(Code.UNSUPPORTED, message)
        self._sent += named
        return self._inner.send(requests, concurrency, watch)

    def cancel(self) -> None:
        """The other's."""
        self._inner.cancel()

    def close(self) -> None:
        """The other's."""
        self._inner.close()

    def _name(self, request: Request) -> str:
        query = f"?{request.query}" if request.query else ""
        base = request.base or self.target
        return f"{request.method} {base if base.startswith('http') else ''}{request.path}{query}"
