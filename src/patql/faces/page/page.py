"""A resource's page in the formats that `patql docs` offers."""

from collections.abc import Callable, Mapping

from patql.catalog.document import Provider, Resource
from patql.faces.page import content, html, markdown, text
from patql.kernel.errors import Code, PatqlError

FORMATS: Mapping[str, Callable[[content.Page], str]] = {
    "text": text.render,
    "markdown": markdown.render,
    "html": html.render,
}
"""What prints a page in each format."""


def render(provider: Provider, resource: Resource, format: str = "text") -> str:  # noqa: A002  (as the option)
    """The page of one of a provider's resources, ending in a line break.

    Args:
        provider: the provider.
        resource: one of its resources.
        format: `text` for a terminal of 80 columns, `markdown`, or `html`: one file that needs no other.

    Raises:
        PatqlError: USAGE where there is no such format.
    """
    printer = FORMATS.get(format)
    if printer is None:
        known = ", ".join(f"`{name}`" for name in FORMATS)
        raise PatqlError(
            Code.USAGE, f"There is no format `{format}`; there are {known}."
        )
    return printer(content.page(provider, resource))
