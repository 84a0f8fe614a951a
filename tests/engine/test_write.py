"""INSERT, UPDATE and DELETE where a document differs, a server fails, or a person stops half-way."""

import signal
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from msgspec.structs import replace
from tests.engine.conftest import NOON, Script, World
from tests.engine.served import JSON, Answer, Served

from patql.catalog.document import (
    Access,
    Body,
    Column,
    Method,
    Parameter,
    Provider,
    Resource,
    Service,
)
from patql.catalog.names import Catalog
from patql.engine.ports import Watch
from patql.engine.result import Result
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError, SqlError
from patql.kernel.http import Request, Response

ID = Column("id", "integer", read_only=True)
NAME = Column("name", "string")
SIZE = Column("size", "integer")
SECRET = Column("secret", "string", read_only=True, once=True)
KEY = Parameter("thingId", "path", "integer", required=True, key_column="id")
ROW = (ID, NAME, SIZE, SECRET)


def method(
    name: str, verb: str, path: str, access: Access = Access.EXEC, **more: object
) -> Method:
    """A method of the resource `acme.store.things`."""
    parameters = (KEY,) if "{thingId}" in path else ()
    return Method(name, access, name, verb, path, "", parameters, columns=ROW, **more)  # type: ignore[arg-type]


GET = method("get", "GET", "/things/{thingId}", Access.SELECT)
LIST = method("list", "GET", "/things", Access.SELECT, object_key="data")
CREATE = method(
    "create",
    "POST",
    "/things",
    Access.INSERT,
    body=Body("application/json", (NAME, SIZE)),
)
REMOVE = method("remove", "DELETE", "/things/{thingId}", Access.DELETE)
FIELDS = Body("application/json", (NAME, SIZE))
WHOLE = Body("application/json", (NAME, SIZE), required=("name", "size"))
PUT = method("put", "PUT", "/things/{thingId}", body=FIELDS)
PUT_WHOLE = method("put", "PUT", "/things/{thingId}", body=WHOLE)
PATCH = method("patch", "PATCH", "/things/{thingId}", body=WHOLE)
RENAME = method(
    "rename", "POST", "/things/{thingId}/rename", Access.UPDATE, body=FIELDS
)
ELSEWHERE = method("elsewhere", "PUT", "/things/{thingId}/owner", body=FIELDS)


def catalog(*methods: Method) -> Catalog:
    """A catalog of one resource with these methods besides the readers."""
    things = Resource("acme.store.things", "things", "", "", (GET, LIST, *methods))
    service = Service("store:v1", "store", "", "", "v1", True, (), (things,))
    return Catalog((Provider("acme", "acme", "v1", "", "", (service,)),))


def row(number: int) -> bytes:
    """A row as the server sends it."""
    return msgspec.json.encode(
        {"id": number, "name": f"n{number}", "size": 1, "secret": "s" * 16}
    )


ROWS = b'{"data": [' + b", ".join(row(n) for n in range(1, 6)) + b"]}"


class Told:
    """A result, read while its session was open."""

    def __init__(self, result: Result) -> None:
        self.message = result.message
        self.once = result.once
        self.columns = [column.name for column in result.columns]
        self.rows = result.rows()


def run(
    transport: Served, sql: str, *methods: Method, script: Script | None = None
) -> tuple[list[Told], PatqlError | None]:
    """The results of a statement, and the error that ended it."""
    results: list[Told] = []
    session = Session(
        catalog(*methods),
        transport,
        ManualClock(NOON),
        script or Script(),
        options=Options(concurrency=2),
    )
    with session:
        try:
            results.extend(Told(result) for result in session.run(sql))
        except PatqlError as error:
            return results, error
    return results, None


UPDATE = "UPDATE acme.store.things SET name = 'x' WHERE thingId = 1"


@pytest.mark.parametrize(
    ("methods", "sent"),
    [
        ((RENAME, PATCH, PUT), "POST /things/1/rename"),
        ((PUT, PATCH), "PATCH /things/1"),
        ((ELSEWHERE, PUT), "PUT /things/1"),
    ],
)
def test_update_goes_by_verb_then_patch_then_put(
    methods: tuple[Method, ...], sent: str
) -> None:
    """The document's UPDATE first; else the path of the GET that selects one row, and no other."""
    verb, path = sent.split(" ")
    served = Served({"GET /things/1": (200, row(1)), f"{verb} {path}": (200, row(1))})
    (result,), error = run(served, UPDATE, *methods)
    assert (error, result.message) == (None, "1 row updated")
    assert served.sent == ["GET /things/1", sent]


@pytest.mark.parametrize(
    ("methods", "code", "says"),
    [
        ((ELSEWHERE,), Code.UNSUPPORTED, "no method that changes a row"),
        ((PUT_WHOLE,), Code.MISSING_PARAMETER, "SET must also give size"),
    ],
)
def test_update_that_would_do_something_else_is_refused(
    methods: tuple[Method, ...], code: Code, says: str
) -> None:
    """Before any request."""
    served = Served({})
    _, error = run(served, UPDATE, *methods)
    assert error is not None
    assert error.code is code
    assert says in str(error)
    assert served.sent == []


def test_put_of_the_whole_row() -> None:
    """A PUT that requires every property is sent when SET gives every one."""
    served = Served({"GET /things/1": (200, row(1)), "PUT /things/1": (200, row(1))})
    sql = "UPDATE acme.store.things SET name = 'x', size = size + 1 WHERE id = 1"
    (result,), error = run(served, sql, PUT_WHOLE)
    assert (error, result.message) == (None, "1 row updated")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("'big'", "size takes integer"),
        ("2.5", "size takes integer"),
        ("true", "size takes integer"),
    ],
)
def test_values_that_a_field_does_not_take(value: str, says: str) -> None:
    """A value of another type is refused before the row is sent."""
    served = Served({"GET /things/1": (200, row(1))})
    _, error = run(
        served, f"UPDATE acme.store.things SET size = {value} WHERE id = 1", PUT
    )
    assert error is not None
    assert says in str(error)
    assert served.sent == ["GET /things/1"]


FAILED: Answer = (500, b'{"errors": [{"reason": "boom"}]}')
GONE: Answer = (404, b'{"errors": [{"reason": "Not found"}]}')


def test_delete_stops_after_a_failure_and_counts() -> None:
    """None is begun after it."""
    answers: dict[str, Answer | list[Answer]] = {
        "GET /things": (200, ROWS),
        "DELETE /things/1": (200, b"{}"),
        "DELETE /things/2": FAILED,
    }
    served = Served(answers)
    (result,), error = run(served, "DELETE FROM acme.store.things WHERE id > 0", REMOVE)
    assert result.message == "1 row deleted"
    assert "boom; 1 done, 1 failed, 3 not tried" in str(error)
    assert served.sent == ["GET /things", "DELETE /things/1", "DELETE /things/2"]


@pytest.mark.parametrize(
    ("shown", "reads", "warned"),
    [
        ({"secret": "s" * 16}, ["GET /things/1"], True),
        ({"secret": 5}, ["GET /things/1"], False),
        ({"secret": "another"}, ["GET /things/1"], False),
    ],
)
def test_own_token_where_rows_are_named_and_not_found(
    shown: dict[str, object], reads: list[str], *, warned: bool
) -> None:
    """It is looked at before it is deleted, although the statement reads nothing."""
    served = Served(
        {
            "GET /things/1": (
                200,
                msgspec.json.encode({"id": 1, "name": "n", **shown}),
            ),
            "DELETE /things/1": (200, b"{}"),
        }
    )
    served.acting = "s" * 16
    remover = replace(REMOVE, parameters=(replace(KEY, key_column=None),))
    sql = "DELETE FROM acme.store.things WHERE thingId = 1"
    script = Script()
    script.consent = True
    results, error = run(served, sql, remover, script=script)
    assert error is None
    assert [result.message for result in results] == ["1 row deleted"]
    assert served.sent == [*reads, "DELETE /things/1"]
    assert any("itself uses" in note for note in script.notes) is warned


def test_row_that_is_gone_meanwhile_is_not_counted() -> None:
    """Someone else was quicker: nothing is left to do, and nothing was done."""
    answers: dict[str, Answer | list[Answer]] = {
        "GET /things": (200, ROWS),
        **{f"DELETE /things/{n}": (200, b"{}") for n in (1, 3, 4, 5)},
        "DELETE /things/2": GONE,
    }
    sql = "DELETE FROM acme.store.things WHERE true RETURNING id"
    (result,), error = run(Served(answers), sql, REMOVE)
    assert error is None
    assert result.message == "4 rows deleted"
    assert result.rows == [(1,), (3,), (4,), (5,)]


class Dying(Served):
    """A server that is gone, or a person who presses Ctrl-C, at the third request."""

    def __init__(
        self, answers: dict[str, Answer | list[Answer]], how: BaseException
    ) -> None:
        super().__init__(answers)
        self._how = how

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers until the third."""
        for request in requests:
            if len(self.sent) == 2:
                raise self._how
            yield from super().send([request], concurrency)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (PatqlError(Code.UNREACHABLE, "no answer"), Code.UNREACHABLE),
        (KeyboardInterrupt(), Code.CANCELLED),
    ],
)
def test_insert_returns_what_was_made_before_it_died(
    how: BaseException, code: Code
) -> None:
    """The secrets of the rows made are given first, then the error with its counts."""
    answers: list[Answer] = [(200, row(1)), (200, row(2))]
    served = Dying({"POST /things": answers}, how)
    sql = "INSERT INTO acme.store.things (name) VALUES ('a'), ('b'), ('c'), ('d')"
    (result,), error = run(served, sql, CREATE, REMOVE)
    assert result.rows == [(1, "s" * 16), (2, "s" * 16)]
    assert result.once == (1,)
    assert error is not None
    assert error.code is code
    assert "2 done, 0 failed, 1 not known, 1 not tried" in str(error)


class Interrupted(Served):
    """A person presses Ctrl-C while the second answer is on its way."""

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answers, and a signal before the second."""
        for request in requests:
            if len(self.sent) == 1:
                signal.raise_signal(signal.SIGINT)
            yield from super().send([request], concurrency)


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """Ctrl-C does what Python makes of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_a_terminal")
def test_ctrl_c_waits_for_the_row_that_is_being_made() -> None:
    """It is returned with those before it; those after it aren't tried."""
    served = Interrupted({"POST /things": [(200, row(1)), (200, row(2))]})
    sql = "INSERT INTO acme.store.things (name) VALUES ('a'), ('b'), ('c')"
    (result,), error = run(served, sql, CREATE, REMOVE)
    assert [key for key, _ in result.rows] == [1, 2]
    assert error is not None
    assert error.code is Code.CANCELLED
    assert len(served.sent) == 2


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO acme.store.things (name) VALUES ('a')",
        'EXEC acme.store.things.create @@json = \'{"name": "a"}\'',
    ],
)
def test_ctrl_c_waits_until_the_secret_is_delivered(sql: str) -> None:
    """It comes when the next result is asked for, and not before."""
    made = replace(CREATE, sent=ROW)
    served = Interrupted({"POST /things": (200, row(1))})
    served.sent.append("something before")
    with Session(catalog(made, REMOVE), served, ManualClock(NOON), Script()) as session:
        results = session.run(sql)
        assert next(results).rows()[0][0] == 1
        with pytest.raises(KeyboardInterrupt):
            next(results)


def test_insert_whose_answer_can_not_be_read() -> None:
    """A row may have been made, and we can't know: that is an error, not an empty result."""
    served = Served({"POST /things": (200, b"<html>")})
    results, error = run(
        served, "INSERT INTO acme.store.things (name) VALUES ('a')", CREATE
    )
    assert results == []
    assert error is not None
    assert error.code is Code.BAD_RESPONSE


WRONG: list[tuple[str, str, list[list[object]]]] = [
    # what the server sends otherwise than it is documented, RETURNING, the rows
    ('"size": "big"', "id, size, secret", [[1, "1", "s" * 16], [2, "big", "s" * 16]]),
    ('"size": 2.5', "size, secret", [[1.0, "s" * 16], [2.5, "s" * 16]]),
    ('"id": "two"', "id, secret", [["1", "s" * 16], ["two", "s" * 16]]),
    ('"name": {"a": 1}', "name, secret", [["n1", "s" * 16], ['{"a": 1}', "s" * 16]]),
    (
        '"secret": 12345678901234567890',
        "secret",
        [["s" * 16], ["12345678901234567890"]],
    ),
    # RETURNING doesn't do with the wider type, and what must not be lost is given all the same
    ('"size": "big"', "size + 1", [[1, "s" * 16], [2, "s" * 16]]),
    ('"id": "two"', "id + 1", [["1", "s" * 16], ["two", "s" * 16]]),
]


@pytest.mark.parametrize(("wrong", "returning", "rows"), WRONG)
def test_answers_that_contradict_the_document_are_delivered(
    wrong: str, returning: str, rows: list[list[object]]
) -> None:
    """With their secrets, typed wider for all rows, which is told; whatever was made is counted."""
    second = row(2)[:-1] + f", {wrong}}}".encode()
    served = Served({"POST /things": [(200, row(1)), (200, second)]})
    sql = f"INSERT INTO acme.store.things (name) VALUES ('a'), ('b') RETURNING {returning}"
    results, error = run(served, sql, CREATE, script=(script := Script()))
    (result,) = results
    assert [list(each) for each in result.rows] == rows
    assert (error is None) == ("+" not in returning)
    assert [note for note in script.notes if "isn't always of the type" in note]
    assert result.message == "2 rows inserted"


@pytest.mark.parametrize(
    ("sql", "changing"),
    [
        ("UPDATE acme.store.things SET name = 'x' WHERE id = 1 RETURNING size", PUT),
        ("EXEC acme.store.things.put @thingId = 1", replace(PUT, sent=(SIZE,))),
        ("EXEC acme.store.things.create", replace(CREATE, sent=(SIZE, SECRET))),
    ],
)
def test_other_answers_are_read_as_they_come(sql: str, changing: Method) -> None:
    """UPDATE and EXEC do more than once what was done: nothing is lost of what the server sends."""
    answer = (200, b'{"size": "big", "secret": "ssssssssssssssss"}')
    served = Served(
        {
            "GET /things": (200, ROWS),
            "GET /things/1": (200, row(1)),
            "PUT /things/1": answer,
            "POST /things": answer,
        }
    )
    results, error = run(served, sql, changing, script=(script := Script()))
    assert error is None
    assert results[-1].rows[0][0] == "big"
    assert any("is read as VARCHAR" in note for note in script.notes)


def test_undo_revokes_what_was_made(world: World) -> None:
    """For a secret that can't be delivered."""
    sql = "INSERT INTO linode.profile.tokens (label) VALUES ('a'), ('b')"
    (result,) = world.session.run(sql)
    secrets = [token for _, token in result.rows()]
    assert all(world.authority.verify(secret) for secret in secrets)
    assert result.undo is not None
    assert result.undo() == (6, 7)
    assert not any(world.authority.verify(secret) for secret in secrets)


def test_secret_of_a_row_whose_returning_fails_is_once_and_can_be_undone(
    world: World,
) -> None:
    """It is given by itself, with its key, marked as what is never shown again."""
    results = world.session.run(
        "INSERT INTO linode.profile.tokens (label) VALUES ('a') RETURNING error('no')"
    )
    result = next(results)
    assert [result.columns[at].name for at in result.once] == ["token"]
    assert result.undo
    assert result.undo() == (6,)
    with pytest.raises(SqlError, match="no"):
        next(results)


def test_undo_that_fails_names_what_remains() -> None:
    """So that someone can revoke it by hand."""
    served = Served(
        {
            "POST /things": [(200, row(1)), (200, row(2))],
            "DELETE /things/1": (200, b"{}"),
            "DELETE /things/2": FAILED,
        }
    )
    session = Session(catalog(CREATE, REMOVE), served, ManualClock(NOON), Script())
    with session:
        (result,) = session.run(
            "INSERT INTO acme.store.things (name) VALUES ('a'), ('b')"
        )
        assert result.undo is not None
        with pytest.raises(
            PatqlError, match=r"acme\.store\.things 2 couldn't be revoked.*boom"
        ):
            result.undo()


def test_note_of_the_server_is_told() -> None:
    """What was granted where that is less than was asked."""
    note = (b"x-patql-note", b"granted linodes:read_only")
    served = Served({"POST /things": Response(200, [JSON, note], row(1))})
    script = Script()
    run(
        served,
        "INSERT INTO acme.store.things (name) VALUES ('a')",
        CREATE,
        script=script,
    )
    assert "granted linodes:read_only" in script.notes


def test_secret_is_not_returned_where_nothing_was_created() -> None:
    """UPDATE and DELETE return what they are asked for: the secret isn't in their answers."""
    served = Served({"GET /things/1": (200, row(1)), "PUT /things/1": (200, row(1))})
    sql = "UPDATE acme.store.things SET name = 'x' WHERE id = 1 RETURNING id"
    (result,), _ = run(served, sql, PUT)
    assert result.columns == ["id"]
    assert result.once == ()


def test_missing_parameters_list_each_method() -> None:
    """Each method with what it lacks."""
    things = Resource("acme.store.things", "things", "", "", (GET,))
    service = Service("store:v1", "store", "", "", "v1", True, (), (things,))
    one = Catalog((Provider("acme", "acme", "v1", "", "", (service,)),))
    with (
        Session(one, Served({}), ManualClock(NOON), Script()) as session,
        pytest.raises(PatqlError, match="get needs thingId") as error,
    ):
        list(session.run("SELECT * FROM acme.store.things"))
    assert error.value.code is Code.MISSING_PARAMETER
