"""Compile provider documents: YAML beside itself into JSON, which is all that is read at query time.

Hatchling runs it for each wheel and each editable install. By hand: `python packaging/compile_providers.py`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from patql.catalog.build import build  # noqa: E402  (built from the checkout, before anything is installed)
from patql.catalog.load import COMPILED, OPENAPI, PROVIDERS  # noqa: E402
from patql.catalog.node import Node  # noqa: E402

SERVED_FROM = ("/v4", "/v4beta")
RESOURCES = "x-stackQL-resources"
ALL = {
    "title": "Personal access tokens",
    "description": "Issue, list, rename, verify and revoke personal access tokens, your own and, as an administrator, anybody's.",
}
"""What the served document is called."""


class CompileProviders(BuildHookInterface[Any]):
    """Writes the JSON before a wheel, editable or not, is put together."""

    PLUGIN_NAME = "compile-providers"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling."""
        compile_all()


def compile_all() -> None:
    """Compile every provider document of the package."""
    for path, content in compiled():
        path.write_bytes(content)


def compiled() -> Iterator[tuple[Path, bytes]]:
    """Path and content of each file that compiling gives; nothing is written."""
    every: list[Node] = []
    for folder in sorted(PROVIDERS.glob("*/v*/")):
        opened: list[Node] = []

        def open_service(reference: str, opened: list[Node] = opened) -> Node:
            opened.append(read(PROVIDERS / reference))
            return opened[-1]

        provider = build(read(folder / "provider.yaml"), open_service)
        settings = merged(opened, "x-patql-settings")
        yield (
            folder / COMPILED,
            msgspec.json.encode({"settings": settings, "provider": provider}),
        )
        every += opened
    yield PROVIDERS / OPENAPI, msgspec.json.encode(served(every))


def read(path: Path) -> Node:
    """A YAML file as the root of a document."""
    return Node(yaml.load(path.read_bytes(), yaml.CSafeLoader), path.name)


def served(documents: list[Node]) -> dict[str, Any]:
    """One OpenAPI document of all services, at the addresses where a server of ours has it, settled."""
    documents = [apart(document) for document in documents]
    value: Any = documents[0].value
    first = {key: value[key] for key in value if key != "x-patql-settings"}
    kinds = {
        kind for document in documents for kind in document.need("components").names()
    }
    return {
        **first,
        "info": {**value["info"], **ALL},
        "servers": [{"url": url} for url in SERVED_FROM],
        "paths": merged(documents, "paths"),
        "components": {
            kind: merged([document.need("components") for document in documents], kind)
            for kind in sorted(kinds)
        },
    }


def apart(document: Node) -> Node:
    """The document with its service's name before those of its resources, which another service may use too."""
    service = document.need("info").text("title").lower()
    resources = document.need("components").need(RESOURCES).names()
    text = msgspec.json.encode(document.value).decode()
    for name in resources:
        text = text.replace(f"/{RESOURCES}/{name}/", f"/{RESOURCES}/{service}.{name}/")
    value: Any = msgspec.json.decode(text)
    own = value["components"][RESOURCES]
    value["components"][RESOURCES] = {f"{service}.{name}": own[name] for name in own}
    return Node(value, document.file)


def merged(holders: list[Node], key: str) -> dict[str, Any]:
    """The entries of the mappings at a key of several documents; what two have must be the same in both."""
    found: dict[str, Any] = {}
    for holder in holders:
        for name, node in holder.children(key):
            if found.setdefault(name, node.value) != node.value:
                node.fail("another service's document says something else here")
    return found


if __name__ == "__main__":
    compile_all()
