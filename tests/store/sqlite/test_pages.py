"""Paging in the default order stays exact under any changes, of any process, and any movement of the clock."""


# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

import os
import tempfile
import threading
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

from patql.authority import listing
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.listing import Field, Listing, Op
from patql.authority.model import Token
from patql.authority.ports import TokenStore
from patql.kernel.clock import ManualClock
from patql.store import anchors
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000
_MANY = 100_000 if os.environ.get("PATQL_LONG") == "1" else 5_000
_PAGE = 500


class Paging(RuleBasedStateMachine):
    """Two stores of one database, as two processes have; a dict is the model."""

    folder: tempfile.TemporaryDirectory[str] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOW)
        self.stores = [Authority(store, self.clock) for store in self.opened()]
        self.model = dict[int, Token]()

    def opened(self) -> list[TokenStore]:
        """Two stores of one empty database."""
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "tokens.db"
        return [SqliteStore(path), SqliteStore(path)]

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        if self.folder is not None:
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
    monkeypatch.setattr(anchors, "STRETCH", 4)
    monkeypatch.setattr(anchors, "_KEPT", 1)
    run_state_machine_as_test(
        Paging,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None),
    )


def test_a_clock_that_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that had expired are listed again, once it is before their expiry again."""
    monkeypatch.setattr(anchors, "STRETCH", 4)
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


def test_a_token_that_slips_between_pages_shows(tmp_path: Path) -> None:
    """Numbered pages of a list that has changed may miss a token; their versions then differ."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), ManualClock(NOW)) as authority:
        _fill(authority, 40)
        first = authority.page("alice", Listing(limit=20))
        authority.revoke("alice", 1)
        second = authority.page("alice", Listing(limit=20, offset=20))
        assert (first.tokens[-1].id, second.tokens[0].id) == (20, 22)
        assert first.version != second.version


@pytest.mark.slow
def test_paging_through_while_others_change(tmp_path: Path) -> None:
    """Pages of one version show each token exactly once, however many others come and go; else the versions tell."""
    clock = ManualClock(NOW)
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as authority:
        _fill(authority, _MANY)
        passing = range(1, _MANY, _MANY // 200)
        changer = threading.Thread(target=_change, args=(authority, passing))
        changer.start()
        versions = set[str]()
        while len(versions) != 1:
            busy = changer.is_alive()
            versions, seen = _page_through(authority)
            shown_once = len(seen) == len(set(seen))
            missed = set(range(1, _MANY + 1)) - set(passing) - set(seen)
            assert len(versions) > 1 or (shown_once and not missed)
            assert busy or len(versions) == 1
        changer.join()
        assert _page_through(authority)[1] == [t.id for t in authority.list("alice")]


def _fill(authority: Authority, count: int) -> None:
    authority.issue_many("alice", [Wanted()] * count)


def _change(authority: Authority, passing: range) -> None:
    for token_id in passing:
        authority.revoke("alice", token_id)
        authority.issue("alice")


def _page_through(authority: Authority) -> tuple[set[str], list[int]]:
    versions = set[str]()
    seen = list[int]()
    page = authority.page("alice", Listing(limit=_PAGE))
    while page.tokens:
        versions.add(page.version)
        seen += [token.id for token in page.tokens]
        page = authority.page("alice", Listing(limit=_PAGE, offset=len(seen)))
    return versions, seen


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


def test_a_filtered_long_list(tmp_path: Path) -> None:
    """Stretches of it are where they are, in both directions, through a change and an expiry."""
    clock = ManualClock(NOW)
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as authority:
        wanted = [
            Wanted(f"{'Old' if n % 2 else 'new'} {n}", None, NOW + 5 if n % 7 == 0 else None)
            for n in range(2_600)
        ]  # fmt: skip
        authority.issue_many("alice", wanted)
        where = listing.Test(Field.LABEL, Op.CONTAINS, "OLD")
        for step in (lambda: None, lambda: clock.advance(5), lambda: authority.revoke("alice", 2)):  # fmt: skip
            step()
            old = [t for t in authority.list("alice") if t.label.startswith("Old")]
            for descending in (False, True):
                expected = tuple(reversed(old)) if descending else tuple(old)
                for offset in (0, 300, 499, 500, 501, 999, len(old) - 1, len(old)):
                    asked = Listing(where, Field.ID, descending, 120, offset)
                    page = authority.page("alice", asked)
                    assert page.tokens == expected[offset : offset + 120]
                    assert page.results == len(old)


def test_a_filter_is_applied_once(tmp_path: Path) -> None:
    """Reading a filtered list to its end looks at each of its rows a few times, however many pages it has."""
    store = SqliteStore(tmp_path / "tokens.db")
    with Authority(store, ManualClock(NOW)) as authority:
        authority.issue_many("alice", [Wanted("old")] * 5_000)
        seen = list[object]()

        def counted(*values: object) -> bool:
            seen.append(values)
            return True

        store._reads().connection.create_scalar_function("contains_folded", counted, 2)
        where = listing.Test(Field.LABEL, Op.CONTAINS, "o")
        for offset in range(0, 5_000, 100):
            authority.page("alice", Listing(where, limit=100, offset=offset))
        assert len(seen) < 8 * 5_000
