"""`cascade` of one's own tokens: sent to servers of ours alone, and refused where a server isn't known to be one."""

import pytest
from tests.engine.conftest import NOON, Script, World
from tests.engine.served import JSON, Answer, Served

from patql.authority.model import Granted
from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response

DELETED = "DELETE FROM linode.profile.tokens WHERE id = 5 AND cascade = true"
CALLED = (
    "EXEC linode.profile.tokens.deletePersonalAccessToken @tokenId = 5, @cascade = true"
)
LIST, DELETE = "GET /profile/tokens", "DELETE /profile/tokens/5?cascade=true"
EMPTY = b'{"data": [], "page": 1, "pages": 1, "results": 0}'
OURS = Response(200, [JSON, (b"x-patql-list-version", b"7")], EMPTY)
ANOTHERS = (200, EMPTY)
BEFORE = (
    "  before: 1 by getPersonalAccessTokens, for whether the server is one of ours, "
    "which alone take cascade"
)

each_way = pytest.mark.parametrize("sql", [DELETED, CALLED])


class Asking:
    """A session over a server that answers so to a list, and to whatever deletes; its target as told."""

    def __init__(
        self, listed: Answer, target: str | None = None, *, dry_run: bool = False
    ) -> None:
        self.server = Served({LIST: listed, "DELETE /profile/tokens/5": (200, b"{}")})
        self.server.target = target or self.server.target
        self.session = Session(
            Catalog((builtin("linode"),)),
            self.server,
            ManualClock(NOON),
            Script(),
            options=Options(dry_run=dry_run),
        )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a statement gives."""
        return [row for result in self.session.run(sql) for row in result.rows()]

    def refused(self, sql: str) -> str:
        """Why a statement isn't run: because the server isn't known to take what it says."""
        with pytest.raises(PatqlError) as refused:
            self.rows(sql)
        assert refused.value.code is Code.UNSUPPORTED
        return refused.value.message


def test_embedded(world: World) -> None:
    """In the same process nothing need be asked: a token goes with what it has created."""
    parent = world.authority.verify(world.secrets[0])
    assert isinstance(parent, Granted)
    child = world.authority.issue("ada", acting=parent)
    sql = "DELETE FROM linode.profile.tokens WHERE tokenId = 1 AND cascade = true"
    list(world.session.run(sql))
    assert "DELETE /profile/tokens/1?cascade=true" in world.transport.sent
    assert not any(sent.startswith(LIST + "?") for sent in world.transport.sent)
    assert not world.authority.verify(child.secret)


@each_way
def test_a_server_of_ours(sql: str) -> None:
    """One that isn't known yet is asked for a page of the list, once."""
    asking = Asking(OURS)
    for _ in range(2):
        asking.rows(sql)
    assert asking.server.sent == [LIST, DELETE, DELETE]


@each_way
@pytest.mark.parametrize("dry_run", [False, True])
def test_another_server(sql: str, dry_run: bool) -> None:
    """Linode's isn't even asked; one whose list has no version is sent nothing that changes anything."""
    linode = Asking(OURS, "https://api.linode.com/v4", dry_run=dry_run)
    told = (
        "cascade of deletePersonalAccessToken is an extension that only PatQL's own servers take, "
        "and https://api.linode.com/v4 isn't known to be one: nothing was changed"
    )
    assert linode.refused(sql) == linode.refused(f"EXPLAIN {sql}") == told
    assert linode.server.sent == []
    unknown = Asking(ANOTHERS, dry_run=dry_run)
    assert "https://api.example.com/v4 isn't known to be one" in unknown.refused(sql)
    assert unknown.server.sent == [LIST]


def test_a_server_that_refuses() -> None:
    """Where it can't be told what the server is, why it can't is said."""
    refusing = Asking((401, b'{"errors": [{"reason": "Invalid Token"}]}'))
    with pytest.raises(PatqlError, match="answered 401: Invalid Token"):
        refusing.rows(DELETED)
    assert refusing.server.sent == [LIST]


@each_way
def test_what_is_told_before(sql: str) -> None:
    """EXPLAIN asks nobody, and says what will be asked first; a dry run asks that, and tells the request."""
    asking = Asking(OURS)
    told = [str(line) for (line,) in asking.rows(f"EXPLAIN {sql}")]
    assert BEFORE in told
    assert "  with: cascade = true" in told
    assert told[-1] == "scopes: account:read_only, account:read_write"
    assert asking.server.sent == []
    dry = Asking(OURS, dry_run=True)
    ((*_, request, _headers, _body),) = dry.rows(sql)
    assert request == f"DELETE {dry.server.target}/profile/tokens/5?cascade=true"
    assert dry.server.sent == [LIST]
    assert BEFORE not in [line for (line,) in dry.rows(f"EXPLAIN {sql}")]


def test_without_it() -> None:
    """What every server takes is sent to every server."""
    linode = Asking(ANOTHERS, "https://api.linode.com/v4")
    linode.rows(CALLED.replace(", @cascade = true", ""))
    assert linode.server.sent == ["DELETE /profile/tokens/5"]


def test_the_documents_tell() -> None:
    """DESCRIBE METHOD has it as what may be given, and says whose it is."""
    told = Asking(OURS).rows(
        "DESCRIBE METHOD EXTENDED linode.profile.tokens.deletePersonalAccessToken"
    )
    assert (
        "cascade",
        "boolean",
        "input_optional",
        "",
        "Whether every token that descends from it is revoked too. An extension: "
        "PatQL's own servers take it, Linode's don't.",
    ) in told
