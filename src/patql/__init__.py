"""Personal access tokens as a SQL table.

`Authority(path)` issues, lists, renames, revokes and verifies tokens in process, as its `Policy` says; `asgi`,
`TokenMiddleware` and `requires` put it into a product's ASGI application; `connect()` opens a session that runs SQL over
resources; what goes wrong is a `PatqlError`. None is imported before it is used.
"""

from typing import TYPE_CHECKING

from patql.kernel.version import __version__

__all__ = [
    "Authority",
    "Denied",
    "Granted",
    "PatqlError",
    "Policy",
    "Role",
    "TokenMiddleware",
    "TokenRefusedError",
    "__version__",
    "asgi",
    "connect",
    "requires",
]

if TYPE_CHECKING:
    from patql.authority.model import Denied, Granted, Role
    from patql.authority.policy import Policy
    from patql.compose import Authority, connect
    from patql.faces.asgi.middleware import TokenMiddleware
    from patql.faces.asgi.mount import asgi
    from patql.faces.asgi.requirement import TokenRefusedError, requires
    from patql.kernel.errors import PatqlError

_HOMES = {
    "Authority": "patql.compose",
    "Denied": "patql.authority.model",
    "Granted": "patql.authority.model",
    "PatqlError": "patql.kernel.errors",
    "Policy": "patql.authority.policy",
    "Role": "patql.authority.model",
    "TokenMiddleware": "patql.faces.asgi.middleware",
    "TokenRefusedError": "patql.faces.asgi.requirement",
    "asgi": "patql.faces.asgi.mount",
    "connect": "patql.compose",
    "requires": "patql.faces.asgi.requirement",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    msg = f"module 'patql' has no attribute {name!r}"
    raise AttributeError(msg)
