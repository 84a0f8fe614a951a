"""The API v4 over an authority, as the settings have it."""

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from patql import config
from patql.authority import authority
from patql.compose.authority import open_authority, policy
from patql.config import Settings
from patql.kernel.errors import Code, PatqlError

if TYPE_CHECKING:
    from patql.api.api import Api
    from patql.catalog.document import Provider


TOKEN = "PATQL_TOKEN"  # noqa: S105  (a variable's name)

LINODE, PATQL = "linode", "patql"
"""The built-in documents: what a user of the API has, and what whoever runs it has beside that."""


def provider(settings: Settings) -> "Provider":
    """The description of the resources that every user has, as the settings have it.

    Raises:
        PatqlError: USAGE, for a setting that makes no sense.
    """
    if settings.provider == LINODE:
        return _builtin(LINODE, settings)
    _check_name(settings.provider)
    return replace(_builtin(LINODE, settings), token_variable=TOKEN)


def administration(settings: Settings) -> "Provider":
    """The description of the resources of whoever runs an authority, as the settings have it; raises as `provider`."""
    return _builtin(PATQL, settings)


def _builtin(document: str, settings: Settings) -> "Provider":
    from patql.catalog.load import builtin

    policy(settings)  # refuses what makes no sense
    return builtin(
        document,
        called=settings.provider if document == LINODE else document,
        prefix=settings.token_prefix,
        categories=settings.scopes,
        guard=settings.token_scope,
    )


def _check_name(name: str) -> None:
    """Refuse a provider's name that statements couldn't say as it is, or that means something else."""
    from patql.catalog.words import why_not

    if (reason := why_not(name, taken=(PATQL,))) is not None:
        raise PatqlError(
            Code.USAGE,
            f"PATQL_PROVIDER can't be {name!r}: {reason}",
            hint="small letters, digits and `_` can name a provider, such as `acme`",
        )


def open_api(opened: authority.Authority, settings: Settings) -> "Api":
    """The API v4 over an authority."""
    from patql.api.api import Api
    from patql.catalog.load import builtin_openapi

    openapi = builtin_openapi(
        LINODE,
        called=settings.provider,
        prefix=settings.token_prefix,
        categories=settings.scopes,
        guard=settings.token_scope,
    )
    return Api(opened, provider(settings), openapi, lambda: administration(settings))


def api_from_environment() -> "Api":
    """The API that a server's worker process serves, as its environment says.

    Raises:
        PatqlError: as `open_authority`.
    """
    settings = config.read(os.environ)
    return open_api(open_authority(settings), settings)
