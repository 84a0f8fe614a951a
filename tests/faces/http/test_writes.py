"""Writes that wait for the disk: answered together, by one flush, and all told when it fails."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from patql.api.api import Api
from patql.authority import issue
from patql.authority.authority import Authority
from patql.authority.issue import Draft
from patql.authority.ports import Transaction
from patql.catalog.load import builtin
from patql.faces.http.writes import TOGETHER, Writes
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.store.sqlite import SqliteStore
from patql.store.sqlite.session import SqliteSession

NOW = 1_800_000_000


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A store on this machine's disk."""
    return SqliteStore(tmp_path / "tokens.db")


@pytest.fixture
def api(store: SqliteStore) -> Iterator[Api]:
    """The API over it."""
    made = Api(Authority(store, ManualClock(NOW)), builtin("linode"), b"{}")
    yield made
    made.close()


@pytest.fixture
def reported() -> list[Exception]:
    """What whoever runs the server is told."""
    return []


@pytest.fixture
def root(api: Api) -> Secret:
    """A token for everything."""
    return api.authority.issue("alice").secret


def asked(secret: Secret, body: bytes = b'{"label":"x"}') -> Request:
    """A request for a token."""
    bearer = f"Bearer {secret.reveal()}".encode()
    headers = [(b"authorization", bearer), (b"content-type", b"application/json")]
    return Request("POST", "/v4/profile/tokens", "", headers, body)


def answered(
    api: Api, reported: list[Exception], *requests: Request, gone: int | None = None
) -> list[Response | None]:
    """The answers to requests that come at the same time; the client of one may go before."""

    async def run() -> list[Response | None]:
        writes = Writes(api, reported.append)
        verify = api.authority.verify
        tasks = [asyncio.create_task(writes.answer(r, verify)) for r in requests]
        if gone is not None:
            await asyncio.sleep(0)
            tasks[gone].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        writes.close()
        return [a if isinstance(a, Response) else None for a in answers]

    return asyncio.run(run())


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[SqliteSession]:
    """Every commit from now on."""
    seen: list[SqliteSession] = []
    commit = SqliteSession.commit

    def counted(session: SqliteSession) -> None:
        seen.append(session)
        commit(session)

    monkeypatch.setattr(SqliteSession, "commit", counted)
    return seen


def test_one_flush_for_all(
    api: Api, root: Secret, reported: list[Exception], commits: list[SqliteSession]
) -> None:
    """What comes together is made by few commits, as much of it as goes together; each gets its own answer."""
    answers = answered(api, reported, *[asked(root)] * (TOGETHER + 1))
    labels = [msgspec.json.decode(a.body)["id"] for a in answers if a]
    assert labels == list(range(2, TOGETHER + 3))
    assert len(commits) in {
        2,
        3,
    }  # the first of a crowd may be made before the others are there
    assert reported == []


def test_a_refusal_among_them(
    api: Api, root: Secret, reported: list[Exception]
) -> None:
    """What is wrong with one is told that one alone, and a client that goes takes nobody along."""
    bad, good = asked(root, b'{"label":""}'), asked(root)
    answers = answered(api, reported, good, bad, good, good, gone=3)
    assert [a and a.status for a in answers] == [200, 400, 200, None]
    assert len(api.authority.list("alice")) == 4


def test_a_mistake_among_them(
    api: Api,
    root: Secret,
    reported: list[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that fails after it has written something leaves nothing behind, and takes nobody along; it is told of once."""
    create = issue.create

    def fail(at: Transaction, user: str, wanted: Sequence[Draft], *rest: Any) -> Any:  # noqa: ANN401
        made = create(at, user, wanted, *rest)
        if wanted[0].label == "odd":
            raise ZeroDivisionError
        return made

    monkeypatch.setattr(issue, "create", fail)
    good, odd = asked(root), asked(root, b'{"label":"odd"}')
    answers = answered(api, reported, good, odd, good)
    assert [a and a.status for a in answers] == [200, 500, 200]
    assert [type(error) for error in reported] == [ZeroDivisionError]
    assert [token.label for token in api.authority.list("alice")][1:] == ["x", "x"]
    assert api.authority.admin.examine().faults == ()


def test_a_flush_that_fails(
    api: Api,
    root: Secret,
    reported: list[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is told of what wasn't kept, neither that it happened nor that it was refused because of another's."""
    delete = Request("DELETE", "/v4/profile/tokens/1", "", asked(root).headers)

    def fail(_: SqliteSession) -> None:
        raise PatqlError(Code.UNAVAILABLE, "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteSession, "commit", fail)
        answers = answered(api, reported, asked(root), delete, asked(root))
    assert [a and a.status for a in answers] == [503, 503, 503]
    assert all(a and a.header(b"retry-after") == b"1" for a in answers)
    assert [str(error) for error in reported] == ["the disk is full"]
    assert [token.id for token in api.authority.list("alice")] == [1]
    assert api.authority.verify(root)
    (answer,) = answered(api, reported, asked(root))
    assert answer is not None
    assert answer.status == 200


def test_acting_with_what_is_revoked_beside_it(
    api: Api, root: Secret, reported: list[Exception]
) -> None:
    """A token that another request of the same moment revokes makes nothing after that."""
    delete = Request("DELETE", "/v4/profile/tokens/1", "", asked(root).headers)
    answers = answered(api, reported, asked(root), delete, asked(root))
    assert [a and a.status for a in answers] == [200, 200, 401]
    assert [token.id for token in api.authority.list("alice")] == [2]
