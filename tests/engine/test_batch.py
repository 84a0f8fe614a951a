"""Many rows by one request: when, which, and what became of each; of a server that has only what is told here."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.engine.conftest import NOON, Script
from tests.engine.served import JSON
from tests.engine.test_write import CREATE, FIELDS, GET, LIST, PUT, REMOVE

from patql.catalog.document import Batch, Method, Provider, Resource, Service
from patql.catalog.names import Catalog
from patql.engine import batch
from patql.engine.ports import Watch
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

ITS_OWN = "https://foreign.example/v4"
METHODS = (
    GET,
    LIST,
    replace(CREATE, batch=Batch("creates", "POST", "/batch", "things", "things")),
    replace(PUT, batch=Batch("updates", "PUT", "/batch", "things", "things", "id")),
    replace(REMOVE, batch=Batch("removes", "DELETE", "/batch", "ids")),
)
Answer = Response | PatqlError | BaseException


def said(status: int, *problems: tuple[str, str | None]) -> Response:
    """A refusal in the API's own form."""
    errors = [{"reason": r} | ({"field": f} if f else {}) for r, f in problems]
    return Response(status, [JSON], msgspec.json.encode({"errors": errors}))


NO_PATH = said(404, ("Not found", None))


class Things:
    """A server of things by their ids, over the Transport port; `batches` False: it has no batches.

    `answers` are what it says to the next batches instead of what they ask for; None lets one be.
    """

    acting: str | None = None

    def __init__(self, rows: int = 5, *, batches: bool = True) -> None:
        self.target = "https://api.example.com/v4"
        self.rows = {n: {"name": f"n{n}", "size": 1} for n in range(1, rows + 1)}
        self.batches = batches
        self.answers: list[Answer | None] = []
        self.sent: list[Request] = []
        self.before: Callable[[Request], None] = lambda _: None

    @property
    def told(self) -> list[str]:
        """What changed something, as `VERB path body`."""
        every = (r for r in self.sent if r.method != "GET")
        return [f"{r.method} {r.path} {r.body.decode()}".strip() for r in every]

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The answers in the order of the requests."""
        for request in requests:
            self.sent.append(request)
            self.before(request)
            yield self._answer(request)

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _answer(self, request: Request) -> Response:
        if request.path == "/things" and request.method == "GET":
            return self._said({"data": [self._row(n) for n in self.rows]})
        body = msgspec.json.decode(request.body or b"{}")
        if request.path != "/batch":
            number = (
                int(request.path.rpartition("/")[2]) if request.path != "/things" else 0
            )
            return self._alone(request.method, number, body)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            answer = self._batch(request.method, body) if self.batches else NO_PATH
        return answer

    def _alone(self, verb: str, number: int, body: dict[str, Any]) -> Response:
        if verb == "POST":
            return self._said(self._made(body))
        if number not in self.rows:
            return NO_PATH
        if verb == "DELETE":
            del self.rows[number]
            return self._said({})
        self.rows[number] |= body
        return self._said(self._row(number))

    def _batch(self, verb: str, body: dict[str, Any]) -> Response:
        if verb == "POST":
            return self._said({"things": [self._made(each) for each in body["things"]]})
        form = "ids[{}]" if verb == "DELETE" else "things[{}].id"
        entries: list[Any] = body["ids" if verb == "DELETE" else "things"]
        ids = [each if verb == "DELETE" else each.pop("id") for each in entries]
        missing = [at for at, number in enumerate(ids) if number not in self.rows]
        if missing:
            return said(404, *(("Not found", form.format(at)) for at in missing))
        if verb == "DELETE":
            self.rows = {n: row for n, row in self.rows.items() if n not in ids}
            return self._said({"revoked": ids})
        for number, changed in zip(ids, entries, strict=True):
            self.rows[number] |= changed
        return self._said({"things": [self._row(number) for number in ids]})

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        number = max(self.rows, default=0) + 1
        self.rows[number] = {"name": "", "size": 0} | body
        return self._row(number)

    def _row(self, number: int) -> dict[str, Any]:
        return {"id": number, **self.rows[number], "secret": f"secret-of-{number:06}"}

    def _said(self, value: object) -> Response:
        return Response(200, [JSON], msgspec.json.encode(value))


class Run:
    """What became of a script."""

    def __init__(
        self,
        things: Things,
        sql: str,
        *,
        dry_run: bool = False,
        methods: tuple[Method, ...] = METHODS,
        undo: bool = False,
    ) -> None:
        resource = Resource("acme.store.things", "things", "", "", methods)
        service = Service(
            "store:v1", "store", "", "", "v1", True, (ITS_OWN,), (resource,)
        )
        catalog = Catalog((Provider("acme", "acme", "v1", "", "", (service,)),))
        script = Script()
        script.consent = True
        self.notes = script.notes
        self.rows: list[tuple[Any, ...]] = []
        self.message: str | None = None
        self.error: PatqlError | None = None
        self.undone: tuple[object, ...] = ()
        options = Options(concurrency=2, dry_run=dry_run)
        with Session(catalog, things, ManualClock(NOON), script, options=options) as s:
            self._state = s.state
            try:
                for result in s.run(sql):
                    self.rows, self.message = result.rows(), result.message
                    if undo and result.undo is not None:
                        self.undone = result.undo()
            except PatqlError as error:
                self.error = error

    @property
    def requests(self) -> int:
        """How many answers the last statement's meters have counted, and expect in all."""
        return sum(meter.requests for meter in self._state.meters)


INSERT = "INSERT INTO acme.store.things (name, size) VALUES ('a', 1), ('b', 2)"
DELETE = "DELETE FROM acme.store.things WHERE id > 1"
UPDATE = "UPDATE acme.store.things SET name = upper(name) WHERE id > 3"


@pytest.mark.parametrize(
    ("sql", "told", "message"),
    [
        (
            INSERT,
            'POST /batch {"things":[{"name":"a","size":1},{"name":"b","size":2}]}',
            "2 rows inserted",
        ),
        (
            "INSERT INTO acme.store.things (name) SELECT name FROM acme.store.things WHERE id < 3",
            'POST /batch {"things":[{"name":"n1"},{"name":"n2"}]}',
            "2 rows inserted",
        ),
        (DELETE, 'DELETE /batch {"ids":[2,3,4,5]}', "4 rows deleted"),
        (
            UPDATE,
            'PUT /batch {"things":[{"id":4,"name":"N4"},{"id":5,"name":"N5"}]}',
            "2 rows updated",
        ),
        (
            "REPLACE acme.store.things SET name = 'x', size = 2 WHERE id IN (1, 2)",
            'PUT /batch {"things":[{"id":1,"name":"x","size":2},{"id":2,"name":"x","size":2}]}',
            "2 rows replaced",
        ),
    ],
)
def test_several_rows_go_together(sql: str, told: str, message: str) -> None:
    """By one request of its kind, under a key that nobody else has."""
    things = Things()
    done = Run(things, sql)
    assert (done.error, done.message) == (None, message)
    assert things.told == [told]
    key = things.sent[-1].header(b"idempotency-key")
    assert key is not None
    assert len(key) == 32
    assert things.sent[-1].header(b"content-type") == b"application/json"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "INSERT INTO acme.store.things (name) VALUES ('a')",
            'POST /things {"name":"a"}',
        ),
        ("DELETE FROM acme.store.things WHERE name = 'n2'", "DELETE /things/2"),
        (
            "UPDATE acme.store.things SET size = 9 WHERE name = 'n2'",
            'PUT /things/2 {"size":9}',
        ),
    ],
)
def test_one_row_goes_alone(sql: str, told: str) -> None:
    """As ever."""
    things = Things()
    assert Run(things, sql).error is None
    assert things.told == [told]


def test_answers_are_each_rows_own() -> None:
    """RETURNING gives what came back for each, one-time secrets too, in the order of the source."""
    done = Run(Things(), f"{INSERT} RETURNING id, name, secret")
    assert done.rows == [(6, "a", "secret-of-000006"), (7, "b", "secret-of-000007")]
    done = Run(Things(), f"{UPDATE} RETURNING id, name")
    assert done.rows == [(4, "N4"), (5, "N5")]
    done = Run(Things(), f"{DELETE} AND id < 4 RETURNING name")
    assert done.rows == [("n2",), ("n3",)]


def test_no_batch_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in rows nor in bytes; a row that is too long alone goes alone, for the server to refuse."""
    monkeypatch.setattr(batch, "MOST", 3)
    things = Things(8)
    done = Run(things, "DELETE FROM acme.store.things")
    assert things.told == [
        'DELETE /batch {"ids":[1,2,3]}',
        'DELETE /batch {"ids":[4,5,6]}',
        'DELETE /batch {"ids":[7,8]}',
    ]
    assert (done.message, done.requests) == ("8 rows deleted", 1 + 3)
    monkeypatch.setattr(batch, "LONGEST", 100)
    things = Things(8)
    sql = "UPDATE acme.store.things SET name = repeat('x', CASE id WHEN 3 THEN 200 ELSE 5 END)"
    assert Run(things, sql).message == "8 rows updated"
    sizes = [len(told.partition(" {")[2]) + 1 for told in things.told]
    ids = [
        msgspec.json.decode(told.partition("h ")[2])["things"] for told in things.told
    ]
    assert [[each["id"] for each in some] for some in ids] == [
        [1],
        [2],
        [3],
        [4],
        [5],
        [6],
        [7],
        [8],
    ]
    assert [size > 100 for size in sizes] == [n == 3 for n in range(1, 9)]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([None, None], ['DELETE /batch {"ids":[6,7]}']),
        (
            [None, NO_PATH],
            ['DELETE /batch {"ids":[6,7]}', "DELETE /things/6", "DELETE /things/7"],
        ),
        (
            [None, PatqlError(Code.UNREACHABLE, "no answer")],
            ['DELETE /batch {"ids":[6,7]}', "DELETE /things/6", "DELETE /things/7"],
        ),
        ([NO_PATH], ["DELETE /things/6", "DELETE /things/7"]),
    ],
)
def test_what_was_made_is_undone_together(
    answers: list[Answer | None], told: list[str]
) -> None:
    """Where it can be; else row by row, so that no secret that nobody has got stays good."""
    things = Things()
    things.answers = answers
    done = Run(things, INSERT, undo=True)
    assert (done.error, done.undone) == (None, (6, 7))
    assert [text for text in things.told if text.startswith("DELETE")] == told
    assert len(things.rows) == 5


@pytest.mark.parametrize(
    "absent",
    [NO_PATH, said(405, ("PUT isn't allowed", None)), Response(404, [], b"<html>")],
)
def test_a_server_without_batches(absent: Response) -> None:
    """The first batch tells; then each row goes alone, and later statements ask no more."""
    things = Things()
    things.answers = [absent, absent, absent]
    done = Run(things, f"{DELETE}; {INSERT}")
    assert (done.error, done.message) == (None, "2 rows inserted")
    assert [told.partition(" {")[0] for told in things.told] == [
        "DELETE /batch",
        *(f"DELETE /things/{n}" for n in range(2, 6)),
        *["POST /things"] * 2,
    ]


def test_the_documents_own_server_is_not_asked() -> None:
    """It is whoever's API the document is about, and has nothing of ours."""
    things = Things()
    things.target = ITS_OWN
    assert Run(things, DELETE).message == "4 rows deleted"
    assert things.told == [f"DELETE /things/{n}" for n in range(2, 6)]


def test_rows_that_are_gone_are_left_out() -> None:
    """Nothing was done then, so that the others go again, under another key; those that are gone don't count."""
    things = Things()

    def vanish(request: Request) -> None:
        if request.path == "/batch":
            things.rows.pop(3, None)

    things.before = vanish
    done = Run(things, f"{DELETE} RETURNING id")
    assert (done.error, done.message) == (None, "3 rows deleted")
    assert done.rows == [(2,), (4,), (5,)]
    assert things.told == [
        'DELETE /batch {"ids":[2,3,4,5]}',
        'DELETE /batch {"ids":[2,4,5]}',
    ]
    first, second = (r.header(b"idempotency-key") for r in things.sent[-2:])
    assert first != second


def test_all_are_gone() -> None:
    """Then nothing is left to do."""
    things = Things()
    things.answers = [said(404, *(("Not found", f"things[{n}].id") for n in range(2)))]
    done = Run(things, UPDATE)
    assert (done.error, done.message) == (None, "0 rows updated")


def test_a_row_that_is_refused() -> None:
    """It is named, with what is wrong with it; none of its batch was done, and none after it."""
    things = Things()
    things.answers = [
        said(400, ("Too long", "things[1].name"), ("Odd", "things[1].size"))
    ]
    done = Run(things, INSERT + ", ('c', 3)")
    assert done.error is not None
    assert done.error.code is Code.SERVER_REFUSED
    assert done.error.message == (
        "row 2 of 3: POST https://api.example.com/v4/batch answered 400: name: Too long; size: Odd; "
        "0 done, 1 failed (row 2), 2 not done"
    )
    assert (done.message, things.told[1:]) == (None, [])


def test_earlier_batches_are_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """With their secrets, before the error."""
    monkeypatch.setattr(batch, "MOST", 2)
    things = Things(0)
    things.answers = [None, said(400, ("No", "things[1].name"))]
    values = ", ".join(f"('x{n}')" for n in range(6))
    done = Run(things, f"INSERT INTO acme.store.things (name) VALUES {values}")
    assert done.rows == [(1, "secret-of-000001"), (2, "secret-of-000002")]
    assert done.message == "2 rows inserted"
    assert "2 done, 1 failed (row 4), 3 not done" in str(done.error)


def test_a_request_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is no row's fault, all of its rows have failed."""
    monkeypatch.setattr(batch, "MOST", 3)
    things = Things()
    things.answers = [said(401, ("Invalid Token", None))]
    done = Run(things, DELETE)
    assert "answered 401: Invalid Token; 0 done, 3 failed, 1 not done" in str(
        done.error
    )
    assert "row 1 of" not in str(done.error)
    things.answers = [said(401, ("Invalid Token", None))]
    assert "/batch answered 401: Invalid Token; 0 done, 2 failed, 0 not done" in str(
        Run(things, INSERT).error
    )


@pytest.mark.parametrize(
    "answer",
    [
        PatqlError(Code.UNREACHABLE, "no answer"),
        Response(200, [JSON], b'{"things": [{"id": 1}]}'),
        Response(200, [JSON], b"<html>"),
        Response(200, [JSON], b"{}"),
        KeyboardInterrupt(),
    ],
)
def test_what_became_of_a_batch_is_not_known(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its answer is lost, or says nothing of each row; earlier ones are known, and none is begun after it."""
    monkeypatch.setattr(batch, "MOST", 2)
    things = Things()
    things.answers = [None, answer]
    done = Run(things, INSERT + ", ('c', 3), ('d', 4), ('e', 5)")
    assert done.message == "2 rows inserted"
    assert "2 done, 0 failed, 2 not known (row 3, row 4), 1 not done" in str(done.error)
    assert "may have been done" in str(done.error)
    assert len(things.told) == 2


def test_a_batch_that_a_proxy_finds_too_large() -> None:
    """It is sent in halves, as often as it takes."""
    things = Things()
    things.answers = [Response(413, [], b"<html>"), Response(413, [], b"")]
    done = Run(things, "DELETE FROM acme.store.things")
    assert (done.error, done.message) == (None, "5 rows deleted")
    assert things.told[1:] == [
        'DELETE /batch {"ids":[1,2]}',
        *(f'DELETE /batch {{"ids":[{n}]}}' for n in range(1, 6)),
    ]
    things = Things(2)
    things.answers = [Response(413, [], b"")] * 2
    done = Run(things, "DELETE FROM acme.store.things")
    assert "answered 413: no reason given; 0 done, 1 failed, 1 not done" in str(
        done.error
    )


def test_stopped_between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is told, and the rest isn't begun."""
    monkeypatch.setattr(batch, "MOST", 2)
    things = Things()
    run: list[Session] = []
    inner = Session.run

    def caught(session: Session, sql: str) -> Iterator[Any]:
        run.append(session)
        return inner(session, sql)

    monkeypatch.setattr(Session, "run", caught)

    def stop(request: Request) -> None:
        if request.method == "DELETE":
            run[0].cancel()

    things.before = stop
    done = Run(things, DELETE)
    assert done.message == "2 rows deleted"
    assert done.error is not None
    assert done.error.code is Code.CANCELLED
    assert "2 done, 0 failed, 2 not done" in str(done.error)


def test_own_token_goes_in_the_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is among the rows, all others have gone before it or go with it."""
    monkeypatch.setattr(batch, "MOST", 2)
    things = Things()
    things.acting = "secret-of-000002"
    assert Run(things, "DELETE FROM acme.store.things").message == "5 rows deleted"
    assert things.told[-1] == 'DELETE /batch {"ids":[2]}'
    monkeypatch.undo()
    things = Things(batches=False)
    things.acting = "secret-of-000002"
    assert Run(things, "DELETE FROM acme.store.things").message == "5 rows deleted"
    assert things.told[-1] == "DELETE /things/2"


def test_dry_run_shows_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they would be sent; and says what becomes of them where the server isn't known to have any."""
    monkeypatch.setattr(batch, "MOST", 3)
    things = Things()
    done = Run(things, DELETE, dry_run=True)
    assert [(row[0], row[1], row[3]) for row in done.rows] == [
        ("2, 3, 4", f"DELETE {things.target}/batch", '{"ids":[2,3,4]}'),
        ("5", f"DELETE {things.target}/batch", '{"ids":[5]}'),
    ]
    assert "idempotency-key: (a new random one)" in done.rows[0][2]
    assert done.message == "dry run: 2 requests to send, and none was sent"
    assert "if https://api.example.com/v4 has no /batch, there will be 4 requests" in (
        "\n".join(done.notes)
    )
    assert things.told == []
    things.target = "embedded"
    done = Run(things, INSERT, dry_run=True)
    assert [row[0] for row in done.rows] == ["POST /batch"]
    assert done.notes == []


def test_secrets_in_a_batch_are_masked() -> None:
    """As in a request for one row."""
    secret = replace(FIELDS.columns[0], format="password")
    body = replace(FIELDS, columns=(secret, *FIELDS.columns[1:]))
    methods = tuple(replace(m, body=body if m.body else None) for m in METHODS)
    done = Run(Things(), INSERT, dry_run=True, methods=methods)
    assert [row[2] for row in done.rows] == [
        '{"things":[{"name":"***","size":1},{"name":"***","size":2}]}'
    ]
