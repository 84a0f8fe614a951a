"""Where an operation's requests go: the nearest `servers` of a document, whose URL may hold variables."""

import re

import msgspec

from patql.catalog.document import Parameter
from patql.catalog.node import Node

_VARIABLE = re.compile(r"\{([A-Za-z_][\w.-]*)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
"""A variable of a URL's template; StackQL lets a pattern follow its name, `{origin:^[a-z.]+$}`."""


class Server(msgspec.Struct, frozen=True):
    """The template of a base URL, without trailing slash, and its variables; `url` is None where it isn't absolute."""

    written: str
    url: str | None
    variables: tuple[Parameter, ...]


def find_server(holders: tuple[Node, ...]) -> Server:
    """The first server of the nearest holder that names any."""
    for holder in holders:
        for server in holder.elements("servers"):
            return _server(server)
    return Server("", None, ())


def _server(node: Node) -> Server:
    written = node.text("url")
    url = _VARIABLE.sub(r"{\1}", written).rstrip("/")
    names = dict.fromkeys(_VARIABLE.findall(written))
    described = dict(node.children("variables"))
    absolute = url.startswith(("https://", "http://", "{"))
    return Server(
        written,
        url if absolute else None,
        tuple(_variable(name, described.get(name)) for name in names),
    )


def _variable(name: str, node: Node | None) -> Parameter:
    if node is None:
        return Parameter(name, "server", "string", required=True)
    default = node.text("default") or None
    return Parameter(
        name,
        "server",
        "string",
        required=default is None,
        description=node.text("description"),
        default=default,
        variable=node.text("x-stackQL-envVar") or None,
    )
