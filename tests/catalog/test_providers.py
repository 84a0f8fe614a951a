"""The documents inside the package: valid OpenAPI, compiled from what is written, and true of the real API."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import yaml
from openapi_spec_validator import validate

from patql.catalog.document import Access, Batch, Paging, Resource
from patql.catalog.load import PROVIDERS, builtin, builtin_openapi
from patql.catalog.names import Catalog

ROOT = Path(__file__).parents[2]
PROVIDED = ("linode", "patql")
DOCUMENTS = sorted(PROVIDERS.glob("*/*/services/*.yaml"))


@pytest.fixture(scope="module")
def compiler() -> ModuleType:
    """The build hook, which is no part of the package."""
    path = ROOT / "packaging" / "compile_providers.py"
    spec = importlib.util.spec_from_file_location("compile_providers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tokens() -> Resource:
    """The resource linode.profile.tokens."""
    return next(
        r for r in builtin("linode").services[0].resources if r.name == "tokens"
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_document_is_valid_openapi(path: Path) -> None:
    """A service document is valid OpenAPI, its extensions notwithstanding."""
    validate(yaml.safe_load(path.read_bytes()))


def test_served_document_is_valid_openapi() -> None:
    """So is what a server serves, which names its own addresses, with every setting changed."""
    served = msgspec.json.decode(
        builtin_openapi(
            "linode", prefix="acme_", categories=["repos", "x:read_write"], guard="keys"
        )
    )
    validate(served)
    assert served["servers"] == [{"url": "/v4"}, {"url": "/v4beta"}]
    assert "x-patql-settings" not in served  # those of its author, not of who serves it


def test_served_document_has_every_service() -> None:
    """One document has the paths of both providers, and the resources of each by service and name."""
    served = msgspec.json.decode(builtin_openapi("linode"))
    provided = [builtin(name) for name in PROVIDED]
    resources = [r for p in provided for s in p.services for r in s.resources]
    methods = [m for r in resources for m in r.methods]
    batches = {m.batch.path for m in methods if m.batch}
    assert served["paths"].keys() == {m.path for m in methods} | batches
    described = served["components"]["x-stackQL-resources"]
    assert {key: found["id"] for key, found in described.items()} == {
        resource.id.partition(".")[2]: resource.id for resource in resources
    }
    for key, found in described.items():
        for verbs in found["sqlVerbs"].values():
            for verb in verbs:
                assert verb["$ref"].split("/")[3] == key
                assert verb["$ref"].split("/")[5] in found["methods"]


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        (
            "linode.account.events",
            {
                "getEvent": "SELECT GET /account/events/{eventId}",
                "getEvents": "SELECT GET /account/events",
            },
        ),
        (
            "patql.authority.users",
            {
                "getUser": "SELECT GET /patql/users/{username}",
                "getUsers": "SELECT GET /patql/users",
                "createUser": "INSERT POST /patql/users",
                "updateUser": "UPDATE PUT /patql/users/{username}",
                "deleteUser": "DELETE DELETE /patql/users/{username}",
            },
        ),
        (
            "patql.authority.tokens",
            {
                "getToken": "SELECT GET /patql/tokens/{tokenId}",
                "getTokens": "SELECT GET /patql/tokens",
                "deleteToken": "DELETE DELETE /patql/tokens/{tokenId}",
            },
        ),
        (
            "patql.authority.events",
            {"getAuthorityEvents": "SELECT GET /patql/events"},
        ),
    ],
)
def test_resources_of_the_authority(name: str, methods: dict[str, str]) -> None:
    """What whoever runs an authority has, and the events of an account, method by method."""
    provider, service, resource = name.split(".")
    found = Catalog((builtin(provider),)).resource(provider, service, resource)
    assert {
        m.operation_id: f"{m.access.value} {m.verb} {m.path}" for m in found.methods
    } == methods


def test_batches(tokens: Resource) -> None:
    """What makes, renames and revokes tokens has an operation that does it for many; nothing else has."""
    batches = {m.operation_id: m.batch for m in tokens.methods if m.batch}
    scopes = ("account:read_write",)
    made = ("/patql/batch", "tokens", "tokens")
    assert batches == {
        "createPersonalAccessToken": Batch(
            "createPersonalAccessTokens", "POST", *made, scopes=scopes
        ),
        "updatePersonalAccessToken": Batch(
            "updatePersonalAccessTokens", "PUT", *made, key="id", scopes=scopes
        ),
        "deletePersonalAccessToken": Batch(
            "deletePersonalAccessTokens", "DELETE", "/patql/batch", "ids", scopes=scopes
        ),
    }


def test_compiled_is_not_stale(compiler: ModuleType) -> None:
    """The JSON that is read is what compiling the YAML gives now; `make setup` brings it up to date."""
    files = dict(compiler.compiled())
    assert files
    for path, content in files.items():
        assert path.read_bytes() == content, path


def test_compiling_writes_the_files(
    compiler: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook writes the JSON beside the YAML before a wheel is put together."""
    *_, compiled, served = compiler.compiled()
    written = [(tmp_path / path.name, content) for path, content in (compiled, served)]
    monkeypatch.setattr(compiler, "compiled", lambda: written)
    compiler.CompileProviders.initialize(object(), "editable", {})
    assert {p.name for p in tmp_path.iterdir()} == {"compiled.json", "openapi.json"}
    assert all(path.read_bytes() == content for path, content in written)


def test_services_must_agree(compiler: ModuleType) -> None:
    """Two services of a provider that describe one path differently can't be served together."""
    read: Any = compiler.Node
    first, second = (
        read({"paths": {"/a": {"get": {"summary": text}}}}, f"{text}.yaml")
        for text in ("one", "two")
    )
    with pytest.raises(Exception, match=r"two\.yaml#/paths/~1a: another service"):
        compiler.merged([first, second], "paths")
    assert compiler.merged([first, first], "paths") == first.value["paths"]


def test_list_is_paged(tokens: Resource) -> None:
    """The list is read by number, as many rows a page as allowed, with its version in a header; EXEC reads one page."""
    by_name = {m.name: m.paging for m in tokens.methods}
    assert by_name.pop("getPersonalAccessTokens") == Paging(
        page="page",
        pages_key="pages",
        size="page_size",
        size_maximum=500,
        results_key="results",
        version_header="x-patql-list-version",
    )
    assert set(by_name.values()) == {None}


def test_key_is_the_id(tokens: Resource) -> None:
    """`tokenId` names the row's `id` wherever a path has it."""
    keys = {p.key_column for m in tokens.methods for p in m.parameters if p.required}
    assert keys == {"id"}
    assert tokens.key == "id"


def test_page_size_bounds(tokens: Resource) -> None:
    """A page has 25 to 500 rows."""
    size = next(p for p in tokens.methods[1].parameters if p.name == "page_size")
    assert (size.minimum, size.maximum) == (25, 500)


@pytest.mark.parametrize("resource", ["profile", "grants"])
def test_one_row_resources(resource: str) -> None:
    """Profile and grants are one row, for any valid token."""
    found = next(
        r for r in builtin("linode").services[0].resources if r.name == resource
    )
    (method,) = found.methods
    assert method.access is Access.SELECT
    assert method.object_key is None
    assert method.scopes == ()
    assert method.columns == method.sent != ()


def test_everything_is_described() -> None:
    """Each resource, method, parameter, column and property has a description that ends a sentence."""
    services = [s for name in PROVIDED for s in builtin(name).services]
    for service in services:
        for resource in service.resources:
            described: list[Any] = [
                resource,
                *resource.columns,
                *resource.methods,
                *(p for m in resource.methods for p in m.parameters),
                *(c for m in resource.methods if m.body for c in m.body.columns),
            ]
            assert [d.name for d in described if not d.description.endswith(".")] == []
