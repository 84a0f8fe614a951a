"""What is sent again, when, and what never is: against a real server, in time that is skipped."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.rest.conftest import Server, Skipping, Told

from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.http import HttpTransport
from patql.rest.retry import Gate

TOKEN = Secret("pql_" + "x" * 66)
JSON = "content-type: application/json\r\n"
Plan = list[tuple[int, str] | str]


@pytest.fixture
def pauses() -> Skipping:
    """Time that is skipped."""
    return Skipping()


@pytest.fixture
def connect(server: Server, pauses: Skipping) -> Iterator[Callable[..., HttpTransport]]:
    """Makes transports to the server, which has answered them before, with the given seconds of retrying."""
    made = list[HttpTransport]()

    def make(retry: float = 60) -> HttpTransport:
        made.append(HttpTransport(server.base, TOKEN, retry=retry, pauses=pauses))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def ask(
    transport: HttpTransport, method: str, *, many: bool, watch: Told | None = None
) -> Response:
    """The answer to one request that goes as planned, alone or beside another that is answered at once."""
    requests = [Request(method, "/planned")]
    if many:
        requests.append(Request("GET", "/n"))
    return next(iter(transport.send(requests, 4, watch)))


def sent(server: Server) -> int:
    """How often the planned request came."""
    return sum(path.endswith("/planned") for _, path, _, _ in server.seen)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize(
    ("method", "plan", "status", "waited"),
    [
        # As late as the server says.
        ("GET", [(429, "retry-after: 7\r\n")], 200, [7]),
        ("GET", [(429, "retry-after: 7\r\n"), (503, "retry-after: 2\r\n")], 200, [7, 2]),
        ("GET", [(429, "retry-after: Tue, 14 Nov 2023 22:13:29 GMT\r\n")], 200, [9]),
        (
            "GET",
            [(429, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1700000030\r\n")],
            200,
            [30],
        ),
        # GitHub's way to say 429.
        ("GET", [(403, "retry-after: 3\r\n")], 200, [3]),
        ("GET", [(403, "")], 403, []),
        # Else later and later, by chance: half of 0.5, 1, 2, 4 seconds.
        ("GET", [(502, "")] * 4, 200, [0.25, 0.5, 1, 2]),
        ("GET", [(429, "retry-after: 0\r\n")], 200, [0.25]),
        ("GET", [(429, "retry-after: soon\r\n")], 200, [0.25]),
        ("GET", ["close", "half", (504, "")], 200, [0.25, 0.5, 1]),
        # What isn't passing isn't waited for.
        ("GET", [(500, "")], 500, []),
        ("GET", [(404, JSON)], 404, []),
        # What is the same when it is done twice.
        ("HEAD", ["close"], 200, [0.25]),
        ("OPTIONS", [(503, "")], 200, [0.25]),
        ("PUT", [(502, ""), "close"], 200, [0.25, 0.5]),
        ("DELETE", [(504, "")], 200, [0.25]),
        # What isn't: only where the server has done nothing.
        ("POST", [(502, "")], 502, []),
        ("POST", [(503, "")], 503, []),
        ("POST", [(504, "retry-after: 1\r\n")], 504, []),
        ("PATCH", [(502, "")], 502, []),
        ("POST", [(429, "")], 200, [0.25]),
        ("POST", [(503, "retry-after: 4\r\n")], 200, [4]),
        ("POST", [(503, "retry-after: 0\r\n")], 200, [0.25]),
        ("PATCH", [(429, "retry-after: 4\r\n")], 200, [4]),
        # A DELETE that may have been done, and finds nothing the next time, is done; if an API says so.
        ("DELETE", ["close", (404, JSON)], 204, [0.25]),
        ("DELETE", [(502, ""), (410, JSON)], 204, [0.25]),
        ("DELETE", ["close", (404, "content-type: text/html\r\n")], 404, [0.25]),
        ("DELETE", [(404, JSON)], 404, []),
        ("DELETE", [(429, "retry-after: 1\r\n"), (404, JSON)], 404, [1]),
        ("DELETE", [(503, "retry-after: 1\r\n"), (404, JSON)], 404, [1]),
        ("PUT", ["close", (404, JSON)], 404, [0.25]),
    ],
)  # fmt: skip
def test_what_is_sent_again(
    connect: Callable[..., HttpTransport],
    server: Server,
    pauses: Skipping,
    method: str,
    plan: Plan,
    status: int,
    waited: list[float],
    *,
    many: bool,
) -> None:
    """And after which pauses; the watch is told of both."""
    server.plans["planned"] = list(plan)
    told = Told()
    answer = ask(connect(), method, many=many, watch=told)
    assert answer.status == status
    assert pauses.waited == waited
    assert sent(server) == 1 + len(waited)
    assert told.retries == len(waited)
    assert told.seconds == sum(waited)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_have_been_done_isnt_repeated(
    connect: Callable[..., HttpTransport], server: Server, method: str, *, many: bool
) -> None:
    """A broken connection doesn't tell."""
    server.plans["planned"] = ["close"]
    with pytest.raises(PatqlError, match="isn't known whether") as caught:
        ask(connect(), method, many=many)
    assert caught.value.code is Code.UNREACHABLE
    assert sent(server) == 1


KEY = (b"idempotency-key", b"random")


@pytest.mark.parametrize(
    ("method", "plan", "status", "waited"),
    [
        ("POST", ["close"], 200, [0.25]),
        ("POST", ["half", (502, ""), (503, "")], 200, [0.25, 0.5, 1]),
        ("POST", [(504, ""), (409, JSON)], 409, [0.25]),
        # Whether it was done isn't told by what it finds: its key does that.
        ("DELETE", ["close", (404, JSON)], 404, [0.25]),
        ("PUT", ["close", (404, JSON)], 404, [0.25]),
        # Where nothing was done, there is no hurry.
        ("POST", [(429, "retry-after: 40\r\n"), "close"], 200, [40, 0.5]),
    ],
)
def test_what_has_a_key_is_sent_again(
    connect: Callable[..., HttpTransport],
    server: Server,
    pauses: Skipping,
    method: str,
    plan: Plan,
    status: int,
    waited: list[float],
) -> None:
    """With the same key: the server knows then whether it has done it."""
    server.plans["planned"] = list(plan)
    request = Request(method, "/planned", headers=[KEY], body=b"{}")
    (answer,) = connect().send([request], 1)
    assert answer.status == status
    assert pauses.waited == waited
    assert {(s[2]["idempotency-key"], s[3]) for s in server.seen} == {("random", b"{}")}
    assert sent(server) == 1 + len(waited)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_key_is_known_for_a_while(
    connect: Callable[..., HttpTransport],
    server: Server,
    pauses: Skipping,
    method: str,
) -> None:
    """Afterwards it might be done twice, so it isn't sent again, whatever --retry says."""
    server.plans["planned"] = ["close"] * 9
    request = Request(method, "/planned", headers=[KEY])
    with pytest.raises(PatqlError) as caught:
        list(connect(600).send([request], 1))
    assert caught.value.code is Code.UNREACHABLE
    assert pauses.waited == [0.25, 0.5, 1, 2, 4, 8, 10]


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize(
    ("retry", "plan", "waited"),
    [
        (0, [(429, "retry-after: 1\r\n")], []),
        (0, [(502, "")], []),
        (10, [(429, "retry-after: 11\r\n")], []),
        (10, [(429, "retry-after: 6\r\n")] * 2, [6]),
        (1, [(502, "")] * 9, [0.25, 0.5]),
        # No request remains for longer than anyone waits: the answer says so, and nothing is held back.
        (10, [(429, "ratelimit-remaining: 0\r\nratelimit-reset: 11\r\n")], []),
    ],
)
def test_when_time_is_up_the_answer_is_as_it_is(
    connect: Callable[..., HttpTransport],
    server: Server,
    pauses: Skipping,
    retry: float,
    plan: Plan,
    waited: list[float],
    *,
    many: bool,
) -> None:
    """Nothing is waited for in vain."""
    server.plans["planned"] = list(plan)
    assert ask(connect(retry), "GET", many=many).status == plan[-1][0]
    assert pauses.waited == waited


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_pauses_end_at_chance_and_grow_to_a_bound(
    connect: Callable[..., HttpTransport],
    server: Server,
    pauses: Skipping,
    *,
    many: bool,
) -> None:
    """Of 20 seconds."""
    pauses.odds = 1
    server.plans["planned"] = [(502, "")] * 8
    assert ask(connect(300), "GET", many=many).status == 200
    assert pauses.waited == [0.5, 1, 2, 4, 8, 16, 20, 20]


def test_the_last_request_of_a_limit_holds_back_the_next(
    connect: Callable[..., HttpTransport], server: Server, pauses: Skipping
) -> None:
    """Whatever it is, and in whichever way it is sent."""
    transport = connect()
    told = Told()
    limit = (200, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1700000030\r\n")
    server.plans["planned"] = [limit]
    assert ask(transport, "GET", many=False, watch=told).status == 200
    assert (pauses.waited, told.seconds) == ([], 0)
    list(transport.send([Request("GET", "/n")] * 3, 2, told))
    assert (pauses.waited, told.seconds) == ([30], 30)


def test_many_that_must_wait_are_all_answered(
    connect: Callable[..., HttpTransport], server: Server, pauses: Skipping
) -> None:
    """The watch is told of each that was sent again, and of the time that passed."""
    told = Told()
    server.plans["planned"] = [(429, "retry-after: 1\r\n")] * 16
    requests = [Request("GET", "/planned")] * 40
    answers = list(connect().send(requests, 16, told))
    assert [a.status for a in answers] == [200] * 40
    assert told.retries == 16
    assert told.seconds == sum(pauses.waited)


class Standing(Skipping):
    """Time that a test moves."""

    def timeout(self, seconds: float) -> float:
        """A moment, in which it doesn't pass."""
        return 0.005

    def advance(self, seconds: float) -> None:
        """Have so many seconds pass."""
        self._passed += seconds


def test_while_one_must_wait_none_is_begun(server: Server) -> None:
    """Of the same call, nor of any other; then all go on."""
    pauses = Standing()
    transport = HttpTransport(server.base, TOKEN, pauses=pauses)
    server.plans["planned"] = [(429, "retry-after: 5\r\n")]
    requests = [Request("GET", "/planned"), *[Request("GET", "/n")] * 40]
    with ThreadPoolExecutor(3) as pool:
        many = pool.submit(lambda: len(list(transport.send(requests, 2))))
        while not transport._gate.closed_for(None):
            time.sleep(0.001)
        one = pool.submit(lambda: len(list(transport.send(requests[1:2], 2))))
        time.sleep(0.1)  # for what was under way
        begun = len(server.seen)
        time.sleep(0.1)
        assert len(server.seen) == begun < len(requests)
        pauses.advance(5)
        assert (many.result(), one.result()) == (41, 1)
    transport.close()


def test_pauses_at_once_are_one_pause(pauses: Skipping) -> None:
    """The longest; watches are told of no second twice."""
    gate, told = Gate(60, pauses), Told()
    for seconds in (5, 3):
        gate.close(seconds)
        assert (gate.closed_for(told), told.seconds) == (5, 5)
    gate.close(7)
    assert (gate.closed_for(None), gate.closed_for(told), told.seconds) == (7, 7, 5)
    pauses.timeout(6)
    gate.close(4)
    assert (gate.closed_for(told), told.seconds) == (4, 8)
    pauses.timeout(4)
    assert (gate.closed_for(told), told.seconds) == (0, 8)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_server_that_never_answered_isnt_waited_for(
    pauses: Skipping, server: Server, *, many: bool
) -> None:
    """It is more likely misspelt than busy; one that has answered before is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v4"
    transport = HttpTransport(base, TOKEN, pauses=pauses)
    with pytest.raises(PatqlError, match="refused"):
        ask(transport, "GET", many=many)
    assert pauses.waited == []
    transport.close()
    other = HttpTransport(server.base, TOKEN, retry=1, pauses=pauses)
    assert ask(other, "GET", many=many).status == 200
    server.stop()
    with pytest.raises(PatqlError, match=r"refused|broke"):
        ask(other, "GET", many=many)
    assert pauses.waited != []
    other.close()


def test_changes_are_sent_again_like_everything_else(
    connect: Callable[..., HttpTransport], server: Server, pauses: Skipping
) -> None:
    """In a window of several, or alone."""
    for count in (1, 6):
        server.plans["planned"] = [(429, "retry-after: 5\r\n"), (502, "")]
        answers = dict[int, Response | PatqlError]()
        requests = [Request("DELETE", "/planned")] * count
        told = Told()
        connect().attempt(requests, 4, answers.__setitem__, told)
        assert sorted(answers) == list(range(count))
        assert {a.status for a in answers.values() if isinstance(a, Response)} == {200}
        assert told.retries == 2
        assert 5 in pauses.waited
