"""A session: statements in, results out."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from threading import RLock, Timer
from types import TracebackType
from typing import Protocol, Self

from patql.catalog.names import Catalog
from patql.engine.ports import Dialogue, Transport
from patql.engine.result import Result
from patql.engine.state import Options, State
from patql.engine.statement import STOPPED
from patql.kernel.clock import Clock
from patql.kernel.errors import Code, PatqlError, SqlError

_AGAIN = 0.1
"""Seconds after which a statement is cancelled again, since it may have begun after it was the first time."""


class Alarm(Protocol):
    """A timer, as `threading.Timer` is one."""

    def start(self) -> None:
        """Count from now."""
        ...

    def cancel(self) -> None:
        """Count no further."""
        ...


def alarm(seconds: float, ring: Callable[[], None]) -> Alarm:
    """A timer that doesn't keep the process alive."""
    timer = Timer(seconds, ring)
    timer.daemon = True
    return timer


class Session:
    """Runs statements, one after the other; not for two threads at once.

    Args:
        catalog: the resources that there are.
        transport: the target that answers for them.
        clock: what `now()` means; it stands still during a statement.
        dialogue: whoever is to be told and asked.
        transports: the targets of providers that have their own, by the provider's name.
        options: how statements are run.
        alarm: makes the timer that ends a statement.
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
        alarm: Callable[[float, Callable[[], None]], Alarm] = alarm,
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
        self._alarm = alarm
        self._busy = RLock()

    def run(self, sql: str) -> Iterator[Result]:
        """The results of a script, statement by statement; each runs when its result is asked for.

        Raises:
            PatqlError: a statement failed; what it did before is a result of its own, given first.
        """
        with closing(self._results(sql)) as results:
            while True:
                with self._busy:
                    result = next(results, None)
                if result is None:
                    return
                yield result

    def _results(self, sql: str) -> Generator[Result]:
        from patql.engine.execute import execute
        from patql.engine.parse import parse

        for number, text in enumerate(self.statements(sql)):
            self.state.begin(self._clock.now())
            with self._placed(sql, number), self._stoppable():
                statement = parse(text, self.state.options.variables)
                yield from execute(statement, self.state)

    @contextmanager
    def _placed(self, sql: str, number: int) -> Generator[None]:
        """Errors of a statement tell their place in the script."""
        try:
            yield
        except SqlError as error:
            raise error.moved(*self.beginning(sql, number)) from error

    @contextmanager
    def _stoppable(self) -> Generator[None]:
        """A statement that ends when it has taken the time that it may take, and says why it was stopped if it was.

        Raises:
            PatqlError: why it was stopped; its hint is what the statement itself said of that.
        """
        seconds = self.state.options.timeout
        timer = self._alarm(seconds, self._expire) if seconds is not None else None
        if timer is not None:
            timer.start()
        try:
            yield
        except PatqlError as error:
            reason = self.state.stopped
            if reason is None or reason.message == error.message:
                raise
            raise PatqlError(reason.code, reason.message, hint=error.message) from None
        finally:
            if timer is not None:
                timer.cancel()
            self.state.end()

    def _expire(self) -> None:
        message = f"the statement took longer than {self.state.options.timeout:g} s"
        self.state.stop(PatqlError(Code.CANCELLED, message))

    def statements(self, sql: str) -> list[str]:
        """The statements of a script, as written.

        Raises:
            SqlError: a quote or a comment isn't closed.
        """
        from patql.engine.parse import split

        return split(sql)

    def beginning(self, sql: str, number: int) -> tuple[int, int]:
        """The line and the column at which a statement of a script begins; its number counts from 0."""
        from patql.engine.parse import beginning

        return beginning(sql, number)

    def cancel(self) -> None:
        """End the statement that is being run, at once; from any thread. It raises CANCELLED."""
        self.state.stop(PatqlError(Code.CANCELLED, STOPPED))

    def close(self) -> None:
        """End the statement that is being run, as `cancel` does, and free the relational engine and the transports."""
        wait = 0.0
        while not self._busy.acquire(timeout=wait):
            self.cancel()
            wait = _AGAIN
        try:
            self.state.close()
        finally:
            self._busy.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
