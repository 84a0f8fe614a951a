"""Listings: any condition, order and stretch, against plain Python over the same rows."""

import operator
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patql.authority import listing
from patql.authority.authority import Authority
from patql.authority.listing import All, Any, Condition, Field, Listing, Op
from patql.authority.model import Token
from patql.kernel.clock import ManualClock
from patql.kernel.errors import InvalidRequestError

NOW = 1_800_000_000
_LABELS = [
    "a",
    "A",
    "b",
    "ß",
    "SS",
    "straße",
    "é",
    "Z",
    "z\x01",
    "\U0001f511",
    "\uffee",
]

_COMPARE = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LTE: operator.le,
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
}

_instants = st.integers(NOW - 2, NOW + 6)
_extremes = st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 10**30])
_ops = st.sampled_from([op for op in Op if op is not Op.CONTAINS])
_tests = st.one_of(
    st.builds(listing.Test, st.just(Field.ID), _ops, st.integers(-1, 9) | _extremes),
    st.builds(listing.Test, st.just(Field.CREATED), _ops, _instants | _extremes),
    st.builds(
        listing.Test, st.just(Field.EXPIRY), _ops, st.none() | _instants | _extremes
    ),
    st.builds(
        listing.Test,
        st.just(Field.LABEL),
        st.sampled_from(Op),
        st.sampled_from([*_LABELS, "\0", "a\0", "z\x01\0a"]),  # no label has U+0000
    ),
)
_conditions: st.SearchStrategy[Condition] = st.recursive(
    _tests,
    lambda inner: st.lists(inner, max_size=4).flatmap(
        lambda parts: st.sampled_from([All(tuple(parts)), Any(tuple(parts))])
    ),
    max_leaves=12,
)
_listings = st.builds(
    Listing,
    where=st.none() | _conditions,
    order=st.sampled_from((Field.ID, Field.CREATED, Field.EXPIRY, Field.LABEL)),
    descending=st.booleans(),
    limit=st.integers(0, 9),
    offset=st.integers(0, 9),
)


def _value(token: Token, field: Field) -> float | str:
    value: float | str | None = getattr(token, field.value)
    return float("inf") if value is None else value


def _meets(token: Token, condition: Condition) -> bool:
    match condition:
        case All(parts):
            return all(_meets(token, part) for part in parts)
        case Any(parts):
            return any(_meets(token, part) for part in parts)
        case listing.Test(field, op, value):
            if op is Op.CONTAINS:
                return str(value).casefold() in token.label.casefold()
            other = float("inf") if value is None else value
            return bool(_COMPARE[op](_value(token, field), other))


def _expected(
    tokens: tuple[Token, ...], asked: Listing
) -> tuple[tuple[Token, ...], int]:
    where = asked.where
    found = [t for t in tokens if where is None or _meets(t, where)]
    found.sort(key=lambda t: t.id)
    found.sort(key=lambda t: _value(t, asked.order), reverse=asked.descending)
    return tuple(found[asked.offset : asked.offset + asked.limit]), len(found)


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each opens a new one
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_LABELS), st.none() | st.integers(1, 5), st.booleans()
        ),
        max_size=9,
    ),
    st.lists(_listings, min_size=1, max_size=12),
)
def test_any_listing(
    fresh: Callable[[], Authority],
    clock: ManualClock,
    rows: list[tuple[str, int | None, bool]],
    asked: list[Listing],
) -> None:
    """Rows and their count are those that plain Python picks from the active tokens."""
    clock.seconds = NOW
    with fresh() as authority:
        kept = list[Token]()
        for label, lifetime, revoked in rows:
            expiry = None if lifetime is None else int(clock.now()) + lifetime
            token = authority.issue("alice", label=label, expiry=expiry).token
            authority.issue("bob", label=label)
            if revoked:
                authority.revoke("alice", token.id)
            else:
                kept.append(token)
            clock.advance(0.5)
        active = tuple(t for t in kept if t.expiry is None or t.expiry > clock.now())
        assert authority.list("alice") == active
        for listing_asked in asked:
            page = authority.page("alice", listing_asked)
            assert (page.tokens, page.results) == _expected(active, listing_asked)


@pytest.mark.parametrize(
    ("label", "part", "expected"),
    [
        ("Straße", "STRASSE", True),
        ("STRASSE", "ß", True),
        ("Ci-Runner", "i-r", True),
        ("100%", "%", True),
        ("1000", "0%", False),
        ("a_b", "_", True),
        ("axb", "a_b", False),
        ("z\x01y", "\x01Y", True),
        ("any", "", True),
        ("é", "e\u0301", False),
    ],
    ids=range(10),
)
def test_contains_folds_case(
    authority: Authority, label: str, part: str, *, expected: bool
) -> None:
    """A part of a label is found whatever its case in any script, and no character is a wildcard."""
    authority.issue("alice", label=label)
    where = listing.Test(Field.LABEL, Op.CONTAINS, part)
    assert authority.page("alice", Listing(where=where)).results == expected


def _all_of(tests: int) -> Condition:
    return All(tuple(listing.Test(Field.ID, Op.NE, -n) for n in range(tests)))


def _one_of(tests: int) -> Condition:
    return Any(tuple(listing.Test(Field.ID, Op.EQ, n) for n in range(tests)))


def _deep(levels: int) -> Condition:
    """A condition that no simplification flattens."""
    condition: Condition = listing.Test(Field.ID, Op.GTE, 1)
    for level in range(levels):
        test = listing.Test(Field.ID, Op.NE if level % 2 else Op.EQ, -level)
        condition = (All if level % 2 else Any)((condition, test))
    return condition


@pytest.mark.parametrize(
    "where",
    [
        _all_of(listing.MAX_TESTS),
        _one_of(listing.MAX_TESTS),
        Any((_all_of(2000), _one_of(3000))),
        _deep(listing.MAX_HEIGHT),
        All((_deep(listing.MAX_HEIGHT - 13), _all_of(4000))),
    ],
    ids=range(5),
)
def test_the_largest_conditions(authority: Authority, where: Condition) -> None:
    """Conditions as wide and as deep as allowed are run, not refused by the database."""
    token = authority.issue("alice").token
    assert authority.page("alice", Listing(where=where)).tokens == (token,)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (_all_of(listing.MAX_TESTS + 1), "too many conditions"),
        (_deep(listing.MAX_HEIGHT + 1), "nests too deep"),
        (_deep(100_000), "nests too deep"),
    ],
    ids=range(3),
)
def test_larger_conditions_are_refused(
    authority: Authority, where: Condition, told: str
) -> None:
    """Beyond that, a condition is a clean problem."""
    with pytest.raises(InvalidRequestError, match=told):
        authority.page("alice", Listing(where=where))
