"""The API v4 over an authority, as the settings have it."""

import os
from typing import TYPE_CHECKING

from patql import config
from patql.authority import authority
from patql.compose.authority import open_authority, policy
from patql.config import Settings

if TYPE_CHECKING:
    from patql.api.api import Api
    from patql.catalog.document import Provider


def provider(settings: Settings) -> "Provider":
    """The description of the resources, as the settings have it."""
    from patql.catalog.load import builtin

    policy(settings)  # refuses what makes no sense
    return builtin(
        "linode",
        prefix=settings.token_prefix,
        categories=settings.scopes,
        guard=settings.token_scope,
    )


def open_api(opened: authority.Authority, settings: Settings) -> "Api":
    """The API v4 over an authority."""
    from patql.api.api import Api
    from patql.catalog.load import builtin_openapi

    openapi = builtin_openapi(
        "linode",
        prefix=settings.token_prefix,
        categories=settings.scopes,
        guard=settings.token_scope,
    )
    return Api(opened, provider(settings), openapi)


def api_from_environment() -> "Api":
    """The API that a server's worker process serves, as its environment says.

    Raises:
        PatqlError: as `open_authority`.
    """
    settings = config.read(os.environ)
    return open_api(open_authority(settings), settings)
