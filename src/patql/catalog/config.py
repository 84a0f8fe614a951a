"""The settings of a document's `config`, which method, resource, service and provider hand down to one another."""

from patql.catalog.node import Node


def setting(key: str, holders: tuple[Node, ...]) -> Node | None:
    """A key of `config`, from the nearest that has it; service documents call theirs `x-stackQL-config`."""
    for holder in holders:
        for name in ("config", "x-stackQL-config"):
            config = holder.child(name)
            if config and (found := config.child(key)):
                return found
    return None


def algorithm(key: str, holders: tuple[Node, ...]) -> str:
    """The `algorithm` that a setting names, empty where there is no such setting or it names none."""
    found = setting(key, holders)
    return found.text("algorithm") if found else ""
