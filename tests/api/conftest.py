"""An API over an authority of its own, at a moment that stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Issued
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock
from patql.kernel.http import Headers, Request, Response
from patql.store.sqlite import SqliteStore

START = 1_798_761_600
"""2027-01-01T00:00:00 UTC."""


class Client:
    """Sends requests to an API with a token's secret, and reads JSON."""

    def __init__(self, api: Api, secret: str) -> None:
        self.api = api
        self.secret = secret

    def send(
        self,
        method: str,
        path: str,
        body: bytes | object = b"",
        headers: Headers | None = None,
    ) -> Response:
        """The response to a request; a body that isn't bytes is sent as JSON."""
        path, _, query = path.partition("?")
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent: Headers = [(b"authorization", b"Bearer " + self.secret.encode())]
        if raw:
            sent.append((b"content-type", b"application/json"))
        return self.api.handle(
            Request(method, path, query, [*sent, *(headers or [])], raw)
        )

    def get(self, path: str, filtered: object = None) -> Response:
        """The response to a GET, with a filter if one is given."""
        if filtered is None:
            return self.send("GET", path)
        raw = filtered if isinstance(filtered, bytes) else msgspec.json.encode(filtered)
        return self.send("GET", path, headers=[(b"x-filter", raw)])


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at START."""
    return ManualClock(START)


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Iterator[Authority]:
    """An authority without users."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as opened:
        yield opened


@pytest.fixture
def api(authority: Authority) -> Api:
    """The API of that authority, by the built-in document."""
    return Api(
        authority,
        builtin("linode"),
        builtin_openapi("linode"),
        lambda: builtin("patql"),
    )


@pytest.fixture
def root(authority: Authority) -> Issued:
    """The first token, of the user `alice`, with every scope; its id is 1."""
    issued = authority.found("alice")
    assert issued is not None
    return issued


@pytest.fixture
def client(api: Api, root: Issued) -> Client:
    """Someone who holds the root token."""
    return Client(api, root.secret.reveal())


@pytest.fixture
def holder(api: Api, authority: Authority) -> Callable[[str], Client]:
    """Makes someone who holds a token of `alice` with the given scopes."""

    def make(scopes: str) -> Client:
        issued = authority.issue("alice", scopes=scopes)
        return Client(api, issued.secret.reveal())

    return make


def reasons(response: Response) -> list[tuple[str, str | None]]:
    """What an error response says: reasons with their fields."""
    told = msgspec.json.decode(response.body)["errors"]
    return [(error["reason"], error.get("field")) for error in told]
