"""What every store must do, seen through the authority that it serves."""

import threading
from collections.abc import Mapping

import msgspec
import pytest

from patql.authority import listing, users
from patql.authority.authority import Authority
from patql.authority.listing import Field, Listing, Op
from patql.authority.model import Denied, Event, Granted, Issued, Reason, Role
from patql.authority.ports import TokenStore, Transaction
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError

NOW = 1_800_000_000


def _granted(authority: Authority, issued: Issued) -> Granted:
    verdict = authority.verify(issued.secret)
    assert isinstance(verdict, Granted)
    return verdict


def test_empty(authority: Authority) -> None:
    """A new store holds nothing, and asking it makes nothing."""
    assert authority.is_empty()
    assert authority.user("alice") is None
    assert authority.list("alice") == ()
    assert authority.get("alice", 1) is None
    assert authority.rename("alice", 1, "x") is None
    assert authority.revoke("alice", 1) is False
    assert authority.events() == ()
    page = authority.page("alice", Listing())
    assert (page.tokens, page.results) == ((), 0)
    assert authority.is_empty()


def test_an_authority_is_founded_once(authority: Authority) -> None:
    """However many ask at once, there is one first user, with one token for everything, and the others get none."""
    founded = list[Issued | None]()
    together = threading.Barrier(16)

    def work(name: str) -> None:
        together.wait()
        founded.append(authority.found(name))

    threads = [threading.Thread(target=work, args=(f"u{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (issued,) = filter(None, founded)
    assert len(founded) == 16
    assert [e.action for e in authority.events()] == ["user_create", "token_create"]
    granted = _granted(authority, issued)
    assert (granted.token_id, granted.scopes, granted.expiry) == (1, "*", None)
    assert (issued.token.label, issued.note) == ("root", None)
    assert getattr(authority.user(granted.user), "role", None) is Role.ADMIN


def test_who_has_users_is_not_founded(authority: Authority) -> None:
    """Where there is a user, even one without tokens, nothing is made."""
    authority.add_user("alice")
    assert authority.found("bob") is None
    assert authority.found("alice") is None
    assert authority.user("bob") is None
    assert authority.list("alice") == ()
    with pytest.raises(InvalidRequestError, match="username: Must not be empty"):
        authority.found("")


def test_the_life_of_a_token(authority: Authority) -> None:
    """Issued, listed, found, renamed, verified, revoked, gone."""
    issued = authority.issue("alice", label="ci", scopes="linodes:read_only")
    token = issued.token
    assert (token.id, token.label, token.created, token.expiry) == (1, "ci", NOW, None)
    assert token.shown == issued.secret.reveal()[:16]
    assert authority.list("alice") == (token,)
    assert authority.get("alice", 1) == token
    renamed = authority.rename("alice", 1, "ci-2")
    assert renamed == msgspec.structs.replace(token, label="ci-2")
    assert authority.list("alice") == (renamed,)
    assert _granted(authority, issued) == Granted(
        "alice", 1, 1, "linodes:read_only", None, token.shown
    )
    assert authority.revoke("alice", 1) is True
    assert authority.verify(issued.secret) == Denied(Reason.REVOKED)
    assert authority.list("alice") == ()
    assert authority.get("alice", 1) is None
    assert authority.rename("alice", 1, "x") is None
    assert authority.revoke("alice", 1) is False


def test_expired_tokens_are_gone(authority: Authority, clock: ManualClock) -> None:
    """An expired token is in no list, lookup, rename or revoke, from the second of its expiry on."""
    token = authority.issue("alice", expiry=NOW + 10).token
    clock.advance(9.9)
    assert authority.list("alice") == (token,)
    clock.advance(0.1)
    assert authority.list("alice") == ()
    assert authority.page("alice", Listing()).results == 0
    assert authority.get("alice", token.id) is None
    assert authority.rename("alice", token.id, "x") is None
    assert authority.revoke("alice", token.id) is False
    assert [e.action for e in authority.events()] == ["user_create", "token_create"]


def test_nobody_reaches_another_users_tokens(authority: Authority) -> None:
    """Another user's token is as absent as one that never was."""
    theirs = authority.issue("alice")
    authority.issue("bob")
    assert authority.get("bob", theirs.token.id) is None
    assert authority.rename("bob", theirs.token.id, "x") is None
    assert authority.revoke("bob", theirs.token.id) is False
    assert [token.id for token in authority.list("bob")] == [2]
    assert authority.verify(theirs.secret)
    assert authority.list("alice") == (theirs.token,)


def test_ids_are_never_reused(authority: Authority, clock: ManualClock) -> None:
    """Ids ascend across users, revocations, expiries and refused requests."""
    ids = list[int]()
    for user in ("alice", "bob", "alice"):
        ids.append(authority.issue(user, expiry=NOW + 1).token.id)
        authority.revoke(user, ids[-1])
        with pytest.raises(InvalidRequestError):
            authority.issue(user, label="")
    clock.advance(5)
    ids.append(authority.issue("bob").token.id)
    assert ids == [1, 2, 3, 4]


@pytest.mark.parametrize("token_id", [0, -1, 2**63, 2**64, -(2**63) - 1])
def test_impossible_ids(authority: Authority, token_id: int) -> None:
    """Any integer can be asked for."""
    authority.issue("alice")
    assert authority.get("alice", token_id) is None
    assert authority.rename("alice", token_id, "x") is None
    assert authority.revoke("alice", token_id) is False


@pytest.mark.parametrize("user", ["ALICE", "alice ", "", "%", "alice\0"])
def test_names_are_exact(authority: Authority, user: str) -> None:
    """Only a user's very name is that user; any text can be asked for."""
    authority.issue("alice")
    assert authority.user(user) is None
    assert authority.list(user) == ()
    assert authority.get(user, 1) is None
    assert authority.events(user) == ()


def test_half_a_surrogate_pair(authority: Authority) -> None:
    """Text that can't be written as UTF-8 is a clean problem wherever it comes from."""
    where = listing.Test(Field.LABEL, Op.EQ, "\ud800")
    authority.issue("alice")
    for ask in (
        lambda: authority.user("\ud800"),
        lambda: authority.list("\ud800"),
        lambda: authority.page("\ud800", Listing()),
        lambda: authority.page("alice", Listing(where=where)),
    ):
        with pytest.raises(InvalidRequestError, match="Must be valid Unicode"):
            ask()
    assert len(authority.list("alice")) == 1


def test_an_omitted_label_names_the_id(authority: Authority) -> None:
    """A token without a label is called by its id."""
    labels = [authority.issue("alice").token.label for _ in range(2)]
    assert labels == ["token-1", "token-2"]


def test_a_token_that_was_revoked_meanwhile_does_nothing(
    authority: Authority, clock: ManualClock
) -> None:
    """The acting token is checked again inside the change's transaction."""
    target = authority.issue("alice").token.id
    revoked = _granted(authority, authority.issue("alice"))
    expiring = _granted(authority, authority.issue("alice", expiry=NOW + 10))
    authority.revoke("alice", revoked.token_id or 0)
    clock.advance(10)
    before = authority.list("alice"), authority.events()
    for acting in (revoked, expiring):
        for attempt in (
            lambda: authority.issue("alice", acting=acting),  # noqa: B023
            lambda: authority.rename("alice", target, "x", acting=acting),  # noqa: B023
            lambda: authority.revoke("alice", target, acting=acting),  # noqa: B023
        ):
            with pytest.raises(InvalidRequestError, match="Invalid Token") as refused:
                attempt()
            assert refused.value.code is Code.INVALID_TOKEN
    assert (authority.list("alice"), authority.events()) == before


def test_a_token_may_revoke_itself(authority: Authority) -> None:
    """Its own revocation is the last thing that a token can do."""
    issued = authority.issue("alice")
    acting = _granted(authority, issued)
    assert authority.revoke("alice", acting.token_id or 0, acting=acting) is True
    assert authority.verify(issued.secret) == Denied(Reason.REVOKED)
    with pytest.raises(InvalidRequestError, match="Invalid Token"):
        authority.revoke("alice", acting.token_id or 0, acting=acting)


def test_children_outlive_their_parent(authority: Authority) -> None:
    """Revoking a token leaves the tokens that it created alone."""
    parent = authority.issue("alice")
    child = authority.issue("alice", acting=_granted(authority, parent))
    authority.revoke("alice", parent.token.id)
    assert authority.verify(child.secret)


def test_audit(authority: Authority, clock: ManualClock) -> None:
    """Every change leaves a line: who, with which token, about which token, when, what."""
    acting = _granted(authority, authority.issue("alice"))
    clock.advance(1)
    child = authority.issue("alice", label="ci", acting=acting).token.id
    authority.rename("alice", child, "ci-2", acting=acting)
    authority.revoke("alice", child)
    authority.add_user("bob")
    by_alice = {"actor": "alice", "actor_token": 1}
    by_trusted = {"actor": None, "actor_token": None}
    expected = [
        (NOW, "user_create", "alice", None, by_trusted),
        (NOW, "token_create", "alice", 1, by_trusted),
        (NOW + 1, "token_create", "alice", 2, by_alice),
        (NOW + 1, "token_update", "alice", 2, by_alice),
        (NOW + 1, "token_delete", "alice", 2, by_trusted),
        (NOW + 1, "user_create", "bob", None, by_trusted),
    ]
    events = authority.events()
    assert [_told(event) for event in events] == expected
    assert [event.id for event in events] == sorted({event.id for event in events})
    update = msgspec.json.decode(events[3].detail)
    assert update == {"label": "ci-2", "was": "ci"}


def _told(event: Event) -> tuple[int, str, str, int | None, Mapping[str, object]]:
    actor = {"actor": event.actor, "actor_token": event.actor_token}
    return event.at, event.action, event.user, event.token_id, actor


def test_audit_in_stretches(authority: Authority) -> None:
    """The audit can be read from a line on, about one user or all."""
    for user in ("alice", "bob", "alice"):
        authority.issue(user)
    everything = authority.events()
    assert len(everything) == 5
    assert authority.events(limit=2) == everything[:2]
    assert authority.events(after=everything[1].id, limit=2) == everything[2:4]
    assert authority.events("bob") == tuple(e for e in everything if e.user == "bob")
    assert authority.events("nobody") == ()


def test_a_failed_change_leaves_nothing(store: TokenStore, clock: ManualClock) -> None:
    """Where a change raises, all of it is undone, its audit lines too, and the exception comes out as it is."""

    def change(at: Transaction) -> None:
        users.add(at, "alice", role=Role.USER, now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(change)
    assert store.is_empty()
    assert store.events(None, 0, 10) == ()
    assert Authority(store, clock).issue("alice").token.id == 1


def test_the_version_tells_snapshots_apart(
    authority: Authority, clock: ManualClock
) -> None:
    """A page's version changes with every change of the user's tokens, and with nothing else."""

    def version() -> str:
        return authority.page("alice", Listing(limit=1)).version

    seen = [version()]
    steps = (
        lambda: authority.issue("alice"),
        lambda: authority.issue("alice", expiry=NOW + 5),
        lambda: authority.rename("alice", 1, "x"),
        lambda: clock.advance(5),
        lambda: authority.revoke("alice", 1),
    )
    for step in steps:
        step()
        seen.append(version())
    assert len(set(seen)) == len(seen)
    authority.issue("bob")
    assert version() == seen[-1]


def test_threads_issue_together(authority: Authority) -> None:
    """Sixteen threads issue at once: every token is there, with an id and a secret of its own."""
    issued = list[Issued]()

    def work(name: str) -> None:
        issued.extend(authority.issue(name) for _ in range(10))

    threads = [threading.Thread(target=work, args=(f"u{i % 4}",)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(i.token.id for i in issued) == list(range(1, 161))
    assert all(authority.verify(i.secret) for i in issued)
    assert sum(len(authority.list(f"u{i}")) for i in range(4)) == 160
