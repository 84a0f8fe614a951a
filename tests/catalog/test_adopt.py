"""Documents that others wrote: what is taken from them beyond our own, and what isn't done."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.catalog.conftest import Adopted

from patql.catalog.document import Auth, Body, Method, Parameter, Provider

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("unsupported.yaml").read_text("utf-8")
)


def method(provider: Provider, name: str) -> Method:
    """A method of the resource `things`."""
    found = provider.services[0].resources[0].method(name)
    assert found is not None
    return found


def of_list(written: dict[str, Any]) -> dict[str, Any]:
    """A change to the method `list`."""
    return of_method("list", written)


def of_method(name: str, written: dict[str, Any]) -> dict[str, Any]:
    """A change to a method of `things`."""
    things = {"things": {"methods": {name: written}}}
    return {"components": {"x-stackQL-resources": things}}


def test_as_it_is_called_here(adopted: Adopted) -> None:
    """The name is the user's in every id; nothing of a good document is complained of."""
    provider = adopted({})
    assert (provider.id, provider.name) == ("mine", "mine")
    assert provider.services[0].resources[0].id == "mine.things.things"
    assert provider.warnings == ()
    assert all(m.unsupported == () for m in provider.services[0].resources[0].methods)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_not_done(adopted: Adopted, case: dict[str, Any]) -> None:
    """What isn't done is told once a service, naming the methods; a method that can't be right without can't be called."""
    provider = adopted(case["at"], part=case.get("in", "service"))
    assert provider.warnings == (case["warns"],)
    if provider.services[0].missing is None:
        blocked = (case["blocked"],) if "blocked" in case else ()
        assert method(provider, "list").unsupported == blocked


def test_warnings_name_a_handful(adopted: Adopted) -> None:
    """A warning about many methods names some and counts the others."""
    methods = {
        f"m{n}": {"operation": {"$ref": "#/paths/~1things/get"}, "speed": n}
        for n in range(25)
    }
    change = {"components": {"x-stackQL-resources": {"many": {"methods": methods}}}}
    (warning,) = adopted(change).warnings
    assert warning.endswith("`many.m8`, `many.m9` and 15 more.")


def test_parameters_of_several_segments(adopted: Adopted) -> None:
    """Slashes in them stay what they are."""
    ref = {"name": "ref", "in": "path", "x-multi-segment": True}
    provider = adopted(of_list({"parameters": [ref]}))
    assert method(provider, "list").parameter("ref") == Parameter(
        "ref", "path", "string", segments=True
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"type": "null_auth"}, Auth("null")),
        (
            {"type": "bearer", "credentialsenvvar": "T"},
            Auth("bearer", ("T",), prefix="Bearer "),
        ),
        (
            {"type": "basic", "credentialsenvvar": "C"},
            Auth("basic", ("C",), prefix="Basic "),
        ),
        (
            {"type": "basic", "username_var": "U", "password_var": "P"},
            Auth("basic", ("U", "P"), prefix="Basic "),
        ),
        (
            {"type": "api_key", "api_key_var": "K", "valuePrefix": "SSWS "},
            Auth("api_key", ("K",), prefix="SSWS "),
        ),
        (
            {
                "type": "custom",
                "location": "header",
                "name": "X-Key",
                "credentialsenvvar": "K",
                "successor": {
                    "type": "custom",
                    "location": "query",
                    "name": "app",
                    "credentialsenvvar": "A",
                },
            },
            Auth(
                "custom",
                ("K",),
                name="X-Key",
                successor=Auth("custom", ("A",), location="query", name="app"),
            ),
        ),
    ],
)
def test_auth(adopted: Adopted, written: dict[str, Any], expected: Auth) -> None:
    """Each type of auth that requests can be sent with."""
    assert adopted({"config": {"auth": None}}, part="provider").auth is None
    config = {"config": {"auth": {"credentialsenvvar": "", **written}}}
    assert adopted(config, part="provider").auth == expected


@pytest.mark.parametrize(
    ("change", "server", "variables"),
    [
        ({}, "https://shop.example/v1", ()),
        ({"paths": {"/things": {"servers": [{"url": "https://p/"}]}}}, "https://p", ()),
        (
            {
                "paths": {
                    "/things": {
                        "servers": [{"url": "https://p"}],
                        "get": {"servers": [{"url": "https://o"}]},
                    }
                }
            },
            "https://o",
            (),
        ),
        (
            of_list({"servers": [{"url": "https://m"}]})
            | {"paths": {"/things": {"get": {"servers": [{"url": "https://o"}]}}}},
            "https://m",
            (),
        ),
        (
            {
                "servers": [
                    {
                        "url": "{scheme}://{region}.{host:^[a-z]{1,9}$}/v1/",
                        "variables": {
                            "scheme": {"default": "https"},
                            "region": {
                                "x-stackQL-envVar": "REGION",
                                "description": "Where.",
                            },
                        },
                    }
                ]
            },
            "{scheme}://{region}.{host}/v1",
            (
                Parameter("scheme", "server", "string", default="https"),
                Parameter(
                    "region",
                    "server",
                    "string",
                    required=True,
                    description="Where.",
                    variable="REGION",
                ),
                Parameter("host", "server", "string", required=True),
            ),
        ),
    ],
)
def test_server(
    adopted: Adopted,
    change: dict[str, Any],
    server: str,
    variables: tuple[Parameter, ...],
) -> None:
    """The nearest server counts: of the method, the operation, the path, the service; its variables are parameters."""
    listed = method(adopted(change), "list")
    assert listed.server == server
    assert tuple(p for p in listed.parameters if p.location == "server") == variables


@pytest.mark.parametrize(
    ("algorithm", "naive", "nested"),
    [
        ("", False, None),
        ("naive", True, None),
        ("naive_DesiredState", True, "DesiredState"),
    ],
)
def test_body(
    adopted: Adopted, algorithm: str, naive: bool, nested: str | None
) -> None:
    """How a body's properties are named, and the key under which they stand; a method may need more of them."""
    config = {"requestBodyTranslate": {"algorithm": algorithm}}
    created = {"config": config, "request": {"required": ["extra", "name"]}}
    body = method(adopted(of_method("create", created)), "create").body
    assert isinstance(body, Body)
    assert (body.naive, body.nested) == (naive, nested)
    assert body.required == ("name", "kind", "extra")


@pytest.mark.parametrize("mapping", [True, False])
def test_parameters_of_a_method(adopted: Adopted, mapping: bool) -> None:
    """A method adds parameters of its own, in a list or by name, and replaces those of the operation."""
    colour = {"name": "colour", "in": "query", "schema": {"type": "integer"}}
    size = {"name": "size", "in": "header"}
    written = {"colour": colour, "size": size} if mapping else [colour, size]
    listed = method(adopted(of_list({"parameters": written})), "list")
    assert [(p.name, p.location, p.type) for p in listed.parameters[1:]] == [
        ("colour", "query", "integer"),
        ("size", "header", "string"),
    ]
    assert listed.required == ()


def test_schema_of_a_methods_own(adopted: Adopted) -> None:
    """A method may say what is answered where the operation's schema doesn't."""
    schema = {"type": "object", "properties": {"speed": {"type": "number"}}}
    listed = method(adopted(of_list({"response": {"schema_override": schema}})), "list")
    assert [c.name for c in listed.columns] == ["speed"]


@pytest.mark.parametrize(
    ("object_key", "resolved", "columns"),
    [
        ("$.a.b", "a.b", ["deep"]),
        ("$.a.c[*].d", "a.c[*].d", ["deeper"]),
        ("$.list", "list", ["top"]),
        ("$.list[*]", "list", ["top"]),
        ("$", None, ["a", "list"]),
        ("$.data", None, ["a", "list"]),
        ("$.a.x", None, ["a", "list"]),
        ("$.a.e", None, ["a", "list"]),
    ],
)
def test_object_key(
    adopted: Adopted, object_key: str, resolved: str | None, columns: list[str]
) -> None:
    """Rows are where the key leads on the schema; where it leads nowhere, or to a scalar, the answer is the row."""

    def rows(name: str) -> dict[str, Any]:
        return {"type": "array", "items": {"properties": {name: {"type": "string"}}}}

    inner = {"properties": {"d": rows("deeper")}}
    deep = {"b": rows("deep"), "c": {"type": "array", "items": inner}}
    deep["e"] = {"type": "string"}
    schema = {"properties": {"a": {"properties": deep}, "list": rows("top")}}
    response = {"schema_override": schema, "objectKey": object_key}
    listed = method(adopted(of_list({"response": response})), "list")
    assert listed.object_key == resolved
    assert [c.name for c in listed.columns] == columns


def test_rows_of_any_properties(adopted: Adopted) -> None:
    """A row whose properties the document doesn't name is one JSON value; what a DELETE answers with stays nothing."""
    response = {"response": {"schema_override": {"type": "object"}}}
    listed = method(adopted(of_list(response)), "list")
    assert [(c.name, c.type) for c in listed.columns] == [("column_anon", "object")]
    removed = method(adopted(of_method("remove", response)), "remove")
    assert removed.columns == ()
