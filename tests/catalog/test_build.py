"""From documents as written to what the engine plans from, and refusals that name the place."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests.catalog.conftest import GOOD, changed

from patql.catalog.build import build
from patql.catalog.document import Access, Column, Paging, Parameter, Provider, Resource
from patql.catalog.node import Node
from patql.kernel.errors import Code, PatqlError

HERE = Path(__file__).parent
BROKEN: list[dict[str, Any]] = yaml.safe_load(
    (HERE / "documents.yaml").read_text("utf-8")
)


def built(documents: dict[str, Any]) -> Provider:
    """The provider of a provider and a service document."""

    def open_service(reference: str) -> Node:
        assert reference == "shop/v1/services/things.yaml"
        return Node(documents["service"], "things.yaml")

    return build(Node(documents["provider"], "provider.yaml"), open_service)


@pytest.fixture(scope="module")
def things() -> Resource:
    """The resource that has most of it."""
    return built(GOOD).services[0].resources[0]


def test_provider_and_service() -> None:
    """What stands above resources is read, titles falling back to names."""
    provider = built(GOOD)
    (service,) = provider.services
    assert (provider.id, provider.title, provider.token_variable) == (
        "shop",
        "shop",
        "SHOP_TOKEN",
    )
    assert (service.id, service.name, service.title) == (
        "things:v1",
        "things",
        "things",
    )
    assert service.preferred
    assert service.servers == ("https://shop.example/v1",)
    assert service.scopes == ("things:read", "shop:read")
    assert [r.id for r in service.resources] == [
        "shop.things.things",
        "shop.things.people",
        "shop.things.colours",
    ]


@pytest.mark.parametrize(
    ("name", "access", "verb", "path", "scopes"),
    [
        ("list", Access.SELECT, "GET", "/things", ("things:read",)),
        (
            "get",
            Access.SELECT,
            "GET",
            "/things/{thingId}",
            ("things:read", "shop:read"),
        ),
        ("create", Access.INSERT, "POST", "/things", ()),
        ("remove", Access.DELETE, "DELETE", "/things/{thingId}", ("things:read",)),
    ],
)
def test_methods(
    things: Resource,
    name: str,
    access: Access,
    verb: str,
    path: str,
    scopes: tuple[str, ...],
) -> None:
    """Verbs that `sqlVerbs` doesn't mention go by StackQL's names; scopes are the operation's, else the document's."""
    method = things.method(name)
    assert method is not None
    assert (method.access, method.verb, method.path) == (access, verb, path)
    assert method.scopes == scopes


def test_verb_without_methods_has_none() -> None:
    """An empty list in `sqlVerbs` means that no method serves the verb, whatever its name."""
    colours = built(GOOD).services[0].resources[2]
    assert [m.access for m in colours.methods] == [Access.EXEC]


def test_parameters(things: Resource) -> None:
    """An operation's parameter replaces its path's, cookies are left out, StackQL's mark makes one required."""
    method = things.methods[0]
    assert method.parameters == (
        Parameter(
            "page", "query", "integer", description="of the operation", minimum=1
        ),
        Parameter("colour", "query", "string", required=True),
    )
    assert method.required == ("colour",)


def test_rows_and_columns(things: Resource) -> None:
    """Rows are under the object key, or the response itself where that doesn't resolve; allOf and $ref are followed."""
    listed, single = things.methods[:2]
    row = (
        Column("id", "integer", read_only=True),
        Column("name", "string", "Its name.", nullable=True, max_length=9),
        Column("parts", "array"),
    )
    assert (listed.object_key, flat(listed.columns)) == ("rows", row)
    sent = (Column("rows", "array"), Column("pages", "integer"))
    assert flat(listed.sent) == sent
    assert (single.object_key, flat(single.columns)) == (None, row)


def flat(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Columns without the shape of what is nested."""
    return tuple(replace(column, shape=None) for column in columns)


def test_items_and_nameless_rows() -> None:
    """Without an object key, `items` holds the rows; rows that are scalars have one column."""
    (colours,) = built(GOOD).services[0].resources[2].methods
    assert colours.object_key == "items"
    assert colours.columns == (Column("column_anon", "string"),)


def test_body(things: Resource) -> None:
    """A body's properties, those that must be given, and how they are named, which is inherited from the provider."""
    body = things.methods[2].body
    assert body is not None
    assert [c.name for c in body.columns] == ["name", "kind"]
    assert body.columns[1].type == "string"
    assert body.required == ("name", "kind")
    assert body.naive


@pytest.mark.parametrize("algorithm", ["", "default"])
def test_body_named_otherwise(algorithm: str) -> None:
    """Every other algorithm names properties `data__x`; the nearest setting counts."""
    documents = copy.deepcopy(GOOD)
    documents["service"]["x-stackQL-config"] = {
        "requestBodyTranslate": {"algorithm": algorithm}
    }
    body = built(documents).services[0].resources[0].methods[2].body
    assert body is not None
    assert not body.naive


def test_paging(things: Resource) -> None:
    """Paging by number, with what the document tells."""
    assert things.methods[0].paging == Paging("page", "pages")
    assert things.methods[1].paging is None


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "odata_next_link"},
        {"requestToken": {"key": "page", "location": "header"}},
    ],
)
def test_other_paging_is_not_mistaken(change: dict[str, Any]) -> None:
    """Paging of another kind isn't paging by number."""
    documents = copy.deepcopy(GOOD)
    resource = documents["service"]["components"]["x-stackQL-resources"]["things"]
    resource["methods"]["list"]["config"]["pagination"] |= change
    assert built(documents).services[0].resources[0].methods[0].paging is None


def test_keys_are_detected(things: Resource) -> None:
    """`/things/{thingId}` is one of `/things`, whose key is `id`, for each method on that path."""
    keys = {m.name: [p.key_column for p in m.parameters] for m in things.methods}
    assert keys["get"] == keys["remove"] == ["id"]
    assert keys["list"] == [None, None]
    assert things.key == "id"


def test_name_is_no_key_of_its_own() -> None:
    """A parameter that is neither a column nor an id isn't taken for the row's `id`."""
    people = built(GOOD).services[0].resources[1]
    assert people.key is None


@pytest.mark.parametrize("case", BROKEN, ids=[case["why"] for case in BROKEN])
def test_refusals_name_the_place(case: dict[str, Any]) -> None:
    """What is wrong with a document is told with its place in it."""
    documents = copy.deepcopy(GOOD)
    changed(documents[case.get("in", "service")], case["at"])
    with pytest.raises(PatqlError) as caught:
        built(documents)
    assert caught.value.code is Code.SCHEMA
    assert case["error"] in str(caught.value)
