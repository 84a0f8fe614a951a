"""The one place where ports meet adapters: the authority and its store, the API, the engine and its target.

Whatever one statement doesn't need is imported where it is needed, since a person waits for it.
"""

from patql.compose.api import (
    administration,
    api_from_environment,
    open_api,
    provider,
)
from patql.compose.authority import (
    Authority,
    database,
    make_first,
    make_folder,
    open_authority,
    policy,
)
from patql.compose.schema import Versions, check, damage, migrate
from patql.compose.session import connect, open_session
from patql.compose.target import (
    Choice,
    keep_embedded,
    open_target,
    store_token,
)

__all__ = [
    "Authority",
    "Choice",
    "Versions",
    "administration",
    "api_from_environment",
    "check",
    "connect",
    "damage",
    "database",
    "keep_embedded",
    "make_first",
    "make_folder",
    "migrate",
    "open_api",
    "open_authority",
    "open_session",
    "open_target",
    "policy",
    "provider",
    "store_token",
]
