"""Requests under way together, and rows that are read once while the relational engine computes."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock, Thread

import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import JSON
from tests.engine.shop import Shop, provider

from patql.catalog.names import Catalog
from patql.engine.ports import Transport, Watch
from patql.engine.session import Session
from patql.engine.state import Options
from patql.engine.stream import ReadAgainError, Stream
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

PAGES, ROWS = 100, 500
"""Of each long list: so many that batches of its rows are there long before the last page."""


def opened(transport: Transport, concurrency: int = 16) -> Session:
    """A session of the shop."""
    return Session(
        Catalog((provider("acme"),)),
        transport,
        ManualClock(NOON),
        Script(),
        options=Options(concurrency=concurrency),
    )


class Together(Shop):
    """Answers lists of members only when so many are asked for at once."""

    def __init__(self, together: int) -> None:
        super().__init__([])
        self.most = 0
        self._under_way = 0
        self._lock = Lock()
        self._barrier = Barrier(together)

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The answers, as many under way as may be."""
        with ThreadPoolExecutor(concurrency) as pool:
            yield from pool.map(self._answered, requests)

    def _answered(self, request: Request) -> Response:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        if "members" in request.path:
            self._barrier.wait(30)
        with self._lock:
            self._under_way -= 1
            return self.answer(request)


@pytest.mark.parametrize("together", [4, 2])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM acme.shop.orgs o JOIN acme.shop.members m ON m.org = o.name",
        "SELECT count(*) FROM acme.shop.members WHERE org IN ('blue', 'red', 'green', 'a/b c')",
    ],
)
def test_requests_of_one_table_are_under_way_together(together: int, sql: str) -> None:
    """As many as the options say, and no more."""
    transport = Together(together)
    with opened(transport, concurrency=together) as session:
        (result,) = session.run(sql)
        assert result.rows() == [(4,)]
    assert transport.most == together


class Long:
    """A Transport over lists of many pages, the last of whose rows has the number of rows as its id.

    `at` does something before a page of that number is answered.
    """

    target = "https://api.shop.example/v4"
    acting: str | None = None

    def __init__(self, at: dict[int, Callable[[], object]] | None = None) -> None:
        self.sent: list[str] = []
        self._at = at or {}
        self.closed = 0

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The pages, one after the other."""
        try:
            for request in requests:
                number = int(request.query.partition("&")[0].removeprefix("page="))
                self.sent.append(f"{request.path} {number}")
                self._at.get(number, int)()
                yield page(number)
        finally:
            self.closed += 1

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to let go of."""


def page(number: int) -> Response:
    """A page of a long list."""
    first = (number - 1) * ROWS + 1
    rows = [
        {"id": n, "label": f"l{n}", "rank": n % 7} for n in range(first, first + ROWS)
    ]
    told = {"page": number, "pages": PAGES, "results": PAGES * ROWS}
    return Response(200, [JSON], json.dumps({"data": rows, **told}).encode())


COMPUTED = "SELECT max(id) FROM acme.shop.things WHERE length(label) > 1"


def test_computed_rows_are_all_there() -> None:
    """Of the last page too."""
    with opened(transport := Long()) as session:
        (result,) = session.run(COMPUTED)
        assert result.rows() == [(PAGES * ROWS,)]
    assert len(transport.sent) == PAGES


def test_two_streams_meet() -> None:
    """Rows of both are pulled while they are joined."""
    sql = (
        "SELECT count(*), max(s.id) FROM acme.shop.things t "
        "JOIN acme.shop.stock s ON t.label = 'l' || s.id"
    )
    with opened(transport := Long()) as session:
        (result,) = session.run(sql)
        assert result.rows() == [(PAGES * ROWS, PAGES * ROWS)]
    assert sorted({each.split()[0] for each in transport.sent}) == ["/stock", "/things"]
    assert len(transport.sent) == 2 * PAGES


def test_no_more_is_asked_for_than_a_limit_takes() -> None:
    """What was begun is closed when the relational engine has enough rows."""
    sql = "SELECT id FROM acme.shop.things WHERE length(label) > 1 LIMIT 3"
    with opened(transport := Long()) as session:
        (result,) = session.run(sql)
        assert len(result.rows()) == 3
        assert len(transport.sent) < PAGES
        (again,) = session.run(COMPUTED)
        assert again.rows() == [(PAGES * ROWS,)]
    assert transport.closed == 4  # the first page and the others, twice


@pytest.mark.parametrize("number", [3, PAGES])
@pytest.mark.parametrize(
    "sql",
    [
        COMPUTED,
        "SELECT id FROM acme.shop.things",
        "SELECT id FROM acme.shop.things WHERE length(label) > 1",
        "CREATE TABLE kept AS SELECT id FROM acme.shop.things",
        "SELECT count(*) FROM acme.shop.stock s JOIN acme.shop.things t USING (id)",
    ],
)
def test_an_error_in_the_middle_is_the_answer(number: int, sql: str) -> None:
    """It comes as it is, and no row before it."""

    def fail() -> None:
        raise PatqlError(Code.UNREACHABLE, f"page {number} didn't come")

    with opened(Long({number: fail})) as session:
        with pytest.raises(PatqlError, match=f"^page {number} didn't come$") as error:
            list(session.run(sql))
        assert error.value.code is Code.UNREACHABLE
        (after,) = session.run("SELECT 1")
        assert after.rows() == [(1,)]


class Held(Long):
    """Long lists, one page of which doesn't come before it is cancelled."""

    def __init__(self, number: int) -> None:
        super().__init__({number: self._wait})
        self.waiting = Event()
        self._cancelled = Event()

    def _wait(self) -> None:
        if not self._cancelled.is_set():
            self.waiting.set()
            assert self._cancelled.wait(60)
            raise PatqlError(Code.CANCELLED, "cancelled")

    def cancel(self) -> None:
        """Give up."""
        self._cancelled.set()


@pytest.mark.parametrize("number", [1, 3, PAGES - 1])
def test_cancel_in_the_middle_ends_it_at_once(number: int) -> None:
    """From another thread; the next statement runs as if nothing had been."""
    transport = Held(number)
    with opened(transport) as session:

        def cancel() -> None:
            assert transport.waiting.wait(60)
            session.cancel()

        canceller = Thread(target=cancel)
        canceller.start()
        with pytest.raises(PatqlError, match="stopped") as stopped:
            list(session.run(COMPUTED))
        canceller.join()
        assert stopped.value.code is Code.CANCELLED
        (after,) = session.run(COMPUTED)
        assert after.rows() == [(PAGES * ROWS,)]


@pytest.mark.parametrize("number", [3, PAGES - 1])
def test_ctrl_c_in_the_middle_ends_it(number: int) -> None:
    """It comes while a page is waited for, goes on to whoever is to tell of it, and the session is as before."""
    pressed: list[int] = []

    def press() -> None:
        if not pressed:
            pressed.append(number)
            raise KeyboardInterrupt

    with opened(Long({number: press})) as session:
        with pytest.raises(KeyboardInterrupt):
            list(session.run(COMPUTED))
        (after,) = session.run(COMPUTED)
        assert after.rows() == [(PAGES * ROWS,)]


def test_rows_that_are_read_twice_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB copies what stands after CASE to each WHEN; then the list is fetched anew, as a whole."""
    errors: list[BaseException | None] = []
    close = Stream.close

    def closing(stream: Stream) -> None:
        errors.append(stream.error)
        close(stream)

    monkeypatch.setattr(Stream, "close", closing)
    sql = (
        "SELECT CASE (SELECT max(id) FROM acme.shop.things WHERE length(label) > 1) "
        f"WHEN 1 THEN 'one' WHEN {PAGES * ROWS} THEN 'all' END"
    )
    with opened(transport := Long()) as session:
        (result,) = session.run(sql)
        assert result.rows() == [("all",)]
    assert any(isinstance(error, ReadAgainError) for error in errors)
    assert len(transport.sent) <= 2 * PAGES
