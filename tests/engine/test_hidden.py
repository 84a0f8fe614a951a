"""Parameters that share their name with a column of nested values: the server alone can check them."""

from collections.abc import Iterator

import pytest
from tests.engine.served import Served

from patql.catalog.document import (
    Access,
    Column,
    Method,
    Parameter,
    Provider,
    Resource,
    Service,
)
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.kernel.clock import SystemClock
from patql.kernel.errors import Code, PatqlError

REPOS = Resource(
    "hub.git.repos",
    "repos",
    "Repos",
    "",
    (
        Method(
            "list",
            Access.SELECT,
            "list",
            "GET",
            "/{owner}/repos",
            "",
            (Parameter("owner", "path", "string", required=True),),
            columns=(
                Column("name", "string"),
                Column("owner", "object", shape='STRUCT("login" VARCHAR)'),
            ),
        ),
    ),
)
ANSWERS = {
    f"GET /{owner}/repos": (
        200,
        b'[{"name": "%b", "owner": {"login": "%b"}}]' % (name, owner.encode()),
    )
    for owner, name in (("ada", b"engine"), ("bob", b"loom"))
}


class Nobody:
    """A Dialogue that nobody reads."""

    def note(self, message: str) -> None:
        """Nothing is to be told."""
        raise AssertionError(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nothing is to be asked."""
        raise AssertionError(question, otherwise)


@pytest.fixture
def session() -> Iterator[Session]:
    """A session over two owners' repos."""
    service = Service("git", "git", "Git", "", "v1", True, (), (REPOS,))
    provider = Provider("hub", "hub", "v1", "Hub", "", (service,))
    catalog = Catalog((provider,))
    with Session(catalog, Served(ANSWERS), SystemClock(), Nobody()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("owner = 'ada'", ["engine"]),
        ("owner IN ('ada', 'bob')", ["engine", "loom"]),
        ("(owner = 'ada' OR owner = 'bob') AND name <> 'loom'", ["engine"]),
        ("'bob' = r.owner AND r.owner.login = 'bob'", ["loom"]),
        ("owner = 'bob' AND r.owner.login = 'ada'", []),
    ],
)
def test_constants(session: Session, where: str, names: list[str]) -> None:
    """They choose the rows, whose column has other values than the parameter."""
    sql = f"SELECT name FROM hub.git.repos r WHERE {where} ORDER BY name"
    (result,) = session.run(sql)
    assert [name for (name,) in result.rows()] == names


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (VALUES ('ada')) v(o) JOIN hub.git.repos r ON r.owner = v.o",
        "SELECT * FROM hub.git.repos WHERE owner IN (SELECT 'ada')",
        "SELECT * FROM hub.git.repos WHERE owner = 'ada' AND owner = 'bob'",
        "SELECT * FROM hub.git.repos WHERE (owner = 'ada' AND name = 'x') OR (owner = 'bob' AND name = 'y')",
    ],
)
def test_whatever_would_compare_the_column(session: Session, sql: str) -> None:
    """It is refused with a sentence, before anything is asked for."""
    with pytest.raises(PatqlError, match="both a parameter of hub") as caught:
        list(session.run(sql))
    assert caught.value.code is Code.UNSUPPORTED
    assert "owner IN (…)" in caught.value.message
