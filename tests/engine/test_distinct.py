"""Keys of rows: whether any came twice, in whatever order and of whatever types."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patql.engine.distinct import Distinct

KEYS = st.one_of(
    st.lists(st.lists(st.integers(0, 12))),
    st.lists(st.lists(st.integers() | st.none() | st.text(max_size=2))),
    st.lists(st.lists(st.integers(1, 3))).map(
        lambda pages: [list(accumulate(page)) for page in pages]
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(KEYS)
def test_tells_whether_any_came_twice(pages: list[list[Any]]) -> None:
    """As a set of all of them does."""
    distinct = Distinct()
    for page in pages:
        distinct.add(page)
    keys = [key for page in pages for key in page]
    assert distinct.are_all == (len(set(keys)) == len(keys))


@pytest.mark.parametrize(
    ("pages", "differ"),
    [
        ([[1, 2], [3, 9]], True),
        ([[1, 2], [2, 3]], False),
        ([[1, 2], [], [3, 3]], False),
        ([[5, 6], [1, 2]], True),
        ([[5, 6], [1, 2], [7, 6]], False),
        ([[1, 2], ["a", None]], True),
        ([[1, 2], ["a"], [1]], False),
        ([[1 << 70], [1 << 70]], False),
    ],
)
def test_keys_in_and_out_of_order(pages: list[list[Any]], *, differ: bool) -> None:
    """A key that came while they ascended is remembered when they no longer do."""
    distinct = Distinct()
    for page in pages:
        distinct.add(page)
    assert distinct.are_all == differ
