"""Paging in the default order stays exact under any changes, of any process, and any movement of the clock."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.postgres import empty
from tests.store.sqlite.test_pages import Paging

from patql.authority import listing
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.listing import Field, Listing, Op
from patql.authority.ports import TokenStore
from patql.store import anchors
from patql.store.postgres import PostgresStore


@pytest.mark.slow
def test_paging_is_exact(tokens_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stretches of 4 tokens, every page is what a plain slice of the active tokens is."""
    monkeypatch.setattr(anchors, "STRETCH", 4)
    monkeypatch.setattr(anchors, "_KEPT", 1)

    class PostgresPaging(Paging):
        def opened(self) -> list[TokenStore]:
            empty(tokens_url)
            return [PostgresStore(tokens_url), PostgresStore(tokens_url)]

    run_state_machine_as_test(
        PostgresPaging,
        settings=settings(max_examples=15, stateful_step_count=20, deadline=None),
    )


def test_lists_of_everything(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stretches of all users, tokens and events, and of tokens that meet a condition, follow each other without gaps."""
    monkeypatch.setattr(anchors, "STRETCH", 4)
    for name in ("alice", "bob", "carol"):
        authority.issue_many(name, [Wanted(f"{name}-{n}") for n in range(7)])
    where = listing.Test(Field.LABEL, Op.CONTAINS, "BOB-")
    bobs = list[int]()
    for offset in range(0, 9, 2):
        page = authority.page("bob", Listing(where=where, limit=2, offset=offset))
        bobs += [token.id for token in page.tokens]
        assert page.results == 7
    assert bobs == list(range(8, 15))
    admin = authority.admin
    tokens = [
        e.token.id for o in range(0, 24, 5) for e in admin.tokens(None, o, 5).rows
    ]
    assert tokens == list(range(1, 22))
    events = [e.id for o in range(0, 27, 5) for e in admin.events(None, o, 5).rows]
    assert events == list(range(24, 0, -1))
    mine = [e.user for o in range(0, 9, 3) for e in admin.events("bob", o, 3).rows]
    assert mine == ["bob"] * 8
    users = [u.username for o in range(4) for u in admin.users(o, 1).rows]
    assert users == ["alice", "bob", "carol"]
