"""Several changes as one transaction, whose end is what makes them true."""

import threading
from contextlib import suppress

import pytest

from patql.authority import users
from patql.authority.authority import Authority
from patql.authority.model import Role
from patql.authority.ports import TokenStore, Transaction, UndoneError
from patql.kernel.clock import ManualClock
from patql.kernel.errors import InvalidRequestError

NOW = 1_800_000_000


class OtherError(Exception):
    """Something that goes wrong between two changes."""


def test_all_at_the_end(authority: Authority) -> None:
    """Inside, nothing is there for others yet; afterwards all of it is, in one chain."""
    seen = list[int]()

    def look() -> None:
        seen.append(len(authority.list("alice")))

    with authority.together():
        secrets = [authority.issue("alice").secret for _ in range(3)]
        other = threading.Thread(target=look)
        other.start()
        other.join()
    look()
    assert seen == [0, 3]
    assert all(authority.verify(secret) for secret in secrets)
    assert authority.admin.examine().faults == ()


def test_one_that_fails(authority: Authority) -> None:
    """A change that raises is undone alone; those before and after it stay."""
    with authority.together():
        authority.issue("alice")
        with pytest.raises(InvalidRequestError, match=r"ids\[1\]: Not found"):
            authority.revoke_many("alice", [1, 99])
        authority.issue("alice")
    assert [token.id for token in authority.list("alice")] == [1, 2]
    report = authority.admin.examine()
    assert (report.lines, report.faults) == (3, ())


def test_one_that_fails_midway(store: TokenStore) -> None:
    """A change that raises after it has written leaves nothing behind, and all others are made, here or by themselves."""

    def fail(at: Transaction) -> None:
        users.add(at, "never", role=Role.USER, now=NOW)
        raise OtherError

    def add(name: str) -> None:
        store.write(lambda at: users.add(at, name, role=Role.USER, now=NOW))

    def work() -> None:
        add("alice")
        with pytest.raises((OtherError, UndoneError)):
            store.write(fail)
        with suppress(UndoneError):
            add("bob")

    try:
        with store.together():
            work()
    except UndoneError:
        assert store.is_empty()
        work()
    assert [user.username for user in store.users(0, 9).rows] == ["alice", "bob"]
    report = Authority(store, ManualClock(NOW)).admin.examine()
    assert (report.lines, len(report.heads), report.faults) == (2, 1, ())


def test_nothing_of_a_block_that_raises(authority: Authority) -> None:
    """It is as if nothing had been, and the next change is made as ever."""

    def work() -> None:
        with authority.together():
            authority.issue("alice")
            raise OtherError

    with pytest.raises(OtherError):
        work()
    assert authority.is_empty()
    assert authority.issue("alice").token.id >= 1
    assert authority.admin.examine().faults == ()


def test_nothing_in_a_block(authority: Authority, store: TokenStore) -> None:
    """A block without changes, or that only reads, takes nothing."""
    with authority.together():
        pass
    with authority.together():
        assert authority.list("alice") == ()
    assert store.is_empty()


def test_blocks_take_turns(authority: Authority) -> None:
    """Several threads, each with blocks of its own and changes outside of them, lose nothing."""

    def work(name: str) -> None:
        for _ in range(5):
            with authority.together():
                authority.issue(name)
                authority.issue(name)
            authority.issue(name)

    threads = [threading.Thread(target=work, args=(f"u{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(authority.list(f"u{n}")) for n in range(4)] == [15] * 4
    assert authority.admin.examine().faults == ()
