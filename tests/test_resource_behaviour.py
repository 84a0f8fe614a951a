"""What follows from the wording of the resource's page: each case of data/resource_behaviour.yaml, in SQL."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Granted
from patql.authority.tokens import LENGTH
from patql.catalog.load import builtin, builtin_openapi
from patql.catalog.names import Catalog
from patql.engine.result import Result
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import PatqlError
from patql.kernel.secrets import Secret
from patql.rest.inprocess import InProcessTransport
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000
DATA = Path(__file__).parent / "data"
PAGE = yaml.safe_load((DATA / "resource_page.yaml").read_text("utf-8"))


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Statements, and what they do."""

    cell: str
    name: str
    run: tuple[str, ...]
    acting: str = msgspec.field(default="root", name="as")
    columns: tuple[str, ...] | None = None
    rows: list[tuple[Any, ...]] | None = None
    message: str | None = None
    error: str | None = None
    after: int = 0
    good: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


CASES = msgspec.convert(
    yaml.safe_load((DATA / "resource_behaviour.yaml").read_text("utf-8")), list[Case]
)


class Quiet:
    """A Dialogue that nobody is at."""

    def note(self, message: str) -> None:
        """Leave it."""

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is asked."""
        assert question
        return otherwise


class World:
    """The tokens that the cases start with, by label."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW - 10)
        self.authority = Authority(SqliteStore(folder / "tokens.db"), self.clock)
        self.secrets = dict[str, Secret]()
        for user, label, scopes, expiry in (
            ("ann", "root", "*", None),
            ("ann", "ci", "linodes:read_only", NOW + 60),
            ("bob", "bob", "*", None),
            ("ann", "gone", "*", None),
            ("ann", "late", "*", NOW),
            ("ann", "narrow", "account:read_write linodes:read_only", None),
        ):
            self.clock.seconds = NOW - 10 if label == "late" else NOW
            issued = self.authority.issue(
                user, label=label, scopes=scopes, expiry=expiry
            )
            self.secrets[label] = issued.secret
        self.clock.seconds = NOW
        self.authority.revoke("ann", 4)

    def session(self, label: str) -> Session:
        """SQL with one of the tokens; closing it leaves the authority open."""
        provider = builtin("linode")
        api = Api(self.authority, provider, builtin_openapi("linode"))
        transport = InProcessTransport(
            "embedded", "/v4", api.handle, self.secrets[label], lambda: None
        )
        return Session(Catalog((provider,)), transport, self.clock, Quiet())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world of its own for each case."""
    made = World(tmp_path)
    yield made
    made.authority.close()


@pytest.mark.parametrize("case", CASES, ids=[f"{c.cell}: {c.name}" for c in CASES])
def test_behaviour(world: World, case: Case) -> None:
    """The statements of a case give what it says, and leave the tokens as it says."""
    last = Result()
    with world.session(case.acting) as sql:
        for number, statement in enumerate(case.run, start=1):
            text = re.sub(r"\bT\b", "linode.profile.tokens", statement)
            if case.error is not None and number == len(case.run):
                with pytest.raises(PatqlError) as failed:
                    run(world, sql, text)
                assert case.error in str(failed.value)
            else:
                last = run(world, sql, text)
        if case.columns is not None:
            assert tuple(c.name for c in last.columns) == case.columns
        if case.rows is not None:
            assert [shown(row) for row in last.rows()] == case.rows
        if case.message is not None:
            assert last.message == case.message
    world.clock.advance(case.after)
    for labels, expected in ((case.good, True), (case.refused, False)):
        for label in labels:
            assert bool(world.authority.verify(world.secrets[label])) is expected, label


def run(world: World, sql: Session, statement: str) -> Result:
    """A statement's result; a secret in it is kept as `made`."""
    (result,) = sql.run(statement)
    for row in result.rows():
        for place in result.once:
            world.secrets["made"] = Secret(row[place])
    return result


def shown(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as the cases write it."""
    return tuple(
        "<secret>" if isinstance(value, str) and len(value) == LENGTH else value
        for value in row
    )


def test_every_field_and_method_has_a_case() -> None:
    """No row of the page is without one."""
    cells = {cell["cell"] for cell in PAGE if cell["section"] != "Overview"}
    assert {case.cell for case in CASES} == cells


def test_lost_access_comes_back_by_some_other_means(world: World) -> None:
    """Whoever can write the database makes a new root token, and the audit says so."""
    with world.session("root") as sql:
        run(world, sql, "DELETE FROM linode.profile.tokens WHERE id > 0")
    assert world.authority.list("ann") == ()
    granted = world.authority.verify(world.authority.recover("ann").secret)
    assert isinstance(granted, Granted)
    assert (granted.user, granted.scopes) == ("ann", "*")
    event = world.authority.events("ann")[-1]
    assert (event.action, event.token_id) == ("token_recover", granted.token_id)


@pytest.mark.parametrize("number", range(8))
def test_by_id_and_by_list_are_one(world: World, number: int) -> None:
    """`WHERE id = n`, one request, is the same as `WHERE id + 0 = n`, the list, for every n."""
    select = "SELECT * FROM linode.profile.tokens WHERE"
    with world.session("root") as sql:
        both = [
            run(world, sql, f"{select} {expression} = {number}").rows()
            for expression in ("id", "tokenId", "id + 0")
        ]
    assert both[0] == both[1] == both[2]
    assert len(both[0]) == (number in (1, 2, 6))
