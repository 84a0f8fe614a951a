"""`patql docs`."""

import argparse
import os

from patql.faces.console.exits import OK
from patql.kernel.errors import Code, PatqlError

PAGES = ("text", "markdown", "html")
"""What `--format` takes; written out, so that nothing is imported for it."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the resource and the format."""
    parser.description = "Print the page of a resource."
    parser.add_argument("resource", help="such as linode.profile.tokens")
    parser.add_argument("--format", choices=PAGES, default="text")


def act(given: argparse.Namespace) -> int:
    """Print the page."""
    from patql import compose, config
    from patql.catalog.names import Catalog
    from patql.faces.console.sink import StandardOutput, written
    from patql.faces.page.page import render

    settings = config.read(os.environ)
    own = compose.provider(settings)
    catalog = Catalog((own,), {"patql": lambda: compose.administration(settings)})
    parts = given.resource.split(".")
    if len(parts) != 3:
        raise PatqlError(
            Code.USAGE,
            f"{given.resource!r} isn't a resource",
            hint=f"a resource is written provider.service.resource, such as {own.name}.profile.tokens",
        )
    resource = catalog.resource(*parts)
    described = catalog.provider(parts[0])
    with written(StandardOutput()) as sink:
        sink.write(render(described, resource, given.format))
    return OK
