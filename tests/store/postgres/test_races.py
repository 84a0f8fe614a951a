"""What must never come of two processes that change the same at the same time."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Granted, Issued, Role
from patql.authority.ports import Transaction
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.store.postgres import PostgresStore

NOW = 1_800_000_000
_ROUNDS = 12


@pytest.fixture
def two(
    authority: Authority, opened: Callable[[], PostgresStore], clock: ManualClock
) -> tuple[Authority, Authority]:
    """Two processes' authorities over one database."""
    authority.add_user("root", role=Role.ADMIN)
    return authority, Authority(opened(), clock)


def _granted(authority: Authority, issued: Issued) -> Granted:
    verdict = authority.verify(issued.secret)
    assert isinstance(verdict, Granted)
    return verdict


def _at_once(*works: Callable[[], object]) -> list[object]:
    """What each gave or raised, begun at the same moment, give or take a little."""
    outcomes: list[object] = [None] * len(works)
    together = threading.Barrier(len(works))

    def run(place: int) -> None:
        together.wait()
        time.sleep(random.random() * 0.004)
        try:
            outcomes[place] = works[place]()
        except PatqlError as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


@pytest.mark.slow
def test_no_child_outlives_a_cascade(two: tuple[Authority, Authority]) -> None:
    """A token that is made with one that is being revoked, with all its descendants, is revoked too, or never was."""
    one, other = two
    for _ in range(_ROUNDS):
        parent = one.issue("alice")
        acting = _granted(one, parent)
        middle = _granted(one, one.issue("alice", acting=acting))
        outcomes = _at_once(
            lambda: other.issue("alice", acting=middle),  # noqa: B023
            lambda: one.revoke("alice", parent.token.id, cascade=True),  # noqa: B023
            lambda: other.issue_many("alice", [Wanted()] * 3, acting=acting),  # noqa: B023
        )
        assert outcomes[1] is True
        for outcome in (outcomes[0], outcomes[2]):
            refused = isinstance(outcome, InvalidRequestError)
            assert refused or isinstance(outcome, Issued | tuple)
        assert one.list("alice") == ()
    assert one.admin.examine().faults == ()


@pytest.mark.slow
@pytest.mark.parametrize("removed", [False, True])
def test_no_token_outlives_a_suspension(
    two: tuple[Authority, Authority], removed: bool
) -> None:
    """A token that is made while its user is suspended or removed is disabled with the others, or never was."""
    one, other = two
    for number in range(_ROUNDS):
        name = f"user-{number}"
        acting = _granted(one, one.issue(name))
        end = (
            (lambda: one.admin.remove(name))  # noqa: B023
            if removed
            else (lambda: one.admin.change(name, suspended=True))  # noqa: B023
        )
        outcomes = _at_once(
            end,
            lambda: other.issue(name),  # noqa: B023
            lambda: other.issue(name, acting=acting),  # noqa: B023
        )
        assert not isinstance(outcomes[0], PatqlError)
        for outcome in outcomes[1:]:
            if isinstance(outcome, Issued):
                assert not one.verify(outcome.secret)
                assert not other.verify(outcome.secret)
            else:
                assert isinstance(outcome, InvalidRequestError)
        assert one.list(name) == ()


@pytest.mark.slow
def test_an_admin_stays(two: tuple[Authority, Authority]) -> None:
    """Two admins who remove each other at the same moment: one stays."""
    one, other = two
    for number in range(3):
        name = f"admin-{number}"
        one.add_user(name, role=Role.ADMIN)
        left = "root" if number == 0 else f"again-{number - 1}"
        outcomes = _at_once(
            lambda: one.admin.remove(left),  # noqa: B023
            lambda: other.admin.remove(name),  # noqa: B023
        )
        refused = [o for o in outcomes if isinstance(o, InvalidRequestError)]
        assert len(refused) == 1
        assert "only active admin" in refused[0].message
        survivor = name if one.user(left) == outcomes[0] else left
        one.add_user(f"again-{number}", role=Role.ADMIN)
        with suppress(InvalidRequestError):
            one.admin.remove(survivor)
        with suppress(InvalidRequestError):
            one.admin.remove(left)


@pytest.mark.slow
def test_an_authority_is_founded_once(
    opened: Callable[[], PostgresStore], clock: ManualClock
) -> None:
    """However many processes ask at once, one of them gets the first user's token."""
    authorities = [Authority(opened(), clock) for _ in range(4)]
    outcomes = _at_once(
        *(lambda a=a, n=n: a.found(f"u{n}") for n, a in enumerate(authorities))
    )
    (issued,) = [one for one in outcomes if one is not None]
    assert isinstance(issued, Issued)
    assert authorities[0].verify(issued.secret)
    assert authorities[0].admin.users().results == 1


@pytest.mark.slow
def test_a_new_user_is_made_once(two: tuple[Authority, Authority]) -> None:
    """Tokens for a user whom two processes make at once are of one user."""
    for number in range(_ROUNDS):
        name = f"new-{number}"
        outcomes = _at_once(
            *(lambda a=a: a.issue(name) for a in two for _ in range(2))  # noqa: B023
        )
        assert [type(one) for one in outcomes] == [Issued] * 4
        uids = {
            _granted(two[0], one).uid for one in outcomes if isinstance(one, Issued)
        }
        assert len(uids) == 1
        assert len(two[0].list(name)) == 4


@pytest.mark.slow
def test_a_name_is_given_once(two: tuple[Authority, Authority]) -> None:
    """Of two who make the same user at once, one is told that there is one."""
    outcomes = _at_once(*(lambda a=a: a.add_user("twice") for a in two))
    refused = [one for one in outcomes if isinstance(one, InvalidRequestError)]
    assert [one.code for one in refused] == [Code.INVALID]


@pytest.mark.slow
def test_many_processes_share_one_database(
    opened: Callable[[], PostgresStore], clock: ManualClock
) -> None:
    """All that four of them issue, rename and revoke is there, and their chains are whole."""
    authorities = [Authority(opened(), clock) for _ in range(4)]
    authorities[0].add_user("root", role=Role.ADMIN)
    kept = list[int]()

    def work(authority: Authority, user: str) -> None:
        for _ in range(6):
            first, second = authority.issue_many(user, [Wanted(), Wanted()])
            assert authority.rename(user, first.token.id, "renamed")
            assert authority.revoke(user, second.token.id)
            kept.append(first.token.id)

    outcomes = _at_once(
        *(lambda a=a, n=n: work(a, f"u{n % 2}") for a in authorities for n in range(3))
    )
    assert outcomes == [None] * 12
    listed = [t.id for n in range(2) for t in authorities[0].list(f"u{n}")]
    assert sorted(listed) == sorted(kept)
    report = authorities[0].admin.examine()
    assert (report.faults, report.lines) == ((), 12 * 6 * 4 + 3)


def test_what_was_looked_at_stays(two: tuple[Authority, Authority]) -> None:
    """From a look inside a transaction until its end, another process's change of the same waits."""
    one, other = two
    token = one.issue("alice")
    looks: list[Callable[[Transaction], object]] = [
        lambda at: at.entries([token.token.id]),
        lambda at: at.is_active(token.token.id, NOW),
    ]
    for look in looks:
        done = threading.Event()

        def revoke(done: threading.Event = done, token: Issued = token) -> None:
            other.revoke("alice", token.token.id)
            done.set()

        thread = threading.Thread(target=revoke)

        def change(
            at: Transaction,
            look: Callable[[Transaction], object] = look,
            thread: threading.Thread = thread,
            done: threading.Event = done,
        ) -> None:
            before = look(at)
            thread.start()
            assert not done.wait(0.1)
            assert look(at) == before

        one._store.write(change)
        thread.join(10)
        assert done.is_set()
        token = one.issue("alice")


def test_who_was_not_there_is_not(two: tuple[Authority, Authority]) -> None:
    """A user whom another process adds between two looks isn't seen, and adding them fails: the change runs again."""
    one, other = two
    seen = list[bool]()

    def change(at: Transaction) -> int:
        if not seen:
            assert at.user("alice") is None
            other.add_user("alice")
        there = at.user("alice")
        seen.append(there is not None)
        made = there or at.add_user("alice", "", Role.USER, restricted=False, at=NOW)
        return made.uid

    uid = one._store.write(change)
    assert seen == [False, True]
    assert getattr(one.user("alice"), "uid", None) == uid
