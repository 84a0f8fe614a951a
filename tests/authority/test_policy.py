"""Settings that make sense, and those that don't."""

from typing import Any

import pytest

from patql.authority.policy import Policy
from patql.kernel.errors import Code, PatqlError


def test_linode_categories() -> None:
    """By default there are Linode's 17 categories, of which vpc can only be written."""
    levels = Policy().levels()
    assert len(levels) == 17
    assert levels["vpc"] == ("read_write",)
    assert {name for name, both in levels.items() if len(both) == 2} == set(levels) - {
        "vpc"
    }


def test_the_guard_always_exists() -> None:
    """Token management can be granted whatever the categories are."""
    assert Policy(categories=()).levels() == {"account": ("read_only", "read_write")}
    assert list(Policy(categories=("repos",), guard="keys").levels()) == [
        "repos",
        "keys",
    ]


@pytest.mark.parametrize("prefix", ["pql_", "a_", "acme1_"])
def test_good_prefix(prefix: str) -> None:
    """A prefix is up to six characters, the last one `_`."""
    assert Policy(prefix=prefix).prefix == prefix


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"prefix": ""}, "token_prefix ''"),
        ({"prefix": "_"}, "token_prefix '_'"),
        ({"prefix": "acme"}, "token_prefix 'acme'"),
        ({"prefix": "acme12_"}, "token_prefix 'acme12_'"),
        ({"prefix": "a_b_"}, "token_prefix 'a_b_'"),
        ({"prefix": "é_"}, "token_prefix 'é_'"),
        ({"prefix": "pql_\n"}, "token_prefix"),
        ({"guard": ""}, "guard ''"),
        ({"guard": "a:b"}, "guard 'a:b'"),
        ({"categories": ("Repos",)}, "scope category 'Repos'"),
        ({"categories": ("repos:read_only",)}, "scope category 'repos:read_only'"),
        ({"categories": ("repos:",)}, "scope category 'repos:'"),
        ({"categories": ("*",)}, r"scope category '\*'"),
        ({"categories": ("a", "a:read_write")}, "scope category 'a' is listed twice"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any], told: str) -> None:
    """A setting that makes no sense is a wrong usage, and the sentence shows it."""
    with pytest.raises(PatqlError, match=told) as refused:
        Policy(**wrong)
    assert refused.value.code is Code.USAGE
