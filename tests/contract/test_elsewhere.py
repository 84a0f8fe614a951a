"""What another process has changed counts in the next change of this one, whatever this one has seen before."""

from collections.abc import Callable, Iterator

import pytest

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Denied, Granted, Issued, Reason, Role
from patql.authority.ports import TokenStore
from patql.authority.replay import Replay
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.kernel.secrets import Secret


@pytest.fixture
def here(authority: Authority) -> Authority:
    """This process's authority; root is the admin, and bob has the token 2."""
    authority.found("root")
    authority.issue("bob")
    return authority


@pytest.fixture
def there(
    here: Authority, reopened: Callable[[], TokenStore], clock: ManualClock
) -> Iterator[Authority]:
    """Another process's authority over the same database."""
    del here  # made before it
    with Authority(reopened(), clock) as authority:
        yield authority


def granted(authority: Authority, issued: Issued) -> Granted:
    """The verdict on a good token."""
    verdict = authority.verify(issued.secret)
    assert isinstance(verdict, Granted)
    return verdict


@pytest.mark.parametrize("removed", [False, True])
def test_a_user_who_is_suspended_there(
    here: Authority, there: Authority, *, removed: bool
) -> None:
    """Gets no token here, neither from the product nor by a token, and all that they had are refused."""
    issued = here.issue("bob")
    acting = granted(here, issued)
    here.issue("bob", acting=acting)
    if removed:
        there.admin.remove("bob")
    else:
        there.admin.change("bob", suspended=True)
    with pytest.raises(InvalidRequestError, match=r"is (suspended|removed)"):
        here.issue("bob")
    with pytest.raises(InvalidRequestError, match="Invalid Token"):
        here.issue("bob", acting=acting)
    assert here.verify(issued.secret) == Denied(Reason.REVOKED)
    assert here.list("bob") == ()
    if not removed:
        there.admin.change("bob", suspended=False)
        assert here.verify(here.issue("bob", acting=acting).secret)


def test_a_token_that_is_revoked_there(here: Authority, there: Authority) -> None:
    """Makes, renames and revokes nothing here, though it has just done so."""
    acting = granted(here, here.issue("bob"))
    assert here.rename("bob", 2, "x", acting=acting)
    child = here.issue("bob", acting=acting)
    there.revoke("bob", acting.token_id or 0, cascade=True)
    attempts: list[Callable[[], object]] = [
        lambda: here.issue("bob", acting=acting),
        lambda: here.rename("bob", 2, "y", acting=acting),
        lambda: here.revoke("bob", 2, acting=acting),
        lambda: here.revoke_many("bob", [2], acting=acting),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidRequestError, match="Invalid Token"):
            attempt()
    assert not here.verify(child.secret)
    assert [token.label for token in here.list("bob")] == ["x"]


def test_an_admin_who_is_none_there(here: Authority, there: Authority) -> None:
    """Administers nothing here."""
    here.add_user("eve", role=Role.ADMIN)
    acting = granted(here, here.issue("eve"))
    here.admin.change("bob", email="b@example.org", acting=acting)
    there.admin.change("eve", role=Role.USER)
    with pytest.raises(PatqlError, match="role admin") as refused:
        here.admin.change("bob", suspended=True, acting=acting)
    assert refused.value.code is Code.FORBIDDEN
    with pytest.raises(InvalidRequestError, match="only active admin"):
        here.admin.remove("root")


def test_ids_go_on_from_there(here: Authority, there: Authority) -> None:
    """Neither process gives an id that the other has given, nor a name."""
    ids = [
        each.issue("bob").token.id
        for each in (here, there, there, here, there, here, here)
    ]
    assert ids == sorted(set(ids))
    there.add_user("new")
    with pytest.raises(InvalidRequestError, match="Already exists"):
        here.add_user("new")
    events = [event.id for event in here.events()]
    assert events == sorted(set(events))
    assert here.admin.examine().faults == ()


def test_an_answer_that_was_given_there(here: Authority, there: Authority) -> None:
    """Is given here, and nothing is done a second time."""
    replay = Replay(b"k" * 32, Secret("5" * 64), b"r" * 32)
    first = there.issue_many("bob", [Wanted("a"), Wanted("b")], repeat=replay)
    assert here.issue_many("bob", [Wanted("a"), Wanted("b")], repeat=replay) == first
    assert len(here.list("bob")) == 3
