"""Reading what is compiled, with the settings of whoever runs it put in."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from patql.catalog import load
from patql.catalog.document import Provider
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.errors import Code, PatqlError


def scopes(provider: Provider) -> set[str]:
    """Every scope that some operation needs."""
    return {
        scope
        for service in provider.services
        for resource in service.resources
        for method in resource.methods
        for scope in method.scopes
    }


def test_document_as_written() -> None:
    """Without settings the document says what its author wrote: Linode's categories, vpc without read_only."""
    provider = builtin("linode")
    assert scopes(provider) == {
        "account:read_only",
        "account:read_write",
        "events:read_only",
    }
    known = provider.services[0].scopes
    assert len({scope.partition(":")[0] for scope in known}) == 17
    assert len(known) == 33
    assert "vpc:read_only" not in known
    assert b"pql_" in builtin_openapi("linode")


def test_own_settings_everywhere() -> None:
    """Prefix, categories and guard of a team's own are in the provider and in the served document, Linode's nowhere."""
    chosen = {"prefix": "acme_", "guard": "tokens"}
    categories = ["repos", "deploys:read_write"]
    provider = builtin("linode", **chosen, categories=categories)
    served = builtin_openapi("linode", **chosen, categories=categories)
    expected = (
        "tokens:read_only",
        "tokens:read_write",
        "repos:read_only",
        "repos:read_write",
        "deploys:read_write",
    )
    assert scopes(provider) == {"tokens:read_only", "tokens:read_write"}
    assert provider.services[0].scopes == expected
    schemes = msgspec.json.decode(served)["components"]["securitySchemes"]
    flow = schemes["oauth"]["flows"]["authorizationCode"]
    assert tuple(flow["scopes"]) == expected
    assert flow["scopes"]["repos:read_write"] == "Read and change repos."
    for text in (served, msgspec.json.encode(provider)):
        assert b"pql_" not in text
        assert b"account:read" not in text
        assert b"linodes:" not in text
        assert b"such as `repos:read_only`" in text


@pytest.mark.parametrize(
    ("categories", "example"),
    [
        (["x:read_write", "repos"], "x:read_write"),
        (["account", "repos"], "repos:read_only"),
        (["repos", "linodes"], "linodes:read_only"),
        ([], "account:read_only"),
        (None, "linodes:read_only"),
    ],
)
def test_examples_are_scopes_that_exist(
    categories: list[str] | None, example: str
) -> None:
    """What the document gives as an example of a scope is one, and rather not the one that guards tokens."""
    served = msgspec.json.decode(builtin_openapi("linode", categories=categories))
    properties = served["components"]["schemas"]["PersonalAccessToken"]["properties"]
    assert properties["scopes"]["example"] == example


def test_guard_alone() -> None:
    """Another guard among Linode's categories replaces `account` only, not `child_account`."""
    provider = builtin("linode", guard="keys")
    known = provider.services[0].scopes
    assert scopes(provider) == {
        "keys:read_only",
        "keys:read_write",
        "events:read_only",
    }
    assert "keys:read_only" in known
    assert "account:read_only" not in known
    assert "child_account:read_only" in known


def test_events_take_a_category_that_exists() -> None:
    """A team without a category `events` guards them as it guards tokens; one that has it keeps it."""
    without = builtin("linode", categories=["repos"], guard="keys")
    assert scopes(without) == {"keys:read_only", "keys:read_write"}
    assert "events:read_only" in scopes(builtin("linode", categories=["events"]))


def test_provider_of_another_name() -> None:
    """Resources, page and served document have the name that statements use; nothing else changes."""
    own, named = builtin("linode"), builtin("linode", called="acme")
    assert (named.id, named.name) == ("acme", "acme")
    ids = [r.id for s in named.services for r in s.resources]
    assert ids[-2:] == ["acme.profile.tokens", "acme.account.events"]
    changed = msgspec.json.encode(named).replace(b'"acme', b'"linode')
    assert changed == msgspec.json.encode(own)
    served = builtin_openapi("linode", called="acme")
    assert b'"id":"acme.profile.tokens"' in served
    assert b'"id":"patql.authority.tokens"' in served
    assert b'"id":"linode.' not in served


def test_guard_is_a_category_only_once() -> None:
    """Categories that name the guard themselves keep their order."""
    provider = builtin("linode", categories=["repos", "account"])
    assert [s.partition(":")[0] for s in provider.services[0].scopes[::2]] == [
        "repos",
        "account",
    ]


def test_settings_are_data() -> None:
    """A setting that would break JSON stays text."""
    assert b'say \\"x\\"_' in builtin_openapi("linode", prefix='say "x"_')


@pytest.mark.parametrize("name", ["nowhere", "../linode", ""])
def test_unknown_provider(name: str) -> None:
    """A name that isn't a document of ours is an error, and never a path."""
    with pytest.raises(PatqlError) as caught:
        builtin(name)
    assert caught.value.code is Code.UNKNOWN_NAME


def test_not_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout whose documents aren't compiled says what to do."""
    (tmp_path / "linode" / "v1").mkdir(parents=True)
    monkeypatch.setattr(load, "PROVIDERS", tmp_path)
    with pytest.raises(PatqlError, match="make setup") as caught:
        builtin("linode")
    assert caught.value.code is Code.SCHEMA


def test_reads_no_yaml() -> None:
    """Loading a provider imports neither a YAML parser nor anything that only errors need."""
    code = (
        "import sys; from patql.catalog.load import builtin; from patql.catalog.names import Catalog; "
        "Catalog((builtin('linode'),)).resource('linode', 'profile', 'tokens'); "
        "print({'yaml', 'difflib', 'patql.catalog.build'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
