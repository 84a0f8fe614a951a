"""Dotted paths into a response, followed on its schema."""

from patql.catalog import schema
from patql.catalog.node import Node


def resolve(node: Node, path: str) -> Node | None:
    """The schema at a dotted path; None where the path leads nowhere.

    A property whose whole name is the path, dots and all, goes first.
    """
    known = dict(schema.properties(node))
    if path in known:
        return known[path]
    step, _, rest = path.partition(".")
    found = known.get(step.removesuffix("[*]"))
    if found is not None and step.endswith("[*]"):
        found = found.child("items")
    return resolve(found, rest) if found is not None and rest else found
