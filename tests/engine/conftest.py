"""A session over the real API in process, on a clock that stands still, with every request written down."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.catalog.load import builtin, builtin_openapi
from patql.catalog.names import Catalog
from patql.engine.ports import Watch
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.inprocess import InProcessTransport
from patql.store.sqlite import SqliteStore

NEW_YEAR = 1_767_225_600
"""2026-01-01T00:00:00 UTC, in seconds."""

NOON = 1_781_524_800
"""2026-06-15T12:00:00 UTC, in seconds: the present of these tests."""

DAY = 86_400

TOKENS = (
    # label, scopes, created, expiry
    ("root", "*", NEW_YEAR, None),
    ("ci", "linodes:read_only", NEW_YEAR + 31 * DAY + 30_600, NEW_YEAR + 365 * DAY),
    ("audit", "account:read_only", NEW_YEAR + 73 * DAY + 43_200, None),
    (
        "deploy",
        "linodes:read_write domains:read_only",
        NEW_YEAR + 151 * DAY,
        NOON + 16 * DAY,
    ),
    ("it's", "", NOON - 1, None),
)


class Recorder:
    """The Transport port over another transport; `sent` has each request as `VERB path?query body`."""

    def __init__(self, inner: InProcessTransport) -> None:
        self._inner = inner
        self.target = inner.target
        self.acting: str | None = inner.acting
        self.sent: list[str] = []

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """Write the requests down as they are sent."""
        for request in requests:
            query = f"?{request.query}" if request.query else ""
            body = f" {request.body.decode()}" if request.body else ""
            self.sent.append(f"{request.method} {request.path}{query}{body}")
            yield from self._inner.send([request], concurrency)

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Close the other one."""
        self._inner.close()


class Script:
    """A Dialogue that answers nothing and keeps what it is told; `consent` is its answer where one is wanted."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.questions: list[str] = []
        self.consent: bool | None = None

    def note(self, message: str) -> None:
        """Keep it."""
        self.notes.append(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Keep it, and answer as told."""
        self.questions.append(question)
        return otherwise if self.consent is None else self.consent


class World:
    """An authority with five tokens of one user, and a session of that user's root token."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NEW_YEAR)
        self.authority = Authority(SqliteStore(folder / "tokens.db"), self.clock)
        self.secrets: list[Secret] = []
        for label, scopes, created, expiry in TOKENS:
            self.clock.seconds = created
            issued = self.authority.issue(
                "ada", label=label, scopes=scopes, expiry=expiry
            )
            self.secrets.append(issued.secret)
        self.clock.seconds = NOON
        provider = builtin("linode")
        api = Api(self.authority, provider, builtin_openapi("linode"))
        self.transport = Recorder(
            InProcessTransport(
                "embedded", "/v4", api.handle, self.secrets[0], self.authority.close
            )
        )
        self.script = Script()
        self.session = Session(
            Catalog((provider,)), self.transport, self.clock, self.script
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh authority and session."""
    world = World(tmp_path)
    yield world
    world.session.close()
