"""What a statement runs with: one catalog, one target, one person or script, one relational engine."""

from typing import TYPE_CHECKING

from patql.catalog.names import Catalog
from patql.engine.ports import Dialogue, Transport

if TYPE_CHECKING:
    from patql.engine.relate import Relational

CONCURRENCY = 16
"""Requests under way at once."""


class State:
    """What the stages of a statement share.

    Attributes:
        catalog: the resources that there are.
        transport: the target that answers for them.
        dialogue: whoever is to be told and asked.
        concurrency: requests under way at once.
        now: the statement's instant, in seconds since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        transport: Transport,
        dialogue: Dialogue,
        *,
        now: float,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.catalog = catalog
        self.transport = transport
        self.dialogue = dialogue
        self.concurrency = concurrency
        self.now = now
        self._relational: Relational | None = None

    @property
    def relational(self) -> "Relational":
        """The relational engine, started when it is first needed."""
        if self._relational is None:
            from patql.engine.relate import Relational

            self._relational = Relational()
            self._relational.set_now(self.now)
        return self._relational

    def begin(self, now: float) -> None:
        """A new statement begins, at that instant."""
        self.now = now
        if self._relational is not None:
            self._relational.set_now(now)

    def end(self) -> None:
        """The statement is over: what it published is forgotten."""
        if self._relational is not None:
            self._relational.clear()

    def close(self) -> None:
        """Free the relational engine and the transport."""
        if self._relational is not None:
            self._relational.close()
            self._relational = None
        self.transport.close()
