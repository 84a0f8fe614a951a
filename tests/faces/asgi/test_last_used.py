"""When a product's tokens were last used: in the background, and before the server ends."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from tests.faces.asgi.conftest import START, Client, connection, talk

import patql
from patql import Authority
from patql.authority.model import Denied, Granted, Reason, Use
from patql.faces.asgi import last_used
from patql.faces.asgi.last_used import LastUsed
from patql.kernel.asgi import Application, Message, Receive, Send, respond
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response

ADA = Granted("ada", 2, 2, "*", None, "pql_abcdefghijkl")


class Keeping:
    """An authority that only keeps uses."""

    def __init__(self) -> None:
        self.kept: list[Use] = []
        self.error: PatqlError | None = None
        self.done = threading.Event()

    def use(self, uses: list[Use]) -> None:
        if self.error is not None:
            raise self.error
        self.kept += uses
        self.done.set()


def gather(
    *verdicts: Granted | Denied, client: tuple[str, int] | None = ("192.0.2.7", 1)
) -> list[Use]:
    """What is kept of uses, once the loop has gone on."""
    authority = Keeping()
    gathered = LastUsed(authority, ManualClock(START))  # type: ignore[arg-type]

    async def run() -> None:
        for verdict in verdicts:
            gathered.note(verdict, {"client": client})
        assert await asyncio.to_thread(authority.done.wait, 10)

    asyncio.run(run())
    return authority.kept


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits."""
    monkeypatch.setattr(last_used, "DELAY", 0.0)


def test_a_use_is_kept() -> None:
    """A use is kept with time and address, once, however often the token is used."""
    assert gather(ADA, ADA) == [Use(ADA.handle, START, "192.0.2.7")]
    assert gather(ADA, client=None) == [Use(ADA.handle, START, "unix")]


def test_no_use() -> None:
    """A bad token wasn't used, nor was one that a product's login stands for."""
    vouched = Granted("ada", 2, None, "*", None)
    few = Denied(Reason.INSUFFICIENT_SCOPE, ADA)
    uses = gather(vouched, few, Denied(Reason.REVOKED), ADA)
    assert [use.handle for use in uses] == [ADA.handle]


def test_a_use_that_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    """It is lost, and the log says why."""
    authority = Keeping()
    authority.error = PatqlError(Code.UNAVAILABLE, "disk full")
    gathered = LastUsed(authority, ManualClock(START))  # type: ignore[arg-type]

    async def run() -> None:
        gathered.note(ADA, {"client": None})

    asyncio.run(run())
    gathered.keep()
    assert "unavailable: disk full" in caplog.text


def endpoints(authority: Authority) -> Application:
    """The mounted endpoints, by themselves."""
    return patql.asgi(authority)


def middleware(authority: Authority) -> Application:
    """The middleware around what takes everything."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.shutdown"
        else:
            await respond(send, "GET", Response(204, []))

    return patql.TokenMiddleware(app, authority)


@pytest.mark.parametrize("way", [endpoints, middleware])
def test_nothing_is_lost_at_the_end(
    authority: Authority,
    token: Callable[..., str],
    way: Callable[[Authority], Application],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the server tells of its end, what was noted is kept before the product hears of it."""
    monkeypatch.setattr(last_used, "DELAY", 60.0)
    app = way(authority)
    answer = Client(app).get("/v4/profile", authorization=f"Bearer {token()}")
    assert answer.status < 300
    (entry,) = authority.admin.tokens("ada").rows
    assert entry.last_used is None
    told = [{"type": "lifespan.startup"}] if way is endpoints else []
    talk(app, connection("lifespan", "", {}), *told, {"type": "lifespan.shutdown"})
    (entry,) = authority.admin.tokens("ada").rows
    assert entry.last_used is not None
    assert entry.last_used_from == "192.0.2.7"
