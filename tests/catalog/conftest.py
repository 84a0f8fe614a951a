"""A small but complete document, and changes to it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from patql.catalog.build import adopt
from patql.catalog.document import Provider
from patql.catalog.node import Node

GOOD: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("things.yaml").read_text("utf-8")
)

Adopted = Callable[..., Provider]


@pytest.fixture(scope="session")
def adopted() -> Adopted:
    """Adopts the document with a change to its service, or to its provider, under the name `mine`."""
    return _adopted


def _adopted(change: dict[str, Any], *, part: str = "service") -> Provider:
    documents = copy.deepcopy(GOOD)
    changed(documents[part], change)
    return adopt(
        "mine",
        Node(documents["provider"], "provider.yaml"),
        lambda reference: Node(documents["service"], "things.yaml"),
    )


def changed(document: dict[str, Any], change: dict[str, Any]) -> None:
    """Put a change into a document: mappings are merged, everything else replaces, null takes away."""
    for key, value in change.items():
        known: Any = document.get(key)
        if value is None:
            del document[key]
        elif type(value) is type(known) is dict:
            changed(known, value)
        else:
            document[key] = value
