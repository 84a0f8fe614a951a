"""Personal access tokens as a SQL table.

`Authority(path)` issues, lists, renames, revokes and verifies tokens in process; `connect()` opens a session that
runs SQL over resources; what goes wrong is a `PatqlError`. None is imported before it is used.
"""

from typing import TYPE_CHECKING

from patql.kernel.version import __version__

__all__ = ["Authority", "PatqlError", "__version__", "connect"]

if TYPE_CHECKING:
    from patql.compose import Authority, connect
    from patql.kernel.errors import PatqlError


def __getattr__(name: str) -> object:
    if name in {"Authority", "connect"}:
        from patql import compose

        return getattr(compose, name)
    if name == "PatqlError":
        from patql.kernel.errors import PatqlError

        return PatqlError
    msg = f"module 'patql' has no attribute {name!r}"
    raise AttributeError(msg)
