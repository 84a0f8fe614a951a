"""What a dry run shows of credentials, and what it refuses to send."""

import pytest
from msgspec.structs import replace
from tests.engine.conftest import NOON, Script, World
from tests.engine.served import Served
from tests.engine.test_mutations import catalog

from patql.catalog.document import Auth
from patql.catalog.names import Catalog
from patql.engine.reads import OnlyReads
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.kernel.version import __version__

URL = "DELETE https://api.example.com/v4/things/1"
AGENT = f"user-agent: patql/{__version__}"


@pytest.mark.parametrize(
    ("auth", "url", "headers"),
    [
        (None, URL, ["authorization: Bearer ***"]),
        (Auth("bearer"), URL, ["authorization: Bearer ***"]),
        (Auth("null"), URL, []),
        (Auth("basic", ("U", "P")), URL, ["authorization: Basic ***"]),
        (
            Auth("api_key", prefix="Token "),
            URL,
            ["authorization: Token ***"],
        ),
        (Auth("custom", location="query", name="key"), f"{URL}?key=***", []),
        (
            Auth("custom", name="X-A", successor=Auth("custom", name="X-B")),
            URL,
            ["x-a: ***", "x-b: ***"],
        ),
    ],
)
def test_credentials_are_masked(
    auth: Auth | None, url: str, headers: list[str]
) -> None:
    """Wherever they go by the provider's document."""
    (provider,) = catalog().providers
    known = Catalog((replace(provider, auth=auth),))
    options = Options(dry_run=True)
    with Session(known, Served({}), ManualClock(NOON), Script(), options=options) as s:
        (result,) = s.run("EXEC acme.shop.things.remove @thingId = 1")
        ((request, sent, _),) = result.rows()
    assert request == url
    assert sent.split("\n") == [*headers, AGENT]


def test_own_token_is_named_and_nobody_is_asked(world: World) -> None:
    """A dry run says that it would be deleted, and how many reads told it so."""
    options = Options(dry_run=True)
    catalog = world.session.state.catalog
    script = Script()
    session = Session(catalog, world.transport, world.clock, script, options=options)
    (result,) = session.run("DELETE FROM linode.profile.tokens WHERE id IN (1, 2)")
    ((key, request, headers, body),) = result.rows()
    assert (key, request, body) == ("2, 1", "DELETE /patql/batch", '{"ids":[2,1]}')
    assert "idempotency-key: (a new random one)" in headers.split("\n")
    assert all(sent.startswith("GET ") for sent in world.transport.sent)
    assert f"{world.transport.acting} is the token" in script.notes[0]
    assert script.notes[1].startswith("dry run: the rows were found by GET /profile")
    assert script.questions == []


def test_what_may_change_something_is_not_sent() -> None:
    """Nor is what stands beside it."""
    served = Served({})
    named: list[str] = []
    reads = OnlyReads(served, named)
    requests = [Request("GET", "/things"), Request("POST", "/things")]
    with pytest.raises(PatqlError, match=r"POST .*/things") as error:
        reads.send(requests, 2)
    assert error.value.code is Code.UNSUPPORTED
    assert (served.sent, named) == ([], [])
