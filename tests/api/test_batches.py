"""Batches: as many as there may be, once, and nothing of a secret kept in the clear."""

import http.client
import re
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.api.conftest import Client, reasons
from tests.conftest import Serving

from patql.api import idempotency
from patql.api.api import Api, Verify
from patql.api.bodies import BATCH_LIMIT, ENTRIES, LIMIT
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Issued
from patql.authority.replay import Replay
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock
from patql.kernel.http import Headers, Request, Response
from patql.store.sqlite import SqliteStore

BATCH = "/v4/patql/batch"
EMPTY: dict[str, object] = {}
KEY = b"0123456789abcdef"
BARE: object = {"tokens": [EMPTY]}
CREATE: object = {"tokens": [{"label": "a"}, {"label": "b"}]}


def keyed(key: bytes = KEY) -> Headers:
    """The header that says by which key a request may be repeated."""
    return [(b"idempotency-key", key)]


def secrets(response: Response) -> list[str]:
    """The secrets of a batch's answer."""
    assert response.status == 200, response.body
    return [one["token"] for one in msgspec.json.decode(response.body)["tokens"]]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST", CREATE),
        ("PUT", {"tokens": [{"id": 2, "label": "x"}]}),
        ("DELETE", {"ids": [2], "cascade": True}),
    ],
)
def test_the_same_again(
    client: Client, authority: Authority, clock: ManualClock, method: str, body: object
) -> None:
    """For 30 seconds a request that is repeated has the very answer that it had, and is done once."""
    authority.issue("alice")
    first = client.send(method, BATCH, body, keyed())
    assert first.status == 200
    done = authority.events()
    clock.advance(29)
    again = client.send(method, "/v4beta/patql/batch", body, keyed())
    assert (again.status, again.body) == (200, first.body)
    assert authority.events() == done
    clock.advance(1)
    later = client.send(method, BATCH, body, keyed())
    assert (later.status, later.body) != (200, first.body) or method == "PUT"
    assert (authority.events() == done) == (later.status == 404)


def test_without_a_key_nothing_is_repeated(client: Client) -> None:
    """The same request is done as often as it is sent."""
    sent = [secrets(client.send("POST", BATCH, CREATE)) for _ in range(2)]
    assert len({*sent[0], *sent[1]}) == 4


def test_a_note_comes_again(holder: Callable[[str], Client]) -> None:
    """What was granted instead of `*` is told each time."""
    narrow = holder("account:read_write")
    notes = [
        narrow.send("POST", BATCH, BARE, keyed()).header(b"x-patql-note")
        for _ in range(2)
    ]
    assert notes[0] == notes[1]
    assert b"account:read_write" in (notes[0] or b"")


def test_another_request_under_a_key(client: Client, clock: ManualClock) -> None:
    """It is refused as long as the key is remembered, whatever differs; once forgotten, it is as any other."""
    first = secrets(client.send("POST", BATCH, CREATE, keyed()))
    others: list[tuple[str, object]] = [
        ("POST", {"tokens": [{"label": "c"}]}),
        ("POST", {"tokens": [{"label": "b"}, {"label": "a"}]}),
        ("PUT", {"tokens": [{"id": 1, "label": "x"}]}),
        ("DELETE", {"ids": [1]}),
    ]
    for method, body in others:
        refused = client.send(method, BATCH, body, keyed())
        assert refused.status == 409
        assert [reason for reason, _ in reasons(refused)] == [
            "This Idempotency-Key was used for another request; each request needs a new one"
        ]
    assert secrets(client.send("POST", BATCH, CREATE, keyed())) == first
    clock.advance(30)
    assert client.send("POST", BATCH, BARE, keyed()).status == 200


def test_a_key_belongs_to_a_token(
    client: Client, holder: Callable[[str], Client]
) -> None:
    """Another token, of the same user too, gets an answer of its own under the same key."""
    other = holder("*")
    first = secrets(client.send("POST", BATCH, CREATE, keyed()))
    second = secrets(other.send("POST", BATCH, CREATE, keyed()))
    assert not {*first} & {*second}
    assert secrets(client.send("POST", BATCH, CREATE, keyed())) == first


def test_a_token_that_was_revoked_repeats_nothing(
    client: Client, authority: Authority
) -> None:
    """Its answers are lost to whoever has it."""
    client.send("POST", BATCH, CREATE, keyed())
    authority.revoke("alice", 1)
    assert client.send("POST", BATCH, CREATE, keyed()).status == 401


def test_a_batch_that_revokes_its_own_token(
    client: Client, holder: Callable[[str], Client], authority: Authority
) -> None:
    """Its answer comes once: from then on the token is refused, by the same key too, and all of the batch is done."""
    own = holder("*")
    ids = [token.id for token in authority.list("alice")]
    revoked = own.send("DELETE", BATCH, {"ids": ids}, keyed())
    assert msgspec.json.decode(revoked.body) == {"revoked": ids}
    assert own.send("DELETE", BATCH, {"ids": ids}, keyed()).status == 401
    assert authority.list("alice") == ()
    assert client.send("GET", "/v4/profile").status == 401


def test_what_failed_is_not_kept(client: Client, authority: Authority) -> None:
    """A request that was refused can be sent again under its key, corrected."""
    wrong = client.send("DELETE", BATCH, {"ids": [2]}, keyed())
    assert (wrong.status, reasons(wrong)) == (404, [("Not found", "ids[0]")])
    authority.issue("alice")
    right = client.send("DELETE", BATCH, {"ids": [2]}, keyed())
    assert (right.status, right.body) == (200, b'{"revoked":[2]}')


def test_a_key_is_given_once(client: Client, authority: Authority) -> None:
    """Two keys are none, and nothing happens."""
    before = authority.events()
    refused = client.send("POST", BATCH, CREATE, [*keyed(), *keyed()])
    assert refused.status == 400
    assert [field for _, field in reasons(refused)] == ["Idempotency-Key"]
    assert authority.events() == before


def test_descendants_go_too(client: Client, authority: Authority, api: Api) -> None:
    """With `cascade` the answer names them, and theirs; without, they stay."""
    child, other = secrets(client.send("POST", BATCH, CREATE))
    grandchild = Client(api, child).send("POST", BATCH, BARE)
    assert client.send("DELETE", BATCH, {"ids": [3], "cascade": False}).status == 200
    revoked = client.send("DELETE", BATCH, {"ids": [2], "cascade": True})
    assert revoked.body == b'{"revoked":[2,4]}'
    for secret in (child, other, *secrets(grandchild)):
        assert not authority.verify(secret)


def test_all_that_fit(client: Client, authority: Authority) -> None:
    """10,000 tokens are made, renamed and revoked by a request each; one more is refused."""
    made = client.send("POST", BATCH, {"tokens": [{"label": "é" * 100}] * ENTRIES})
    assert len({*secrets(made)}) == ENTRIES
    ids = [one["id"] for one in msgspec.json.decode(made.body)["tokens"]]
    labels = [{"id": one, "label": f"n{one}"} for one in reversed(ids)]
    renamed = client.send("PUT", BATCH, {"tokens": labels})
    told = msgspec.json.decode(renamed.body)["tokens"]
    assert [(one["id"], one["label"]) for one in told] == [
        (one["id"], one["label"]) for one in labels
    ]
    revoked = client.send("DELETE", BATCH, {"ids": ids})
    assert msgspec.json.decode(revoked.body) == {"revoked": ids}
    assert [token.id for token in authority.list("alice")] == [1]
    for method, name in (("POST", "tokens"), ("PUT", "tokens"), ("DELETE", "ids")):
        refused = client.send(method, BATCH, {name: [1] * (ENTRIES + 1)})
        assert reasons(refused) == [("Must be an array of 1 to 10000 entries", name)]


def test_how_long_a_body_may_be(client: Client) -> None:
    """8 MiB for a batch, 64 KiB for all else, to the byte."""

    def padded(length: int) -> bytes:
        text = b'{"label":"%b"}'
        return text % (b"x" * (length - len(text) + 2))

    for path, most in (
        (BATCH, BATCH_LIMIT),
        ("/v4beta/patql/batch", BATCH_LIMIT),
        ("/v4/profile/tokens", LIMIT),
        ("/v4/patql/batch/", LIMIT),
        ("/v4/patql/users", LIMIT),
    ):
        fits, over = (
            client.send("POST", path, padded(length)) for length in (most, most + 1)
        )
        assert fits.status in {400, 404}
        assert over.status == (404 if path.endswith("/") else 413)
        if over.status == 413:
            assert reasons(over) == [(f"The body is longer than {most} bytes", None)]


def test_the_same_key_meets_itself(tmp_path: Path, clock: ManualClock) -> None:
    """However many send one request at the same moment, through several processes' stores, it is done once."""
    path = tmp_path / "tokens.db"
    stores = [Authority(SqliteStore(path), clock) for _ in range(4)]
    issued = stores[0].found("alice")
    assert issued is not None
    apis = [
        Api(authority, builtin("linode"), builtin_openapi("linode"))
        for authority in stores
    ]
    for turn in range(5):
        answers: list[Response] = []
        start = threading.Barrier(8)

        def ask(number: int) -> None:
            start.wait()  # noqa: B023  (of this turn)
            client = Client(apis[number % 4], issued.secret.reveal())
            key = keyed(KEY + b"%d" % turn)  # noqa: B023
            answers.append(client.send("POST", BATCH, CREATE, key))  # noqa: B023

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.status for answer in answers] == [200] * 8
        assert len({answer.body for answer in answers}) == 1
        assert len(stores[0].list("alice")) == 1 + 2 * (turn + 1)
    for authority in stores:
        authority.close()


def test_one_key_for_two_requests_at_once(client: Client, authority: Authority) -> None:
    """One of them is done, the other is refused."""
    answers: list[int] = []
    start = threading.Barrier(6)

    def ask(number: int) -> None:
        body = {"tokens": [{"label": f"n{number}"}]}
        start.wait()
        answers.append(client.send("POST", BATCH, body, keyed()).status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]
    assert len(authority.list("alice")) == 2


def test_no_secret_is_in_the_database(
    client: Client, authority: Authority, tmp_path: Path
) -> None:
    """Nor in its log, nor the key by which answers are read; what is kept of an answer is there while it can be had."""
    made = [
        *secrets(client.send("POST", BATCH, CREATE, keyed())),
        *secrets(client.send("POST", BATCH, BARE, keyed(KEY[::-1]))),
        client.secret,
    ]
    label = "only-in-the-answer"
    client.send("PUT", BATCH, {"tokens": [{"id": 2, "label": label}]})
    files = [*tmp_path.glob("tokens.db*")]
    assert {"tokens.db", "tokens.db-wal"} <= {file.name for file in files}
    content = b"".join(file.read_bytes() for file in files)
    assert label.encode() in content  # so it is where things are written
    assert re.search(rb"pql_[0-9A-Za-z]{12}", content)
    for secret in made:
        assert secret.encode() not in content
        assert secret[16:].encode() not in content
    assert KEY not in content
    assert KEY[::-1] not in content
    del authority


def replayed(
    key: bytes, secret: str, granted: Granted, method: str, body: bytes
) -> Replay:
    """How the answer to a batch is found again."""
    headers = [(b"authorization", b"Bearer " + secret.encode()), *keyed(key)]
    found = idempotency.replay(granted, Request(method, BATCH, "", headers, body))
    assert found is not None
    return found


def test_how_an_answer_is_found_and_read() -> None:
    """By the key and the token's secret together, neither of which can be told from it; by a name where there is none."""
    token = Granted("alice", 1, 1, "*", None, "pql_0123456789ab")
    login = Granted("alice", 1, None, "*", None)
    first = replayed(KEY, "s1", token, "POST", b"{}")
    assert replayed(KEY, "s1", token, "POST", b"{}") == first
    assert len(first.key) == len(first.request) == 32
    assert re.fullmatch("[0-9a-f]{64}", first.secret.reveal())
    assert first.key.hex() != first.secret.reveal()
    for other in (
        replayed(KEY, "s2", token, "POST", b"{}"),
        replayed(KEY[::-1], "s1", token, "POST", b"{}"),
        replayed(KEY, "s1", login, "POST", b"{}"),
    ):
        assert other.key != first.key
        assert other.secret != first.secret
        assert other.request == first.request
    for request in (("PUT", b"{}"), ("POST", b"{ }")):
        other = replayed(KEY, "s1", token, *request)
        assert (other.key, other.secret) == (first.key, first.secret)
        assert other.request != first.request
    by_name = replayed(KEY, "s1", login, "POST", b"{}")
    assert replayed(KEY, "s2", login, "POST", b"{}") == by_name
    bob = msgspec.structs.replace(login, user="bob")
    assert replayed(KEY, "s1", bob, "POST", b"{}").key != by_name.key
    # A token whose secret reads like a user's name is still another one.
    named = Granted("s1", 1, None, "*", None)
    assert replayed(KEY, "s1", named, "POST", b"{}").key != first.key


def test_a_user_whom_a_product_vouches_for(api: Api, root: Issued) -> None:
    """Has the same answer again, by the key and the name alone."""
    del root

    def vouched(user: str) -> Verify:
        def verify(_secret: bytes, _needs: object) -> Granted | Denied:
            return Granted(user, 0, None, "*", None)

        return verify

    request = Request(
        "POST",
        BATCH,
        headers=[(b"content-type", b"application/json"), *keyed()],
        body=msgspec.json.encode(CREATE),
    )
    answers = [
        secrets(api.handle(request, verify=vouched(user)))
        for user in ("ann", "ann", "ben")
    ]
    assert answers[0] == answers[1]
    assert not {*answers[0]} & {*answers[2]}


@pytest.mark.slow
def test_over_http(serving: Serving, tmp_path: Path) -> None:
    """A server reads a batch whole, a DELETE's body too, and repeats an answer; elsewhere bodies stay short."""
    tokens = [{"label": f"{n:0100}"} for n in range(2_000)]
    with serving(tmp_path) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port)

        def send(method: str, path: str, body: object) -> tuple[int, bytes]:
            headers = {
                "Authorization": f"Bearer {served.secret}",
                "Content-Type": "application/json",
                "Idempotency-Key": f"{method}-0123456789ab",
            }
            text = msgspec.json.encode(body)
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            return response.status, response.read()

        status, made = send("POST", BATCH, {"tokens": tokens})
        assert status == 200
        assert send("POST", BATCH, {"tokens": tokens}) == (200, made)
        ids = [one["id"] for one in msgspec.json.decode(made)["tokens"]]
        assert len(ids) == 2_000
        status, revoked = send("DELETE", BATCH, {"ids": ids})
        assert (status, msgspec.json.decode(revoked)) == (200, {"revoked": ids})
        assert send("POST", "/v4/profile/tokens", {"label": "x" * LIMIT})[0] == 413
        assert send("PUT", BATCH, {"tokens": ["x" * BATCH_LIMIT]})[0] == 413
        connection.close()
        log = served.written()
    for secret in (served.secret, msgspec.json.decode(made)["tokens"][0]["token"]):
        assert secret[16:] not in log
    assert "0123456789ab" not in log
