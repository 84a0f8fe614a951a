"""Text that is safe to show."""

from unicodedata import bidirectional, category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.kernel.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain, ünïcödé, 表, 🙂", "plain, ünïcödé, 表, 🙂"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("family 👩\u200d💻, a\u200cb", "family 👩\u200d💻, a\u200cb"),
        ("no\u00a0break", "no\u00a0break"),
        ("line\u2028separator", r"line\u2028separator"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("lone \ud800 surrogate", r"lone \ud800 surrogate"),
    ],
)
def test_escapes_what_could_act(text: str, shown: str) -> None:
    """Controls and bidirectional characters are shown as escapes, everything else as it is."""
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_acts_and_twice_is_once(text: str) -> None:
    """Whatever goes in, no control, surrogate or bidirectional character comes out, and escaping again changes nothing."""
    shown = printable(text)
    assert not {category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {bidirectional(c) for c in shown} & {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    }
    assert printable(shown) == shown
