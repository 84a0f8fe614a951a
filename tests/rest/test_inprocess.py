"""Requests to a function in this process, and a target that is opened when it is needed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from patql.compose import Choice, open_target
from patql.config import Settings
from patql.engine.ports import Watch
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.deferred import DeferredTransport
from patql.rest.inprocess import InProcessTransport

TOKEN = Secret("t" * 70)


class Recorder:
    """A transport that only remembers."""

    target = "t"
    acting = "pql_"

    def __init__(self) -> None:
        self.closed = 0

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Answer with the concurrency."""
        return iter([Response(200, [], str(concurrency).encode()) for _ in requests])

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_a_path_is_decoded_as_a_server_would() -> None:
    """A path on its way is percent-encoded; what answers gets it plain."""
    seen = list[str]()

    def handle(request: Request) -> Response:
        seen.append(request.path)
        return Response(200, [])

    transport = InProcessTransport(
        "embedded", "/v4", handle, Secret("t" * 70), lambda: None
    )
    list(transport.send([Request("GET", "/things/a%20b%C3%BC")], 1))
    assert seen == ["/v4/things/a bü"]


def test_a_function_gets_path_and_credential() -> None:
    """The request keeps its own headers; answers come one by one."""
    seen = list[Request]()
    released = list[bool]()

    def handle(request: Request) -> Response:
        seen.append(request)
        return Response(200, [], b"%d" % len(seen))

    transport = InProcessTransport(
        "embedded", "/v4", handle, Secret("t" * 70), lambda: released.append(True)
    )
    answers = transport.send(
        [Request("GET", "/profile", "a=1", [(b"x", b"y")])] * 3, 16
    )
    assert next(answers).body == b"1"
    assert len(seen) == 1
    assert [a.body for a in answers] == [b"2", b"3"]
    assert seen[0] == Request(
        "GET",
        "/v4/profile",
        "a=1",
        [(b"x", b"y"), (b"authorization", b"Bearer " + b"t" * 70)],
    )
    assert transport.acting == "t" * 16
    transport.close()
    assert released == [True]


def test_cancelling_ends_what_was_asked_before() -> None:
    """Nothing more of it is done; what is asked later is."""
    done = list[str]()

    def handle(request: Request) -> Response:
        done.append(request.method)
        return Response(200, [])

    transport = InProcessTransport("embedded", "", handle, TOKEN, lambda: None)
    begun = transport.send([Request("DELETE", "/a")] * 3, 1)
    next(begun)
    transport.cancel()
    with pytest.raises(PatqlError) as caught:
        next(begun)
    assert caught.value.code is Code.CANCELLED
    assert done == ["DELETE"]
    assert len(list(transport.send([Request("GET", "/a")] * 2, 1))) == 2


def test_the_authority_answers_any_thread(tmp_path: Path) -> None:
    """One at a time and several at once, reading and changing; iterators are handed from one to another."""
    settings = Settings(data_dir=tmp_path / "data")
    transport = open_target(settings, Choice(), lambda _: None)
    body = b'{"label": "x", "scopes": "linodes:read_only"}'
    json = [(b"content-type", b"application/json")]
    make = Request("POST", "/profile/tokens", "", json, body)
    pages = [Request("GET", "/profile/tokens", f"page={n}&page_size=25") for n in (1, 2)]  # fmt: skip

    def work(_: int) -> list[int]:
        made = [answer.status for answer in transport.send([make] * 5, 4)]
        return made + [answer.status for answer in transport.send(pages[:1] * 2, 4)]

    handed = transport.send(pages, 4)
    assert next(handed).status == 200
    with ThreadPoolExecutor(8) as pool:
        for statuses in pool.map(work, range(8)):
            assert statuses == [200] * 7
        assert pool.submit(lambda: next(handed).status).result() == 200
    (first, second) = transport.send(pages, 4)
    assert b'"results":41' in first.body
    assert b'"results":41' in second.body
    transport.close()


def test_a_deferred_target_is_opened_once_and_only_if_needed() -> None:
    """Closing one that was never opened opens nothing."""
    made = list[Recorder]()

    def connect() -> Recorder:
        made.append(Recorder())
        return made[-1]

    transport = DeferredTransport("t", connect)
    assert transport.target == "t"
    transport.close()
    assert made == []
    request = Request("GET", "/")
    assert [a.body for a in transport.send([request], 3)] == [b"3"]
    assert transport.acting == "pql_"
    assert [a.body for a in transport.send([request], 4)] == [b"4"]
    transport.close()
    assert [recorder.closed for recorder in made] == [1]
