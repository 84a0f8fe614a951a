"""Parameters that only a server of ours takes, by their mark in the document: they are sent to no other.

Another server may pass over what it doesn't know, and do less than was asked for without a word. So one that isn't known
yet is asked for a page of a list first: only a server of ours says of which version of the list that is.
"""

from collections.abc import Collection

import msgspec

from patql.catalog.document import Access, Method, Resource
from patql.engine.batch import is_foreign, is_ours
from patql.engine.request import build, refuse, send
from patql.engine.state import State
from patql.kernel.errors import Code, SqlError


class Extension(msgspec.Struct, frozen=True):
    """A parameter that may be sent if the server turns out to be one of ours.

    Attributes:
        name: of the parameter.
        reader: the list that tells.
        version: the lower-case header of its pages in which it does.
    """

    name: str
    reader: Method
    version: str


def undecided(
    method: Method, names: Collection[str], resource: Resource, state: State
) -> Extension | None:
    """The extension that a server must be asked about first; None where all may be sent. No server is asked here.

    Args:
        method: what is called.
        names: the parameters that it is given.
        resource: whose method it is.
        state: what the statement runs with.

    Raises:
        SqlError: UNSUPPORTED where the target is known to be no server of ours, or can't be asked.
    """
    found = [p.name for p in method.parameters if p.extension and p.name in names]
    if not found or is_ours(resource, state):
        return None
    if not is_foreign(resource, state):
        for reader in resource.by_access(Access.SELECT):
            version = reader.paging and reader.paging.version_header
            if version and not reader.required:
                return Extension(found[0], reader, version)
    raise _unsupported(found[0], method, resource, state)


def require(
    method: Method, names: Collection[str], resource: Resource, state: State
) -> None:
    """Go no further unless all parameters may be sent; the arguments are those of `undecided`.

    Raises:
        SqlError: UNSUPPORTED where the target isn't known to be a server of ours.
        PatqlError: it didn't answer.
    """
    extension = undecided(method, names, resource, state)
    if extension is None:
        return
    transport = state.transport_of(resource)
    request = build(extension.reader, {})
    response = send(transport, request)
    if response.status >= 300:
        refuse(transport, request, response)
    if not response.header(extension.version.encode()):
        raise _unsupported(extension.name, method, resource, state)
    state.versioned.add(transport.target)


def _unsupported(
    name: str, method: Method, resource: Resource, state: State
) -> SqlError:
    target = state.transport_of(resource).target
    message = (
        f"{name} of {method.name} is an extension that only PatQL's own servers take, and {target} isn't known to be one: "
        "nothing was changed"
    )
    return SqlError(Code.UNSUPPORTED, message)
