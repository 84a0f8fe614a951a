"""Dates and times that clients write."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.api import moments
from patql.kernel.clock import to_wire


@pytest.mark.parametrize(
    ("text", "seconds", "cut"),
    [
        ("1970-01-01T00:00:00", 0, False),
        ("1970-01-01t00:00:01z", 1, False),
        ("1970-01-01 00:01", 60, False),
        ("1970-01-01T00:00:00.000", 0, False),
        ("1970-01-01T00:00:00.000001Z", 0, True),
        ("1969-12-31T23:59:59.5", -1, True),
        ("1970-01-01T01:00:00+0100", 0, False),
        ("1969-12-31T19:00:00-05:00", 0, False),
        ("1970-01-02", 86_400, False),
        ("9999-12-31T23:59:59", 253_402_300_799, False),
    ],
)
def test_moment(text: str, seconds: int, *, cut: bool) -> None:
    """Each form is an instant in whole seconds, and whether a fraction was lost."""
    assert moments.parse(text) == (seconds, cut)


@pytest.mark.parametrize(
    "text",
    ["", "now", "1", "2027", "2027-1-1", "2027-W01-1", "20270101", "2027-01-01T24:00:01",
     "2027-13-01", "2027-02-29", "2027-01-01T00:00:00 ", "2027-01-01T00:00:00\n",
     "2027-01-01T00:00:00+24:00", "2027-01-01T00:00:60", "٢٠٢٧-01-01", "2027-01-01T00:00:00ZZ"],
)  # fmt: skip
def test_no_moment(text: str) -> None:
    """Whatever else is written is none."""
    assert moments.parse(text) is None


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001
def test_wire_form(moment: datetime) -> None:
    """What is written in the wire's form is read as the instant that it was."""
    seconds = int(moment.replace(tzinfo=UTC, microsecond=0).timestamp())
    assert moments.parse(to_wire(seconds)) == (seconds, False)
    assert moments.to_datetime(seconds) == moment.replace(microsecond=0)


@given(st.text())
def test_any_text(text: str) -> None:
    """No text whatever makes the parser fail."""
    assert moments.parse(text) is None or text
