"""Dotted names, and what an unknown one is answered."""

import pytest

from patql.catalog.document import Provider
from patql.catalog.load import builtin
from patql.catalog.names import Catalog, suggestion
from patql.kernel.errors import Code, PatqlError


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The built-in provider."""
    return Catalog((builtin("linode"),))


@pytest.mark.parametrize(
    "name", ["linode.profile.tokens", "LINODE.Profile.TOKENS", "linode.profile.grants"]
)
def test_finds_in_any_case(catalog: Catalog, name: str) -> None:
    """A name stands for its resource however it is written."""
    provider, service, resource = name.split(".")
    assert catalog.resource(provider, service, resource).id == name.lower()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("linode", "profile", "token"),
            "There is no resource `token` in `linode.profile`.\nDid you mean `tokens`?",
        ),
        (
            ("Linode", "Profile", "x"),
            "There is no resource `x` in `linode.profile`.\nThere are `profile`, `grants` and `tokens`.",
        ),
        (
            ("linode", "profiles", "tokens"),
            "There is no service `profiles` in `linode`.\nDid you mean `profile`?",
        ),
        (
            ("aws", "profile", "tokens"),
            "There is no provider `aws`.\nThere is `linode`.",
        ),
    ],
)
def test_unknown_names(
    catalog: Catalog, names: tuple[str, str, str], message: str
) -> None:
    """The error names what is unknown, where, and the nearest names."""
    with pytest.raises(PatqlError) as caught:
        catalog.resource(*names)
    assert caught.value.code is Code.UNKNOWN_NAME
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lable", ["id", "label", "scopes"], "Did you mean `label`?"),
        ("tokne", ["token", "Tokens"], "Did you mean `token` or `Tokens`?"),
        ("zzz", [], "There are none."),
        ("zzz", list("abcdefg"), "There are `a`, `b`, `c`, `d` and `e` and others."),
    ],
)
def test_nearest(name: str, known: list[str], hint: str) -> None:
    """Names alike if there are any, else what there is, shortened."""
    assert suggestion(name, known) == hint


def test_deferred() -> None:
    """A provider that nobody names isn't loaded; its name is known all the same, to hints too."""
    loaded: list[str] = []

    def load() -> Provider:
        loaded.append("patql")
        return builtin("patql")

    catalog = Catalog((builtin("linode"),), {"patql": load})
    assert catalog.resource("linode", "profile", "tokens").id == "linode.profile.tokens"
    assert catalog.names == ("linode", "patql")
    with pytest.raises(PatqlError) as caught:
        catalog.provider("patsql")
    assert caught.value.hint == "Did you mean `patql`?"
    assert not loaded
    assert catalog.knows("PATQL", "authority", "users")
    assert [p.name for p in catalog.providers] == ["linode", "patql"]
    assert loaded == ["patql"]
