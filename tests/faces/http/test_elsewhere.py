"""A store that is reached over a network: nothing waits for it on the loop."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.faces.http.test_app import Message, run, scope

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.ports import Record
from patql.catalog.load import builtin
from patql.config import Settings
from patql.faces.http.app import App
from patql.kernel.clock import SystemClock
from patql.kernel.errors import Code, PatqlError
from patql.store.sqlite import SqliteStore


class Elsewhere:
    """A store that may be asked by an event loop for verdicts only, and in another thread for everything."""

    inline = False

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self._loop = threading.get_ident()
        self.asked: list[str] = []
        self.failure: PatqlError | None = None

    async def find_async(self, handle: str) -> Record | None:
        """As over a network."""
        await asyncio.sleep(0)
        self.asked.append(handle)
        if self.failure is not None:
            raise self.failure
        return self._store.find(handle)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name != "close":
            assert threading.get_ident() != self._loop, f"{name} on the loop"
        return getattr(self._store, name)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[App, Elsewhere, str]]:
    """An application over such a store, and a token."""
    path = tmp_path / "tokens.db"
    with Authority(SqliteStore(path), SystemClock()) as authority:
        secret = authority.issue("alice", label="root").secret.reveal()
    store = Elsewhere(path)
    made: list[App] = []

    def make() -> None:
        authority = Authority(cast("Any", store), SystemClock())
        api = Api(authority, builtin("linode"), b"{}")
        settings = Settings(data_dir=tmp_path)
        made.append(App(api, settings, write=lambda _: None))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    yield made[0], store, secret
    closing = threading.Thread(target=made[0].close)
    closing.start()
    closing.join()


def asked(app: App, method: str, path: str, secret: str, body: bytes = b"") -> Message:
    """The head of the answer."""
    target, _, query = path.partition("?")
    request = {
        **scope(method),
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": [
            (b"authorization", f"Bearer {secret}".encode()),
            (b"content-type", b"application/json"),
        ],
    }
    return run(app, request, {"type": "http.request", "body": body})[0]


def test_requests(elsewhere: tuple[App, Elsewhere, str]) -> None:
    """Reads and writes run in threads, verdicts on the loop, one for each request."""
    app, store, secret = elsewhere
    tokens = "/v4/profile/tokens"
    for method, path, body, status in (
        ("GET", "/v4/profile", b"", 200),
        ("GET", tokens, b"", 200),
        ("POST", tokens, b'{"label": "x"}', 200),
        ("DELETE", f"{tokens}/2", b"", 200),
        ("GET", "/authorize?scope=linodes:read_only", b"", 200),
        ("GET", "/authorize/*/x", b"", 200),
    ):
        store.asked.clear()
        assert asked(app, method, path, secret, body)["status"] == status
        assert store.asked == [secret[:16]]


def test_no_verdict(elsewhere: tuple[App, Elsewhere, str]) -> None:
    """Where the store can't be reached, everyone is told to come again, and nobody passes."""
    app, store, secret = elsewhere
    store.failure = PatqlError(Code.UNAVAILABLE, "no route")
    for path in ("/authorize", "/v4/profile"):
        head = asked(app, "GET", path, secret)
        assert head["status"] == 503
        assert (b"retry-after", b"1") in head["headers"]
    store.failure = None
    assert asked(app, "GET", "/authorize", secret)["status"] == 200


def test_refused(elsewhere: tuple[App, Elsewhere, str]) -> None:
    """What is no token isn't asked for."""
    app, store, secret = elsewhere
    for path in ("/authorize", "/v4/profile"):
        assert asked(app, "GET", path, secret[:-1])["status"] == 401
    assert asked(app, "GET", "/authorize?scope=x", secret)["status"] == 400
    assert store.asked == []
