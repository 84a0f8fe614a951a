"""When tokens were last used is written beside requests: seldom, many at once, and no request waits for it."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest
from tests.faces.http.test_app import Message, scope

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Use
from patql.catalog.load import builtin
from patql.config import Settings
from patql.faces.http import app as faces
from patql.faces.http.app import App
from patql.kernel.clock import ManualClock
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000
CLIENT = "192.0.2.7"


class Counting(Authority):
    """An authority that counts how often uses are handed to it."""

    written: list[list[Use]]

    def use(self, uses: list[Use]) -> None:  # type: ignore[override]
        super().use(uses)
        self.written.append(uses)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the beginning of a minute."""
    return ManualClock(NOW)


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Iterator[Counting]:
    """An authority; what it serves writes after a few hundredths of a second what it has noted."""
    made = Counting(SqliteStore(tmp_path / "tokens.db"), clock)
    made.written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "FLUSH", 0.03)
        yield made


@asynccontextmanager
async def served(
    authority: Authority, folder: Path, clock: ManualClock
) -> AsyncGenerator[App]:
    """The application while a server has it."""
    api = Api(authority, builtin("linode"), b"{}")
    made = App(api, Settings(data_dir=folder), write=lambda _: None, clock=clock)
    told: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    life = asyncio.create_task(made({"type": "lifespan"}, told.get, heard.put))
    told.put_nowait({"type": "lifespan.startup"})
    await heard.get()
    yield made
    told.put_nowait({"type": "lifespan.shutdown"})
    await life


async def ask(app: App, path: str, secret: str) -> int:
    """The status of an answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    request: Message = {
        **scope(),
        "path": path,
        "raw_path": path.encode(),
        "client": (CLIENT, 1),
        "headers": [(b"authorization", f"Bearer {secret}".encode())],
    }
    await app(request, receive, send)
    status: int = sent[0]["status"]
    return status


def test_a_write_for_many(
    authority: Counting, tmp_path: Path, clock: ManualClock
) -> None:
    """However often tokens are used, whatever for, each is written once in a minute, and all of them together."""
    secrets = [authority.issue("ada").secret.reveal() for _ in range(3)]

    async def run() -> None:
        async with served(authority, tmp_path, clock) as app:
            for number in range(300):
                path = ("/authorize", "/v4/profile")[number % 2]
                assert await ask(app, path, secrets[number % 3]) == 200
            await asyncio.sleep(0.1)
            assert sum(map(len, authority.written)) == 3
            clock.advance(60)
            for _ in range(3):
                assert await ask(app, "/authorize", secrets[0]) == 200

    asyncio.run(run())
    handles = [use.handle for uses in authority.written for use in uses]
    assert handles == [secret[:16] for secret in (*secrets, secrets[0])]
    assert len(authority.written) <= 4


def test_nobody_waits(authority: Counting, tmp_path: Path, clock: ManualClock) -> None:
    """While another process keeps the database locked, requests are answered; once it doesn't, uses are kept."""
    authority = Counting(SqliteStore(tmp_path / "tokens.db", timeout=30), clock)
    authority.written = []
    secret = authority.issue("ada").secret.reveal()
    other = apsw.Connection(str(tmp_path / "tokens.db"))

    async def run() -> None:
        async with served(authority, tmp_path, clock) as app:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            while time.monotonic() < begun + 0.3:
                for path in ("/authorize", "/v4/profile", "/v4/profile/tokens"):
                    asked = time.monotonic()
                    assert await ask(app, path, secret) == 200
                    assert time.monotonic() - asked < 5  # the lock lasts for 30
                await asyncio.sleep(0.01)
            assert authority.written == []
            other.execute("ROLLBACK")

    asyncio.run(run())
    assert authority.written == [[Use(secret[:16], NOW, CLIENT)]]
    other.close()
