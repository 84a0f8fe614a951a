"""A session: one catalog, one target, one person or script, one relational engine."""

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from patql.catalog.names import Catalog
from patql.engine.ports import Dialogue, Transport
from patql.engine.result import Result
from patql.kernel.clock import Clock

if TYPE_CHECKING:
    from patql.engine.relate import Relational

CONCURRENCY = 16
"""Requests under way at once."""


class Session:
    """Runs statements, one after the other; not for two threads at once.

    Args:
        catalog: the resources that there are.
        transport: the target that answers for them.
        clock: what `now()` means; it stands still during a statement.
        dialogue: whoever is to be told and asked.
        concurrency: requests under way at once.
    """

    def __init__(
        self,
        catalog: Catalog,
        transport: Transport,
        clock: Clock,
        dialogue: Dialogue,
        *,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.catalog = catalog
        self.transport = transport
        self.dialogue = dialogue
        self.concurrency = concurrency
        self.now = clock.now()
        self._clock = clock
        self._relational: Relational | None = None

    def run(self, sql: str) -> Iterator[Result]:
        """The results of a script, statement by statement; each runs when its result is asked for.

        Raises:
            PatqlError: a statement failed; what it did before is a result of its own, given first.
        """
        from patql.engine.execute import execute
        from patql.engine.parse import parse

        for text in self.statements(sql):
            self.now = self._clock.now()
            if self._relational is not None:
                self._relational.set_now(self.now)
            try:
                yield from execute(parse(text), self)
            finally:
                if self._relational is not None:
                    self._relational.clear()

    def statements(self, sql: str) -> list[str]:
        """The statements of a script, as written.

        Raises:
            SqlError: a quote or a comment isn't closed.
        """
        from patql.engine.parse import split

        return split(sql)

    @property
    def relational(self) -> "Relational":
        """The relational engine, started when it is first needed."""
        if self._relational is None:
            from patql.engine.relate import Relational

            self._relational = Relational()
            self._relational.set_now(self.now)
        return self._relational

    def close(self) -> None:
        """Free the relational engine and the transport."""
        if self._relational is not None:
            self._relational.close()
            self._relational = None
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
