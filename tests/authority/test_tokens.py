"""The token string: format, checksum, digest."""

import string
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.authority import tokens
from patql.kernel.secrets import Secret, redact

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_prefixes = st.from_regex(r"[0-9A-Za-z]{1,5}_", fullmatch=True)

# Split, so that leak scanners don't take it for a live token.
_EXAMPLE = "pql_0123456789AB" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"


@given(_prefixes)
def test_parse_undoes_mint(prefix: str) -> None:
    """What was minted parses, as text and as bytes, to its handle and digest."""
    handle, secret = tokens.mint(prefix)
    text = secret.reveal()
    parsed = tokens.parse(text)
    assert parsed == tokens.parse(text.encode())
    assert parsed == tokens.Parsed(handle, tokens.digest(secret))


@given(_prefixes)
def test_format(prefix: str) -> None:
    """A token is its prefix, then base62 to 65 characters; the first 16 are the handle."""
    handle, secret = tokens.mint(prefix)
    text = secret.reveal()
    assert len(text) == tokens.LENGTH == 65
    assert text.startswith(prefix)
    assert text[:16] == handle == secret.shown
    assert set(text.removeprefix(prefix)) <= set(_BASE62)


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    """No single character can be changed, whichever it is and whatever it becomes."""
    text = tokens.mint("pql_")[1].reveal()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda drawn: drawn != text[at]))
    assert tokens.parse(text[:at] + other + text[at + 1 :]) is None


def test_every_base62_change_is_refused() -> None:
    """All 65 times 61 single changes within the alphabet are refused."""
    text = tokens.mint("pql_")[1].reveal()
    changed = (
        text[:at] + other + text[at + 1 :]
        for at in range(len(text))
        for other in _BASE62
        if other != text[at]
    )
    assert not any(tokens.parse(candidate) for candidate in changed)


def test_checksum_is_stable() -> None:
    """The checksum is CRC-32 in base62, most significant digit first: tokens must stay good across versions."""
    parsed = tokens.parse(_EXAMPLE + "3eLBnQ")
    assert parsed is not None
    assert parsed.handle == "pql_0123456789AB"
    assert parsed.digest == sha256((_EXAMPLE + "3eLBnQ").encode()).digest()


@pytest.mark.parametrize(
    "presented",
    ["", "pql_", "x" * 65, "é" * 65, b"\xff" * 65, b"\0", "\ud800" * 65, "0" * 10_000],
    ids=range(8),
)
def test_noise_is_refused(presented: str | bytes) -> None:
    """What can't be a token is refused without an exception."""
    assert tokens.parse(presented) is None


def test_random_characters_are_even() -> None:
    """No character of the alphabet is drawn more often than others (chi-squared, 61 degrees of freedom)."""
    drawn = "".join(tokens.mint("pql_")[1].reveal()[4:59] for _ in range(2000))
    expected = len(drawn) / 62
    chi = sum((drawn.count(c) - expected) ** 2 / expected for c in _BASE62)
    assert chi < 130  # exceeded once in a million runs


def test_redaction_knows_the_shape() -> None:
    """A minted token in a text is cut to its handle."""
    handle, secret = tokens.mint("pql_")
    assert redact(f"got {secret.reveal()}!") == f"got {handle}…!"
    assert secret.reveal() not in repr(Secret(secret.reveal()))
