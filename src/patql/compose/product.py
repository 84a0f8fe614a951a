"""The API v4 over an authority that a product has opened by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from patql.authority.authority import Authority
from patql.compose.api import open_api
from patql.config import Settings

if TYPE_CHECKING:
    from patql.api.api import Api


def product_api(authority: Authority) -> "Api":
    """The API v4 over an authority, by that authority's policy: the environment has no say."""
    policy = authority.policy
    settings = Settings(
        data_dir=Path(),  # nothing is kept there
        token_prefix=policy.prefix,
        scopes=policy.categories,
        token_scope=policy.guard,
    )
    return open_api(authority, settings)
