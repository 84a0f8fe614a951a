"""Scopes: how they are read, and which cover which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.authority import scopes
from patql.authority.policy import Policy

_POLICY = Policy()
_SINGLE = [
    f"{name}:{level}" for name, levels in _POLICY.levels().items() for level in levels
]
_lists = st.lists(st.sampled_from([*_SINGLE[:8], "*"]), unique=True).map(" ".join)


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("*", "*"),
        ("", ""),
        ("  , ", ""),
        ("linodes:read_only", "linodes:read_only"),
        # canonical in any order: echoed as it is
        (
            "linodes:read_write account:read_only",
            "linodes:read_write account:read_only",
        ),
        (
            "account:read_only linodes:read_write",
            "account:read_only linodes:read_write",
        ),
        (
            "linodes:read_only,account:read_write",
            "linodes:read_only account:read_write",
        ),
        ("linodes:read_only, domains:read_only", "linodes:read_only domains:read_only"),
        (" linodes:read_only ", "linodes:read_only"),
        # one level a category, the higher one
        ("linodes:read_only linodes:read_write", "linodes:read_write"),
        ("linodes:read_write linodes:read_only", "linodes:read_write"),
        ("linodes:read_only * nope:view", "*"),
        # legacy levels
        ("linodes:view", "linodes:read_only"),
        ("linodes:modify", "linodes:read_write"),
        ("linodes:create", "linodes:read_write"),
        ("linodes:delete", "linodes:read_write"),
        ("linodes:*", "linodes:read_write"),
        ("linodes", "linodes:read_write"),
        # legacy categories
        ("tokens:view", "account:read_only"),
        ("clients:read_only users:delete", "account:read_write"),
        ("tickets:view managed:view", "account:read_only"),
        ("users", "account:read_write"),
        ("vpc:read_write", "vpc:read_write"),
        ("vpc:modify", "vpc:read_write"),
    ],
)
def test_canonical(given_text: str, canonical: str) -> None:
    """Scopes of all years are brought into today's form, and canonical ones stay as they are."""
    assert scopes.read(given_text, _POLICY)[0] == canonical


@pytest.mark.parametrize(
    ("given_text", "offending"),
    [
        ("foo:read_only", ["foo:read_only"]),
        ("linodes:read_onl", ["linodes:read_onl"]),
        ("linode:read_only domains:read_only bar", ["linode:read_only", "bar"]),
        ("vpc:read_only", ["vpc:read_only"]),
        ("vpc:view", ["vpc:view"]),
        ("linodes: domains:read_only", ["linodes:"]),
        ("tokens:", ["tokens:"]),
        (":read_only", [":read_only"]),
        ("*:read_only", ["*:read_only"]),
        ("**", ["**"]),
        ("Linodes:read_only", ["Linodes:read_only"]),
        ("linodes:read_only:x", ["linodes:read_only:x"]),
        ("a a,a", ["a"]),
        ("\ud800:view", ["\\ud800:view"]),
        ("x" * 200, ["x" * 100 + "…"]),
    ],
)
def test_unknown_scopes_are_named(given_text: str, offending: list[str]) -> None:
    """Each scope that doesn't exist is one problem of the field, and is named."""
    problems = scopes.read(given_text, _POLICY)[1]
    assert [p.reason for p in problems] == [f"Unknown scope: {o}" for o in offending]
    assert {p.field for p in problems} == {"scopes"}


@given(_lists)
def test_reading_is_idempotent(text: str) -> None:
    """What was read reads as itself, and is echoed."""
    canonical, problems = scopes.read(text, _POLICY)
    assert problems == []
    assert scopes.read(canonical, _POLICY) == (canonical, [])


@pytest.mark.parametrize(
    ("held", "needed", "expected"),
    [
        ("*", "linodes:read_write", True),
        ("*", "*", True),
        ("*", "a_category_of_next_year:read_write", True),
        ("linodes:read_write", "linodes:read_only", True),
        ("linodes:read_only", "linodes:read_write", False),
        ("linodes:read_write", "domains:read_only", False),
        (
            "linodes:read_write domains:read_only",
            "domains:read_only linodes:read_only",
            True,
        ),
        ("linodes:read_only", "domains:read_only linodes:read_only", False),
        ("", "linodes:read_only", False),
        ("", "", True),
        ("linodes:read_only", "", True),
        (" ".join(_SINGLE), "*", False),
        ("ips:read_write", "ips:read_writ", False),
    ],
)
def test_covers(held: str, needed: str, *, expected: bool) -> None:
    """read_write covers read_only, `*` covers all, and nothing else covers `*`."""
    assert scopes.covers(held, needed) is expected


@given(_lists)
def test_covers_is_reflexive(text: str) -> None:
    """Scopes cover themselves."""
    assert scopes.covers(text, text)


@given(_lists, _lists, _lists)
def test_covers_is_transitive(a: str, b: str, c: str) -> None:
    """What covers something that covers a third, covers the third."""
    assert not (scopes.covers(a, b) and scopes.covers(b, c)) or scopes.covers(a, c)


@given(_lists, _lists, st.sampled_from([*_SINGLE, "*", "next:read_only"]))
def test_covers_is_antisymmetric(a: str, b: str, need: str) -> None:
    """Scopes that cover each other mean the same: they allow the same needs."""
    if scopes.covers(a, b) and scopes.covers(b, a):
        assert scopes.covers(a, need) == scopes.covers(b, need)


@given(_lists, _lists)
def test_beyond_is_what_is_missing(held: str, needed: str) -> None:
    """There is a problem for what is needed and not held, and none exactly where all is covered."""
    problems = scopes.beyond(held, needed)
    assert (problems == []) is scopes.covers(held, needed)
    for problem in problems:
        assert problem.reason.split(": ", 1)[1] in needed.split()


def test_a_guard_of_ones_own() -> None:
    """Categories are data: a team's own, with the guard among them even where it isn't listed."""
    policy = Policy(categories=("repos", "users"), guard="access")
    assert scopes.read("repos:view access:view", policy) == (
        "repos:read_only access:read_only",
        [],
    )
    assert scopes.read("tokens:view", policy) == ("access:read_only", [])
    assert scopes.read("users:view", policy) == ("users:read_only", [])
    assert scopes.read("linodes:view", policy)[1] != []
