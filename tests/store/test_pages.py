"""Paging in the default order stays exact under any changes, of any process, and any movement of the clock."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from patql.authority.authority import Authority
from patql.authority.listing import Field, Listing
from patql.authority.model import Token
from patql.kernel.clock import ManualClock
from patql.store import pages
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000


class Paging(RuleBasedStateMachine):
    """Two stores on one file, as two processes have; a dict is the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "tokens.db"
        self.clock = ManualClock(NOW)
        self.stores = [Authority(SqliteStore(path), self.clock) for _ in range(2)]
        self.model = dict[int, Token]()

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    def active(self) -> tuple[Token, ...]:
        now = self.clock.now()
        return tuple(
            token
            for _, token in sorted(self.model.items())
            if token.expiry is None or token.expiry > now
        )

    @rule(
        by=st.integers(0, 1),
        count=st.integers(1, 5),
        lifetime=st.none() | st.integers(1, 9),
    )
    def issue(self, by: int, count: int, lifetime: int | None) -> None:
        """Some tokens are made, in one process or the other."""
        expiry = None if lifetime is None else int(self.clock.now()) + lifetime
        for _ in range(count):
            token = self.stores[by].issue("alice", expiry=expiry).token
            self.model[token.id] = token
            self.stores[by].issue("bob")

    @rule(by=st.integers(0, 1), pick=st.integers(0, 50))
    def revoke(self, by: int, pick: int) -> None:
        """One that is active, or was, is revoked."""
        if self.model:
            token_id = sorted(self.model)[pick % len(self.model)]
            was_active = self.model[token_id] in self.active()
            assert self.stores[by].revoke("alice", token_id) is was_active
            if was_active:
                del self.model[token_id]

    @rule(by=st.integers(0, 1), pick=st.integers(0, 50))
    def rename(self, by: int, pick: int) -> None:
        """One is renamed, which changes no place in the order."""
        if self.active():
            token = self.active()[pick % len(self.active())]
            renamed = self.stores[by].rename("alice", token.id, f"label-{pick}")
            assert renamed is not None
            self.model[token.id] = renamed

    @rule(seconds=st.integers(-12, 12))
    def move(self, seconds: int) -> None:
        """Time passes, or the clock is set back."""
        self.clock.advance(seconds)

    @rule(
        by=st.integers(0, 1),
        limit=st.integers(0, 12),
        offset=st.integers(0, 40),
        descending=st.booleans(),
    )
    def page(self, by: int, limit: int, offset: int, *, descending: bool) -> None:
        """A page is the model's slice."""
        asked = Listing(limit=limit, offset=offset, descending=descending)
        page = self.stores[by].page("alice", asked)
        active = self.active()[:: -1 if descending else 1]
        assert page.tokens == active[offset : offset + limit]
        assert page.results == len(active)

    @invariant()
    def both_see_the_same(self) -> None:
        """Whichever process is asked, the first page and its version are the same."""
        first, second = (store.page("alice", Listing()) for store in self.stores)
        assert first == second


@pytest.mark.slow
def test_paging_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stretches of 4 tokens, every page is what a plain slice of the active tokens is."""
    monkeypatch.setattr(pages, "_STRETCH", 4)
    monkeypatch.setattr(pages, "_USERS", 1)
    run_state_machine_as_test(
        Paging,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None),
    )


def test_a_clock_that_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that had expired are listed again, once it is before their expiry again."""
    monkeypatch.setattr(pages, "_STRETCH", 4)
    clock = ManualClock(NOW)
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as authority:
        for n in range(20):
            authority.issue("alice", expiry=NOW + 5 if n % 2 else None)
        counts = list[int]()
        for seconds in (0, 5, -5):
            clock.advance(seconds)
            page = authority.page("alice", Listing(limit=99))
            assert len(page.tokens) == page.results
            counts.append(page.results)
    assert counts == [20, 10, 20]


def test_paging_through_while_others_change(tmp_path: Path) -> None:
    """Pages in id order, read while tokens come and go, show each token that exists throughout exactly once."""
    clock = ManualClock(NOW)
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as authority:
        lasting = [authority.issue("alice").token.id for _ in range(60)]
        passing = [authority.issue("alice").token.id for _ in range(40)]
        versions = set[str]()
        seen = list[int]()
        for offset in range(0, 100, 20):
            page = authority.page("alice", Listing(limit=20, offset=offset))
            versions.add(page.version)
            seen += [token.id for token in page.tokens]
            authority.revoke("alice", passing.pop())
            authority.issue("alice")
        assert [token_id for token_id in seen if token_id in lasting] == lasting
        assert len(versions) == 5  # so a client knows that this was no snapshot


def test_reading_never_holds_a_snapshot(tmp_path: Path) -> None:
    """After any read, complete or failed, the thread's next read sees what others have committed since."""
    path = tmp_path / "tokens.db"
    clock = ManualClock(NOW)
    with (
        Authority(SqliteStore(path), clock) as reader,
        Authority(SqliteStore(path), clock) as writer,
    ):
        for read in (
            lambda: reader.page("alice", Listing(limit=1)),
            lambda: reader.page("nobody", Listing()),
            lambda: reader.page("alice", Listing(order=Field.LABEL)),
            lambda: reader.page("alice", Listing(limit="x")),  # type: ignore[arg-type]
            lambda: reader.list("alice"),
            lambda: reader.events(limit=1),
            lambda: reader.get("alice", 1),
            lambda: reader.user("alice"),
            reader.is_empty,
        ):
            issued = writer.issue("alice")
            assert reader.verify(issued.secret)
            with suppress(TypeError):
                read()
            writer.revoke("alice", issued.token.id)
            assert not reader.verify(issued.secret)
