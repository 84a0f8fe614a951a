"""The page of the resource, and that of one whose author means harm."""

import msgspec
import pytest

from patql.catalog.document import Access, Column, Method, Provider, Resource, Service
from patql.catalog.load import builtin

EVIL = "<script>alert(1)</script> \"'| [x](javascript:alert(1)) \x1b[31m\u202e `<i>`"


@pytest.fixture(scope="session")
def provider() -> Provider:
    """The built-in document."""
    return builtin("linode")


@pytest.fixture(scope="session")
def tokens(provider: Provider) -> Resource:
    """The resource linode.profile.tokens."""
    return next(r for r in provider.services[0].resources if r.name == "tokens")


@pytest.fixture(scope="session")
def hostile() -> tuple[Provider, Resource]:
    """A document in which every text tries to be markup."""
    method = Method(
        EVIL, Access.SELECT, EVIL, EVIL, EVIL, EVIL, columns=(Column(EVIL, EVIL, EVIL),)
    )
    resource = Resource(EVIL, EVIL, EVIL, EVIL, (method,))
    service = Service(
        EVIL, EVIL, EVIL, EVIL, EVIL, preferred=True, servers=(), resources=(resource,)
    )
    return Provider(EVIL, EVIL, EVIL, EVIL, EVIL, (service,)), resource


@pytest.fixture(scope="session")
def long_names(tokens: Resource) -> Resource:
    """The resource with a name that fits no telephone."""
    return msgspec.structs.replace(tokens, name="w" * 300, title="x" * 300)
