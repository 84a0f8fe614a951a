"""What happened to a user's tokens: their owner sees that, and nothing else of the audit."""

import pytest

from patql.authority import listing
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.listing import All, Any, Condition, Field, Listing, Op
from patql.authority.model import TOKEN_ACTIONS, Event
from patql.kernel.clock import ManualClock
from patql.kernel.errors import InvalidRequestError

NOW = 1_800_000_000

Told = list[tuple[str, int | None, int]]


def told(events: tuple[Event, ...]) -> Told:
    """What was done to which token, and when after NOW."""
    return [(event.action, event.token_id, event.at - NOW) for event in events]


@pytest.fixture
def history(authority: Authority, clock: ManualClock) -> list[Event]:
    """Ann's tokens 1 and 3 in ten seconds, oldest first; Ben's 2 and much else in between."""
    authority.add_user("ann")
    authority.add_user("ben")
    first = authority.issue("ann", label="one").token
    authority.issue("ben")
    clock.advance(5)
    authority.admin.change("ann", email="ann@example.org")
    third = authority.issue("ann").token
    authority.rename("ann", third.id, "three")
    clock.advance(5)
    authority.admin.change("ben", suspended=True)
    authority.revoke("ann", first.id)
    mine = (e for e in authority.events("ann") if e.action in TOKEN_ACTIONS)
    return list(mine)


ALL: Told = [
    ("token_create", 1, 0),
    ("token_create", 3, 5),
    ("token_update", 3, 5),
    ("token_delete", 1, 10),
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, ALL),
        (listing.Test(Field.ACTION, Op.EQ, "token_create"), ALL[:2]),
        (listing.Test(Field.ACTION, Op.NE, "token_create"), ALL[2:]),
        (listing.Test(Field.ACTION, Op.CONTAINS, "UP"), ALL[2:3]),
        (listing.Test(Field.ACTION, Op.EQ, "user_update"), []),
        (listing.Test(Field.TOKEN, Op.EQ, 1), [ALL[0], ALL[3]]),
        (listing.Test(Field.TOKEN, Op.EQ, 2), []),
        (listing.Test(Field.KIND, Op.EQ, "token"), ALL),
        (listing.Test(Field.KIND, Op.EQ, "linode"), []),
        (listing.Test(Field.CREATED, Op.GTE, NOW + 5), ALL[1:]),
        (listing.Test(Field.CREATED, Op.LT, NOW + 5), ALL[:1]),
        (listing.Test(Field.ID, Op.GT, 10**30), []),
        (
            All(
                (
                    listing.Test(Field.TOKEN, Op.EQ, 3),
                    listing.Test(Field.CREATED, Op.EQ, NOW + 5),
                )
            ),
            ALL[1:3],
        ),
        (
            Any(
                (
                    listing.Test(Field.ACTION, Op.EQ, "token_delete"),
                    listing.Test(Field.ID, Op.LT, 5),
                )
            ),
            [ALL[0], ALL[3]],
        ),
    ],
)
def test_which(
    authority: Authority,
    history: list[Event],
    where: Condition | None,
    expected: Told,
) -> None:
    """One's own, of tokens alone, that meet a condition; counted as many as there are, and in the order asked for."""
    assert told(tuple(history)) == ALL
    found = authority.token_events("ann", Listing(where))
    assert (told(found.rows), found.results) == (expected, len(expected))
    back = authority.token_events("ann", Listing(where, descending=True))
    assert told(back.rows) == expected[::-1]
    some = authority.token_events("ann", Listing(where, limit=2, offset=1))
    assert (told(some.rows), some.results) == (expected[1:3], len(expected))


def test_in_which_order(authority: Authority, history: list[Event]) -> None:
    """By id or by instant, ties by id."""
    by_time = Listing(order=Field.CREATED, descending=True)
    found = authority.token_events("ann", by_time)
    assert [e.id for e in found.rows] == [history[n].id for n in (3, 1, 2, 0)]
    assert authority.token_events("nobody", by_time).rows == ()


def test_by_its_id(authority: Authority, history: list[Event]) -> None:
    """An event of one's own tokens; those of others, and other events, are none."""
    for event in history:
        assert authority.token_event("ann", event.id) == event
        assert authority.token_event("ben", event.id) is None
    others = {e.id for e in authority.events()} - {e.id for e in history}
    assert len(others) == 5
    for event_id in (*others, 0, -1, 10**30):
        assert authority.token_event("ann", event_id) is None


def test_the_version_tells_a_change(authority: Authority, history: list[Event]) -> None:
    """It is another one after each event of the user's, and the same after those of others."""
    del history
    versions = [authority.token_events("ann", Listing()).version]
    for token_id in (3, 3):
        authority.rename("ann", token_id, "x")
        versions.append(authority.token_events("ann", Listing()).version)
    assert len(set(versions)) == 3
    authority.admin.change("ben", suspended=False)
    authority.issue("ben")
    assert authority.token_events("ann", Listing()).version == versions[-1]


def test_many(authority: Authority) -> None:
    """Events of a batch are all there, page by page."""
    authority.add_user("ann")
    authority.issue_many("ann", [Wanted()] * 700)
    authority.admin.change("ann", email="ann@example.org")
    ids = list[int | None]()
    for offset in range(0, 700, 100):
        page = authority.token_events("ann", Listing(offset=offset, limit=100))
        assert page.results == 700
        ids += [event.token_id for event in page.rows]
    assert ids == list(range(1, 701))


def test_conditions_are_bounded(authority: Authority) -> None:
    """One that a store can't run is refused."""
    many = All(tuple(listing.Test(Field.ID, Op.NE, n) for n in range(5001)))
    with pytest.raises(InvalidRequestError, match="too many conditions"):
        authority.token_events("ann", Listing(many))
