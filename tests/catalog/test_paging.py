"""How lists are read to their end: a table of operations, and what is made of each."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import asdict

from patql.catalog.build import adopt
from patql.catalog.document import Cursor, Method, Paging
from patql.catalog.node import Node

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("paging.yaml").read_text("utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_lists(case: dict[str, Any]) -> None:
    """A list is read on as configured, else as it shows by itself; where it can't be, that is said."""
    method, warnings = adopted(case)
    declared = {parameter["name"] for parameter in case.get("takes", ())}
    taken = [p.name for p in method.parameters if p.location != "path"]
    assert given(method.paging) == case.get("paging", {})
    assert given(method.cursor) == case.get("cursor", {})
    assert [n for n in taken if n not in declared] == case.get("adds", [])
    said: str = case.get("problem") or case.get("doubt") or ""
    assert [said in warning for warning in warnings] == [True] * bool(said)
    assert bool(method.unsupported) == ("problem" in case)


def given(value: Paging | Cursor | None) -> dict[str, Any]:
    """What of a structure isn't left at its default, where that is nothing or the usual place."""
    known: dict[str, Any] = asdict(value) if value else {}
    usual = (None, "") if known.get("location") != "query" else (None, "", "query")
    return {key: item for key, item in known.items() if item not in usual}


def adopted(case: dict[str, Any]) -> tuple[Method, tuple[str, ...]]:
    """The method of a document that has only this operation, and the provider's warnings."""
    path = case.get("path", "/things")
    takes = [{"in": "query", **parameter} for parameter in case.get("takes", ())]
    content = {"application/json": {"schema": case["sends"]}}
    answer = {"headers": case.get("headers", {}), "content": content}
    operation = {"parameters": takes, "responses": {"200": answer}}
    pointer = path.replace("/", "~1")
    method = {
        "operation": {"$ref": f"#/paths/{pointer}/get"},
        "response": {"objectKey": case.get("rows", "")},
        "config": {"pagination": case.get("pagination")},
    }
    service = {
        "servers": [{"url": "https://shop.example"}],
        "paths": {path: {"get": operation}},
        "components": {
            "x-stackQL-resources": {"things": {"methods": {"list": method}}}
        },
    }
    entry = {"service": {"$ref": "shop/v1/things.yaml"}}
    document = {"name": "shop", "providerServices": {"things": entry}}
    provider = adopt(
        "mine",
        Node(document, "provider.yaml"),
        lambda reference: Node(service, "things.yaml"),
    )
    assert provider.services[0].missing is None
    return provider.services[0].resources[0].methods[0], provider.warnings
