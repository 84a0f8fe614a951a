"""Documents that others wrote, where they are laid beside the checkout: they build without special cases."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from patql.catalog.build import build
from patql.catalog.document import Access, Provider
from patql.catalog.node import Node

SETS = Path(__file__).parents[3] / "shared" / "provider-docs"
PROVIDERS = sorted(SETS.glob("*/*/*/provider.yaml"))

pytestmark = pytest.mark.skipif(
    not PROVIDERS, reason="no provider documents of others beside the checkout"
)


def read(path: Path) -> Node:
    """A YAML file as the root of a document."""
    return Node(yaml.load(path.read_bytes(), yaml.CSafeLoader), path.name)


def built(path: Path, wanted: Callable[[Path], bool]) -> Provider:
    """A provider, with those services whose file is wanted."""
    document = read(path)
    root = path.parents[2]
    entries = {
        name: entry.value
        for name, entry in document.children("providerServices")
        if (link := entry.raw("service")) and wanted(root / str(link.reference))
    }
    kept = {"name": document.text("name"), "providerServices": entries}
    return build(Node(kept, path.name), lambda reference: read(root / reference))


@pytest.fixture(
    scope="module",
    params=PROVIDERS,
    ids=lambda p: "/".join(p.relative_to(SETS).parts[:2]),
)
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider, without the services whose file is absent."""
    return built(request.param, Path.exists)


@pytest.mark.slow
def test_builds(provider: Provider) -> None:
    """Every resource has methods, every SELECT reaches a path that its parameters fill."""
    assert provider.services
    for service in provider.services:
        assert service.resources
        for resource in service.resources:
            for method in resource.by_access(Access.SELECT):
                filled = {f"{{{p.name}}}" for p in method.parameters}
                assert all(
                    step in filled
                    for step in method.path.split("/")
                    if step.startswith("{") and step.endswith("}")
                )


@pytest.mark.slow
def test_token_resource_of_2023() -> None:
    """An object key that doesn't resolve on a single token falls back to the token itself, found by its `id`."""
    path = SETS / "linode-2023" / "linode" / "v00.00.00000" / "provider.yaml"
    (service,) = built(path, lambda file: file.name == "profile.yaml").services
    tokens = next(r for r in service.resources if r.name == "tokens")
    single = tokens.method("getPersonalAccessToken")
    assert single is not None
    assert single.object_key is None
    assert [p.key_column for p in single.parameters] == ["id"]
    assert {"id", "label", "token"} <= {c.name for c in single.columns}
