"""Values as text."""

import json
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.faces.console.text import json_text, plain, shown, width
from patql.kernel.text import printable

BIDIRECTIONAL = (
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        ("NULL", "'NULL'"),
        ("", ""),
        ("''", "''''''"),
        ("'x'", "'''x'''"),
        ("it's", "it's"),
        (" x", "' x'"),
        ("x\n", r"'x\n'"),
        ("null", "null"),
        ("a b", "a b"),
        ("a\tb\r\nc", r"a\tb\r\nc"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x07\x00\x7f\x9b", r"\x07\x00\x7f\x9b"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("a\u2028b\ufeffc\u200bd", r"a\u2028b\ufeffc\u200bd"),
        ("\U000e0041", r"\U000e0041"),
        ("日本\u3000語", "日本\u3000語"),
        ("👩\u200d💻", "👩\u200d💻"),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),  # noqa: DTZ001
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(days=90), "90 days, 0:00:00"),
        (b"a\xff", r"\x61\xFF"),
        ([1, None, "x"], '[1,null,"x"]'),
        ({"a": {"b": "\u202e"}}, r'{"a":{"b":"\u202e"}}'),
    ],
)
def test_a_value_in_a_table(value: object, expected: str) -> None:
    """NULL, the empty text and the text NULL differ, and nothing moves the cursor or turns the line around."""
    assert shown(value) == expected


@given(st.text())
def test_nothing_escapes_escaping(text: str) -> None:
    """No control, format or line separating character is left, except the joiners of words and emoji."""
    for char in printable(text):
        assert unicodedata.category(char) not in {"Cc", "Zl", "Zp", "Cs"}
        assert char in "\u200c\u200d" or unicodedata.category(char) != "Cf"
    assert not set(BIDIRECTIONAL) & set(printable(text))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_loses_nothing(value: object) -> None:
    """It reads back as the value, and every character of it is visible."""
    text = json_text(value)
    assert json.loads(text) == value
    assert printable(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), "1.50"),
        (float("nan"), "null"),
        (datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05"'),  # noqa: DTZ001
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (b"a", r'"\\x61"'),
        ({1: 2}, '{"1":2}'),
        ("\U000e0041", r'"\udb40\udc41"'),
        ("日本", '"日本"'),
    ],
)
def test_json_of_what_json_has_not(value: object, expected: str) -> None:
    """Numbers stay numbers, the rest is text."""
    assert json_text(value) == expected


def test_plain_is_as_duckdb_prints() -> None:
    """Without quotes."""
    assert plain(b"\x00") == r"\x00"
    assert plain(False) == "false"
    assert plain("x\n") == "x\n"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("\uff46", 2),
        ("👩\u200d", 2),
    ],
)
def test_width_is_what_a_terminal_shows(text: str, columns: int) -> None:
    """East Asian characters take two columns, combining ones none."""
    assert width(text) == columns
