"""Users come, are suspended, come back and go, and their tokens with them."""

from collections.abc import Callable

import pytest

from patql.authority.authority import Authority
from patql.authority.model import (
    Denied,
    Granted,
    Reason,
    Role,
    TokenState,
    UserState,
)
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.kernel.secrets import Secret

NOW = 1_800_000_000


def granted(authority: Authority, secret: Secret) -> Granted:
    """The verdict on a good token."""
    verdict = authority.verify(secret)
    assert isinstance(verdict, Granted)
    return verdict


@pytest.fixture
def bob(authority: Authority) -> Secret:
    """A token of bob's; alice is the admin."""
    authority.found("alice")
    return authority.issue("bob").secret


def test_a_suspended_users_tokens_are_refused_until_they_are_back(
    authority: Authority, clock: ManualClock, bob: Secret
) -> None:
    """Each token of theirs is refused at once, none is listed, and all that were good are good again afterwards."""
    revoked, expiring = authority.issue("bob"), authority.issue("bob", expiry=NOW + 10)
    authority.revoke("bob", revoked.token.id)
    clock.advance(5)
    suspended = authority.admin.change("bob", suspended=True)
    assert suspended is not None
    assert (suspended.state, suspended.suspended_at) == (UserState.SUSPENDED, NOW + 5)
    assert authority.user("bob") == suspended
    assert authority.verify(bob) == Denied(Reason.REVOKED)
    assert authority.list("bob") == ()
    states = [e.state(clock.now()) for e in authority.admin.tokens("bob").rows]
    assert states == [TokenState.SUSPENDED, TokenState.REVOKED, TokenState.SUSPENDED]
    clock.advance(5)
    back = authority.admin.change("bob", suspended=False)
    assert back is not None
    assert back.state is UserState.ACTIVE
    assert authority.verify(bob)
    assert authority.verify(revoked.secret) == Denied(Reason.REVOKED)
    assert authority.verify(expiring.secret) == Denied(Reason.EXPIRED)
    actions = [event.action for event in authority.events("bob")][-2:]
    assert actions == ["user_suspend", "user_resume"]


def test_suspending_twice_is_once(authority: Authority, bob: Secret) -> None:
    """What is so already is no change, and no line of the audit."""
    assert authority.verify(bob)
    first = authority.admin.change("bob", suspended=True)
    lines = authority.events()
    assert authority.admin.change("bob", suspended=True) == first
    assert authority.events() == lines


def test_a_removed_user_is_gone_for_good(authority: Authority, bob: Secret) -> None:
    """Tokens are refused, the name isn't given again, nothing brings the user back, and the audit still knows."""
    removed = authority.admin.remove("bob")
    assert removed is not None
    assert removed.state is UserState.REMOVED
    assert authority.verify(bob) == Denied(Reason.REVOKED)
    assert authority.admin.change("bob", suspended=False) is None
    assert authority.admin.remove("bob") is None
    with pytest.raises(InvalidRequestError, match="names aren't used again"):
        authority.add_user("bob")
    with pytest.raises(InvalidRequestError, match="is removed"):
        authority.issue("bob")
    with pytest.raises(InvalidRequestError, match="is removed"):
        authority.recover("bob")
    assert [event.action for event in authority.events("bob")] == [
        "user_create",
        "token_create",
        "user_remove",
    ]


def test_a_suspended_user_gets_no_token(authority: Authority, bob: Secret) -> None:
    """Not by the trusted call, and not by a product that vouches for them."""
    verdict = granted(authority, bob)
    vouched = Granted("bob", verdict.uid, None, "*", None)
    assert authority.issue("bob", acting=vouched).token.scopes == "*"
    authority.admin.change("bob", suspended=True)
    with pytest.raises(InvalidRequestError, match="is suspended"):
        authority.issue("bob")
    with pytest.raises(InvalidRequestError, match="Invalid Token") as refused:
        authority.issue("bob", acting=vouched)
    assert refused.value.code is Code.INVALID_TOKEN


def test_a_change_of_role_and_email(authority: Authority, bob: Secret) -> None:
    """What is given changes, the rest stays; the audit says the role and that, not what, the email became."""
    assert authority.verify(bob)
    changed = authority.admin.change("bob", role=Role.VERIFIER, email="b@example.com")
    assert changed == authority.user("bob")
    assert changed is not None
    assert (changed.role, changed.email) == (Role.VERIFIER, "b@example.com")
    event = authority.events("bob")[-1]
    assert (event.action, event.actor) == ("user_update", None)
    assert event.detail == '{"role":"verifier","email_changed":true}'
    assert authority.admin.change("nobody", role=Role.ADMIN) is None


def test_the_last_admin_stays(authority: Authority, bob: Secret) -> None:
    """Nobody can be the last to turn the light off; with another admin there, anyone can go."""
    assert authority.verify(bob)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: authority.admin.change("alice", suspended=True),
        lambda: authority.admin.change("alice", role=Role.USER),
        lambda: authority.admin.remove("alice"),
    )
    for attempt in attempts:
        with pytest.raises(InvalidRequestError, match="only active admin"):
            attempt()
    authority.add_user("carol", role=Role.ADMIN)
    authority.admin.change("carol", suspended=True)
    for attempt in attempts:
        with pytest.raises(InvalidRequestError, match="only active admin"):
            attempt()
    authority.admin.change("carol", suspended=False)
    assert authority.admin.remove("alice") is not None
    assert authority.recover().token.id == 3
    assert authority.events()[-1].user == "carol"


def test_only_an_admin_administers(authority: Authority, bob: Secret) -> None:
    """A token with every scope whose user isn't an admin is refused, and changes nothing."""
    acting = granted(authority, bob)
    before = authority.events()
    for attempt in (
        lambda: authority.admin.add("eve", acting=acting),
        lambda: authority.admin.change("alice", suspended=True, acting=acting),
        lambda: authority.admin.remove("alice", acting=acting),
        lambda: authority.admin.revoke([1], acting=acting),
    ):
        with pytest.raises(PatqlError, match="role admin") as refused:
            attempt()
        assert refused.value.code is Code.FORBIDDEN
    assert authority.events() == before
    authority.admin.change("bob", role=Role.ADMIN)
    assert authority.admin.revoke([1, 99], acting=acting) == (1,)
    assert authority.events()[-1].actor == "bob"


def test_an_admin_revokes_suspended_tokens_too(
    authority: Authority, bob: Secret
) -> None:
    """So that a token doesn't come back with its user."""
    authority.admin.change("bob", suspended=True)
    assert authority.admin.revoke([2, 2]) == (2,)
    assert authority.admin.revoke([2]) == ()
    authority.admin.change("bob", suspended=False)
    assert authority.verify(bob) == Denied(Reason.REVOKED)


def test_revoked_by_possession(authority: Authority, bob: Secret) -> None:
    """Who has a token may revoke it, a suspended one too; whatever isn't a good token changes nothing."""
    wrong = Secret(bob.reveal()[:-1] + ("0" if bob.reveal()[-1] != "0" else "1"))
    assert authority.revoke_presented(wrong) is False
    assert authority.revoke_presented("no token") is False
    assert authority.verify(bob)
    authority.admin.change("bob", suspended=True)
    assert authority.revoke_presented(bob) is True
    assert authority.revoke_presented(bob) is False
    authority.admin.change("bob", suspended=False)
    assert authority.verify(bob) == Denied(Reason.REVOKED)
    event = authority.events()[-2]
    assert (event.action, event.user, event.actor) == ("token_delete", "bob", None)


def test_lists_in_stretches(authority: Authority, clock: ManualClock) -> None:
    """Users by uid, tokens by id, events from the newest on, of all or of one user, with their number and version."""
    for name in ("ann", "ben", "cleo"):
        authority.issue(name)
        authority.issue(name, expiry=NOW + 5)
    clock.advance(10)
    authority.revoke("ben", 3)
    users = authority.admin.users(1, 1)
    assert ([u.username for u in users.rows], users.results) == (["ben"], 3)
    tokens = authority.admin.tokens(None, 2, 3)
    assert ([e.token.id for e in tokens.rows], tokens.results) == ([3, 4, 5], 6)
    mine = authority.admin.tokens("cleo", 1, 5)
    assert ([e.token.id for e in mine.rows], mine.results) == ([6], 2)
    assert [e.state(clock.now()) for e in tokens.rows] == [
        TokenState.REVOKED,
        TokenState.EXPIRED,
        TokenState.ACTIVE,
    ]
    events = authority.admin.events(None, 1, 2)
    everything = authority.events()
    assert events.rows == (everything[-2], everything[-3])
    assert events.results == len(everything) == 10
    hers = authority.admin.events("ben", 0, 1)
    assert ([e.action for e in hers.rows], hers.results) == (["token_delete"], 4)
    assert authority.admin.event(everything[3].id) == everything[3]
    assert authority.admin.event(10**30) is None
    assert authority.admin.token(3) == tokens.rows[0]
    assert authority.admin.token(10**30) is None
    for empty in (authority.admin.tokens("nobody"), authority.admin.events("nobody")):
        assert (empty.rows, empty.results) == ((), 0)
    past = authority.admin.tokens(None, 100, 3)
    assert (past.rows, past.results) == ((), 6)


def test_a_lists_version_changes_with_any_change(authority: Authority) -> None:
    """Two stretches of one version show the same list."""
    authority.issue("ann")
    lists = (authority.admin.users, authority.admin.tokens, authority.admin.events)
    for change in (
        lambda: authority.issue("ann"),
        lambda: authority.rename("ann", 1, "x"),
        lambda: authority.revoke("ann", 1),
        lambda: authority.add_user("ben"),
        lambda: authority.admin.change("ben", suspended=True),
    ):
        before = [read().version for read in lists]
        assert before == [read().version for read in lists]
        change()
        after = [read().version for read in lists]
        assert all(b != a for b, a in zip(before, after, strict=True))
