"""Documents that others wrote, where they are laid beside the checkout: all of them load, and say what isn't done."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from patql.catalog.document import Access, Method, Provider
from patql.catalog.load import from_folder
from patql.catalog.names import Catalog
from patql.kernel.errors import PatqlError

SETS = Path(__file__).parents[3] / "shared" / "provider-docs"
FOLDERS = {
    "old": SETS / "linode-2023",
    "new": SETS / "linode-2026" / "linode",
    "github": SETS / "others" / "github",
    "ocean": SETS / "others" / "digitalocean" / "v23.03.00127",
}

pytestmark = [
    pytest.mark.skipif(
        not SETS.exists(), reason="no provider documents of others beside the checkout"
    ),
    pytest.mark.slow,
]

Load = Callable[[str], Provider]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads a set under the name that it has here."""
    cache = tmp_path_factory.mktemp("cache")
    return lambda name: from_folder(name, FOLDERS[name], cache)


def methods(provider: Provider) -> list[Method]:
    """Every method of a provider."""
    resources = [r for s in provider.services for r in s.resources]
    return [method for resource in resources for method in resource.methods]


@pytest.mark.parametrize(
    ("name", "services", "missing", "resources", "selects"),
    [
        ("old", 17, 0, 107, 151),
        ("new", 21, 0, 142, 217),
        ("github", 33, 28, 98, 135),
        ("ocean", 29, 26, 44, 66),
    ],
)
def test_counts(
    load: Load, name: str, services: int, missing: int, resources: int, selects: int
) -> None:
    """Nothing of a document is lost on the way, and what isn't there is known."""
    provider = load(name)
    assert len(provider.services) == services
    assert sum(s.missing is not None for s in provider.services) == missing
    assert sum(len(s.resources) for s in provider.services) == resources
    assert sum(m.access is Access.SELECT for m in methods(provider)) == selects


@pytest.mark.parametrize("name", FOLDERS)
def test_every_method(load: Load, name: str) -> None:
    """Every method has a server and the parameters of its path; every row has columns."""
    provider = load(name)
    for service in provider.services:
        for resource in service.resources:
            assert resource.id == f"{name}.{service.name}.{resource.name}"
            for method in resource.methods:
                filled = {f"{{{p.name}}}" for p in method.parameters}
                steps = method.path.split("/")
                assert {s for s in steps if s[:1] == "{" and s[-1:] == "}"} <= filled
                assert method.server
                assert method.server.startswith(("https://", "{protocol}://"))
                assert method.columns or method.access is not Access.SELECT


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("old", ["image/png", "image/png", "multipart/form-data"]),
        (
            "new",
            [
                "image/png",
                "image/png",
                "response.transform",
                "response.transform",
                "multipart/form-data",
            ],
        ),
        (
            "github",
            [
                "28 of 33 services",
                "takes `page`",
                "`config.views`",
                "takes `page`",
                "takes `after`",
                "takes `cursor`",
                "takes `page`",
                "takes `cursor`",
                "*/*",
                "GraphQL",
                "`startIndex`",
            ],
        ),
        ("ocean", ["26 of 29 services"]),
    ],
)
def test_warnings(load: Load, name: str, warnings: list[str]) -> None:
    """What isn't done is told, and nothing else."""
    told = load(name).warnings
    assert [w in t for w, t in zip(warnings, told, strict=True)] == [True] * len(told)


@pytest.mark.parametrize(
    ("name", "read_on"),
    [
        ("old", {"number": 68}),
        ("new", {"number": 102, "token": 1}),
        ("github", {"link": 68}),
        ("ocean", {"url": 37}),
    ],
)
def test_lists_are_read_on(load: Load, name: str, read_on: dict[str, int]) -> None:
    """Lists have a way on, each provider its own, whether its document tells it or shows it."""
    selects = [m for m in methods(load(name)) if m.access is Access.SELECT]
    found = Counter(m.cursor.kind for m in selects if m.cursor)
    found += Counter("number" for m in selects if m.paging)
    assert found == read_on


def test_templates_block_their_methods(load: Load) -> None:
    """A method whose answer goes through a Go template can't be called; its neighbours can."""
    availability = Catalog((load("new"),)).resource("new", "regions", "availability")
    blocked = {m.name: m.unsupported for m in availability.methods}
    assert blocked == {"list": (), "get": ("`response.transform` isn't supported.",)}


def test_absent_service(load: Load) -> None:
    """Asking for a resource of a service whose file is absent says which file that is."""
    with pytest.raises(PatqlError, match=r"github/v0\.3\.1/services/actions\.yaml"):
        Catalog((load("github"),)).resource("github", "actions", "artifacts")


def test_token_resource_of_2023(load: Load) -> None:
    """An object key that doesn't resolve on a single token falls back to the token itself, found by its `id`."""
    tokens = Catalog((load("old"),)).resource("old", "profile", "tokens")
    single = tokens.method("getPersonalAccessToken")
    assert single is not None
    assert single.object_key is None
    assert [p.key_column for p in single.parameters] == ["id"]
    assert {"id", "label", "token"} <= {c.name for c in single.columns}
    assert tokens.key == "id"
    listed = tokens.method("getPersonalAccessTokens")
    assert listed is not None
    assert listed.paging is not None
    assert listed.paging.page == "page"


@pytest.mark.parametrize(
    ("name", "resource", "method", "key"),
    [
        ("new", "profile.personal_access_tokens", "get", "id"),
        ("new", "networking.ip_addresses", "get", "address"),
        ("new", "linode.disks", "get", "id"),
        ("new", "lke.nodes", "get", None),
        ("ocean", "compute.droplets", "droplets_get", "id"),
        ("ocean", "compute.vpc_nat_gateways", "vpcnatgateways_get", "id"),
        ("ocean", "compute.ssh_keys", "ssh_keys_get", None),
        ("github", "repos.webhooks", "get_webhook", "id"),
        ("github", "repos.branches", "get_branch", None),
    ],
)
def test_keys(
    load: Load, name: str, resource: str, method: str, key: str | None
) -> None:
    """The parameter that names a row's key is known where it is certain."""
    service, _, resource = resource.partition(".")
    found = Catalog((load(name),)).resource(name, service, resource).method(method)
    assert found is not None
    last = found.path.rpartition("{")[2].rstrip("}")
    assert {p.name: p.key_column for p in found.parameters}[last] == key


def test_name_without_verb_is_for_exec(load: Load) -> None:
    """A method named `get` that no verb mentions isn't reached by SELECT, whatever its name."""
    repos = Catalog((load("github"),)).resource("github", "repos", "repos")
    single = repos.method("get")
    assert single is not None
    assert single.access is Access.EXEC
