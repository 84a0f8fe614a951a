"""A session: statements in, results out."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from patql.catalog.names import Catalog
from patql.engine.ports import Dialogue, Transport
from patql.engine.result import Result
from patql.engine.state import Options, State
from patql.kernel.clock import Clock
from patql.kernel.errors import Code, PatqlError


class Session:
    """Runs statements, one after the other; not for two threads at once.

    Args:
        catalog: the resources that there are.
        transport: the target that answers for them.
        clock: what `now()` means; it stands still during a statement.
        dialogue: whoever is to be told and asked.
        transports: the targets of providers that have their own, by the provider's name.
        options: how statements are run.
    """

    def __init__(
        self,
        catalog: Catalog,
        transport: Transport,
        clock: Clock,
        dialogue: Dialogue,
        *,
        transports: Mapping[str, Transport] | None = None,
        options: Options | None = None,
    ) -> None:
        self.state = State(
            catalog,
            transport,
            dialogue,
            now=clock.now(),
            transports=transports,
            options=options,
        )
        self._clock = clock

    def run(self, sql: str) -> Iterator[Result]:
        """The results of a script, statement by statement; each runs when its result is asked for.

        Raises:
            PatqlError: a statement failed; what it did before is a result of its own, given first.
        """
        from patql.engine.execute import execute
        from patql.engine.parse import parse

        for text in self.statements(sql):
            self.state.begin(self._clock.now())
            try:
                yield from execute(parse(text), self.state)
            finally:
                self.state.end()

    def statements(self, sql: str) -> list[str]:
        """The statements of a script, as written.

        Raises:
            SqlError: a quote or a comment isn't closed.
        """
        from patql.engine.parse import split

        return split(sql)

    def cancel(self) -> None:
        """End the statement that is being run, at once; from any thread. It raises CANCELLED."""
        self.state.stop(
            PatqlError(Code.CANCELLED, "stopped before the answer was there")
        )

    def close(self) -> None:
        """Free the relational engine and the transports."""
        self.state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
