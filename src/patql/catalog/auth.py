"""How a provider's requests are authorised: the `config.auth` of its document."""

from patql.catalog.document import Auth
from patql.catalog.node import Node

_PREFIXES = {"bearer": "Bearer ", "basic": "Basic "}
_NAMES = {"null_auth": "null"}
SUPPORTED = ("null", "null_auth", "bearer", "basic", "api_key", "custom")
"""The types of auth that requests can be sent with."""


def build_auth(node: Node) -> Auth | None:
    """The auth at a node, None where its type, or that of a successor, isn't supported.

    Raises:
        PatqlError: SCHEMA where a custom one doesn't say under which name the key is sent.
    """
    kind = node.text("type")
    if kind not in SUPPORTED:
        return None
    name = node.text("name", "" if kind == "custom" else "Authorization")
    following = node.child("successor")
    successor = build_auth(following) if following else None
    if following and successor is None:
        return None
    return Auth(
        type=_NAMES.get(kind, kind),
        variables=_variables(node),
        location=node.text("location", "header"),
        name=name or node.fail("`name` is missing"),
        prefix=node.text("valuePrefix", _PREFIXES.get(kind, "")),
        successor=successor,
    )


def _variables(node: Node) -> tuple[str, ...]:
    """The environment variables of user and password, else that of the token or key."""
    user, password = node.text("username_var"), node.text("password_var")
    if user and password:
        return (user, password)
    variable = node.text("credentialsenvvar") or node.text("api_key_var")
    return (variable,) if variable else ()
