"""Changes over a real connection: several under way, a failure among them, given up, and previewed."""

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import Served
from tests.engine.test_mutations import verbs

from patql.catalog.document import Column, Provider, Resource, Service
from patql.catalog.names import Catalog
from patql.engine.ports import Took, Watch
from patql.engine.result import Row
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.kernel.secrets import Secret
from patql.rest.http import HttpTransport

ROWS = 6
WAIT = 20
"""Seconds after which a server that waits for another request gives up: only a failing test takes so long."""
TOKEN = "pql_" + "x" * 60
SECRET = Column("token", "string", read_only=True, once=True)


def catalog() -> Catalog:
    """One resource, `acme.shop.keys`, whose rows hold the start of a secret that creation gives whole."""
    from msgspec.structs import replace

    methods = tuple(
        replace(m, columns=(*m.columns, SECRET)) for m in verbs("/keys", "keyId")
    )
    keys = Resource("acme.shop.keys", "keys", "", "", methods)
    service = Service("shop:v1", "shop", "", "", "v1", True, (), (keys,))
    return Catalog((Provider("acme", "acme", "v1", "", "", (service,)),))


Answer = tuple[int, object]


class Server:
    """Holds keys 1 to 6, of which 1 is the session's own; `on` says what to answer to a change, by its path."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.under_way = 0
        self.on: dict[str, Callable[[], Answer]] = {}
        self.lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_port}/v4"

    def stop(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, verb: str, path: str) -> Answer:
        """What is answered to a request."""
        with self.lock:
            self.seen.append(f"{verb} {path}")
            self.under_way += 1
        try:
            if verb == "GET":
                one = path.removeprefix("/keys").removeprefix("/")
                rows = [key(n) for n in range(1, ROWS + 1)]
                return 200, key(int(one)) if one else {"data": rows}
            return self.on.get(path, lambda: (200, key(9)))()
        finally:
            with self.lock:
                self.under_way -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.rfile.read(int(self.headers.get("content-length", "0")))
                path = self.path.removeprefix("/v4")
                status, told = server.answer(self.command, path)
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002
                """Nothing."""

        return Handler


def key(number: int) -> dict[str, Any]:
    """A row."""
    token = TOKEN[:16] if number == 1 else f"{number:016}"
    return {"id": number, "name": f"n{number}", "size": 1, "token": token}


def telling(event: Event, answer: Answer) -> Answer:
    """The answer, once whoever waits for it has been told."""
    event.set()
    return answer


BOOM: Answer = (400, {"errors": [{"reason": "boom"}]})


@pytest.fixture
def server() -> Iterator[Server]:
    """A fresh server."""
    server = Server()
    yield server
    server.stop()


class Outcome:
    """What a statement gave."""

    def __init__(self, server: Server, concurrency: int, **options: Any) -> None:  # noqa: ANN401
        self.script = Script()
        self.session = Session(
            catalog(),
            HttpTransport(server.base, Secret(TOKEN)),
            ManualClock(NOON),
            self.script,
            options=Options(concurrency=concurrency, **options),
        )
        self.rows: list[Row] = []
        self.message: str | None = None
        self.error: PatqlError | None = None

    def run(self, sql: str) -> "Outcome":
        """Run it."""
        with self.session:
            try:
                for result in self.session.run(sql):
                    self.rows = result.rows()
                    self.message = result.message
            except PatqlError as error:
                self.error = error
        return self


def test_the_next_begins_as_soon_as_one_ends(server: Server) -> None:
    """One slow row doesn't hold up the others: it is answered only when the last of them has come."""
    last = Event()
    server.on["/keys/2"] = lambda: (200 if last.wait(WAIT) else 500, {})
    server.on["/keys/6"] = lambda: telling(last, (200, {}))
    done = Outcome(server, 2).run("DELETE FROM acme.shop.keys WHERE id > 1")
    assert (done.error, done.message) == (None, "5 rows deleted")


def test_those_under_way_are_waited_for_after_a_failure(server: Server) -> None:
    """What they did is counted, and returned."""
    failed = Event()
    server.on["/keys/2"] = lambda: (200 if failed.wait(WAIT) else 500, {})
    server.on["/keys/3"] = lambda: telling(failed, BOOM)
    sql = "DELETE FROM acme.shop.keys WHERE id IN (2, 3) RETURNING name"
    done = Outcome(server, 2).run(sql)
    assert done.rows == [("n2",)]
    assert done.error is not None
    assert "boom; 1 done, 1 failed, 0 not tried" in str(done.error)


def test_several_failures_are_named(server: Server) -> None:
    """The reason is the first row's, whichever was answered first."""
    both = Barrier(2, timeout=WAIT)
    server.on["/keys/2"] = lambda: (both.wait(), BOOM)[1]
    server.on["/keys/3"] = lambda: (both.wait(), BOOM)[1]
    done = Outcome(server, 2).run("DELETE FROM acme.shop.keys WHERE id > 1")
    assert "keys/2 answered 400: boom; 0 done, 2 failed (2, 3), 3 not tried" in str(
        done.error
    )


def test_own_token_goes_last_and_alone(server: Server) -> None:
    """Once it is gone, nothing else would be answered."""
    others: list[int] = []

    def own() -> Answer:
        others.append(server.under_way - 1)
        return 200, {}

    server.on["/keys/1"] = own
    done = Outcome(server, 3).run("DELETE FROM acme.shop.keys WHERE true")
    assert done.message == "6 rows deleted"
    assert server.seen[-1] == "DELETE /keys/1"
    assert others == [0]


def test_own_token_stays_where_another_failed(server: Server) -> None:
    """It is needed to try again."""
    server.on["/keys/4"] = lambda: BOOM
    Outcome(server, 3).run("DELETE FROM acme.shop.keys WHERE true")
    assert "DELETE /keys/1" not in server.seen


def test_secret_of_a_row_that_was_under_way_when_another_failed(server: Server) -> None:
    """It is returned."""
    both = Barrier(2, timeout=WAIT)
    answers = iter([BOOM, (200, {"id": 7, "name": "a", "token": "s" * 64})])

    def made() -> Answer:
        both.wait()
        with server.lock:
            return next(answers)

    server.on["/keys"] = made
    done = Outcome(server, 2).run(
        "INSERT INTO acme.shop.keys (name) VALUES ('a'), ('b')"
    )
    assert done.rows == [(7, "s" * 64)]
    assert "1 done, 1 failed, 0 not tried" in str(done.error)


def test_rows_are_returned_in_the_order_of_the_source(server: Server) -> None:
    """Whichever was made first."""
    numbers = iter(range(1, 41))

    def made() -> Answer:
        with server.lock:
            number = next(numbers)
        return 200, {"id": number, "name": f"n{number}", "token": "s" * 64}

    server.on["/keys"] = made
    done = Outcome(server, 8).run(
        "INSERT INTO acme.shop.keys (name) SELECT 'n' || i FROM range(40) t(i)"
    )
    assert sorted(row[0] for row in done.rows) == list(range(1, 41))
    assert done.message == "40 rows inserted"


def test_what_was_under_way_when_it_was_cancelled_is_not_known(server: Server) -> None:
    """It may have been done; those before it were, and those after it weren't begun."""
    both, over = Barrier(2, timeout=WAIT), Event()
    outcome = Outcome(server, 2)

    def hang() -> Answer:
        if both.wait() == 0:
            outcome.session.cancel()
        over.wait(WAIT)
        return 200, {}

    server.on["/keys/3"] = server.on["/keys/4"] = hang
    outcome.run("DELETE FROM acme.shop.keys WHERE id > 1")
    over.set()
    assert outcome.error is not None
    assert outcome.error.code is Code.CANCELLED
    assert "1 done, 0 failed, 2 not known (3, 4), 2 not tried" in str(outcome.error)
    assert outcome.message == "1 row deleted"


def test_secrets_are_delivered_although_the_statement_was_cancelled(
    server: Server,
) -> None:
    """Those of the rows that were made before."""
    over = Event()
    outcome = Outcome(server, 1)

    def made() -> Answer:
        if len(server.seen) == 2:
            outcome.session.cancel()
            over.wait(WAIT)
        return 200, {"id": 7, "name": "a", "token": "s" * 64}

    server.on["/keys"] = made
    outcome.run("INSERT INTO acme.shop.keys (name) VALUES ('a'), ('b'), ('c')")
    over.set()
    assert outcome.rows == [(7, "s" * 64)]
    assert outcome.error is not None
    assert outcome.error.code is Code.CANCELLED
    assert "1 done, 0 failed, 1 not known, 1 not tried" in str(outcome.error)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM acme.shop.keys WHERE size = 1",
        "UPDATE acme.shop.keys SET name = 'x' WHERE size = 1",
        "REPLACE acme.shop.keys SET name = 'x', size = 2 WHERE size = 1",
        "INSERT INTO acme.shop.keys (name) SELECT name FROM acme.shop.keys",
        "EXEC acme.shop.keys.remove @keyId = 2",
    ],
)
def test_dry_run_sends_only_what_reads(server: Server, sql: str) -> None:
    """Each request with its URL; of the token no more than is shown everywhere."""
    done = Outcome(server, 4, dry_run=True).run(sql)
    assert done.error is None
    assert all(seen.startswith("GET ") for seen in server.seen)
    assert done.message is not None
    assert done.message.startswith(f"dry run: {len(done.rows)} request")
    assert server.base in str(done.rows)
    assert TOKEN not in str(done.rows)
    assert f"authorization: Bearer {TOKEN[:16]}…" in str(done.rows)
    assert done.script.questions == []


class Overtaking(Served):
    """Has two requests under way, of which the second fails before the first is answered."""

    def attempt(
        self,
        requests: Iterable[Request],
        concurrency: int,
        took: Took,
        watch: Watch | None = None,
    ) -> None:
        """See `engine.ports.Attempting`."""
        ahead = iter(requests)
        first, second = next(ahead), next(ahead)
        took(1, next(self.send([second], 1)))
        further = list(ahead)
        took(0, next(self.send([first], 1)))
        assert further == []


def test_none_is_begun_after_a_failure() -> None:
    """Nor are those forgotten that were begun before."""
    rows = json.dumps({"data": [key(n) for n in range(2, 7)]}).encode()
    boom = json.dumps(BOOM[1]).encode()
    served = Overtaking(
        {
            "GET /keys": (200, rows),
            "DELETE /keys/2": (200, b"{}"),
            "DELETE /keys/3": (400, boom),
        }
    )
    session = Session(catalog(), served, ManualClock(NOON), Script())
    with session:
        results = session.run("DELETE FROM acme.shop.keys WHERE id > 1 RETURNING name")
        assert next(results).rows() == [("n2",)]
        with pytest.raises(PatqlError, match="boom; 1 done, 1 failed, 3 not tried"):
            next(results)


class Pressing(Served):
    """A person who presses Ctrl-C during the third change, so often; the first two are answered meanwhile."""

    def __init__(self, times: int) -> None:
        rows = json.dumps({"data": [key(n) for n in range(2, 7)]}).encode()
        super().__init__({"GET /keys": (200, rows)})
        self._times = times

    def attempt(
        self,
        requests: Iterable[Request],
        concurrency: int,
        took: Took,
        watch: Watch | None = None,
    ) -> None:
        """See `engine.ports.Attempting`."""
        for position, request in enumerate(requests):
            self._answers[f"{request.method} {request.path}"] = [(200, b"{}")]
            for _ in range(self._times if position == 2 else 0):
                signal.raise_signal(signal.SIGINT)
            took(position, next(self.send([request], 1)))


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """Ctrl-C does what Python makes of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize(
    ("times", "says"),
    [
        (1, "interrupted; 3 done, 0 failed, 2 not tried"),
        (2, "2 done, 0 failed, 1 not known, 2 not tried"),
    ],
)
def test_ctrl_c_waits_for_what_is_under_way_and_a_second_one_does_not(
    times: int, says: str
) -> None:
    """None is begun after the first."""
    session = Session(catalog(), Pressing(times), ManualClock(NOON), Script())
    with session:
        results = session.run("DELETE FROM acme.shop.keys WHERE id > 1")
        told = next(results).message
        with pytest.raises(PatqlError) as error:
            next(results)
    assert error.value.code is Code.CANCELLED
    assert says in str(error.value)
    assert told == f"{says.partition(' done')[0][-1]} rows deleted"
