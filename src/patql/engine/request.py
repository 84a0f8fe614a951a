"""One request: built from a method, sent, and its answer judged."""

import re
from collections.abc import Iterator
from typing import NoReturn, TypeVar

import msgspec

from patql.catalog.document import Method
from patql.engine.given import Arguments, Value
from patql.engine.ports import Transport
from patql.kernel.errors import Code, Problem, ServerRefusedError, SqlError
from patql.kernel.http import (
    Request,
    Response,
    path_segment,
    path_segments,
    query_string,
)

T = TypeVar("T")


class _Errors(msgspec.Struct):
    errors: list[Problem]


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

_HOST_PART = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]*")
"""What a variable of a server's URL may be, so that it can't change whose server that is."""


_TOLD = 300
"""How many characters of a URL that a server sent a message has at most."""


def build(method: Method, arguments: Arguments, body: bytes = b"") -> Request:
    """The request that calls a method; arguments that aren't parameters of it are left out.

    Raises:
        SqlError: TYPE_MISMATCH for a value that can't stand in a server's URL.
    """
    path, query = method.path, list[tuple[str, str]]()
    headers = [(b"content-type", b"application/json")] if body else []
    for parameter in method.parameters:
        if parameter.name not in arguments:
            continue
        text = written(arguments[parameter.name])
        if parameter.location == "path":
            encode = path_segments if parameter.segments else path_segment
            path = path.replace(f"{{{parameter.name}}}", encode(text))
        elif parameter.location == "query":
            query.append((parameter.name, text))
        elif parameter.location == "header":
            headers.append((parameter.name.lower().encode(), text.encode()))
    if left := _PLACEHOLDER.search(path):
        message = f"{method.name} needs {left[1]}"
        raise SqlError(Code.MISSING_PARAMETER, message)
    base = _base(method, arguments)
    return Request(method.verb, path, query_string(query), headers, body, base)


def _base(method: Method, arguments: Arguments) -> str | None:
    """The URL of the document's server with its variables filled in; None where the target has its own."""
    base = method.server
    for parameter in method.parameters if base else ():
        if parameter.location != "server":
            continue
        value = written(arguments.get(parameter.name, parameter.default or ""))
        if not _HOST_PART.fullmatch(value):
            message = f"{parameter.name} stands in the server's URL, where {value!r} can't stand"
            raise SqlError(Code.TYPE_MISMATCH, message)
        base = base.replace(f"{{{parameter.name}}}", value) if base else base
    return base


def send(transport: Transport, request: Request) -> Response:
    """The answer to one request, whatever its status."""
    return first(transport.send([request], 1))


def first(answers: Iterator[T]) -> T:
    """The one answer of a transport that was given one request."""
    return next(iter(answers))


def locate(transport: Transport, request: Request) -> str:
    """A request as a person would name it, for messages."""
    path = f"{request.path}?{request.query}" if request.query else request.path
    if request.base is not None or transport.target.startswith("http"):
        return f"{request.method} {request.base or transport.target}{path}"
    return f"{request.method} {path} ({transport.target})"


def refuse(transport: Transport, request: Request, response: Response) -> NoReturn:
    """Tell what a server said against a request."""
    said = reasons(response) or _redirected(response)
    raise ServerRefusedError(response.status, said, locate(transport, request))


def _redirected(response: Response) -> tuple[Problem, ...]:
    """What a redirect (RFC 9110, section 15.4) says; it isn't followed, since the token is for the target alone."""
    location = response.header(b"location")
    if not 300 <= response.status < 400 or location is None:
        return ()
    told = location[:_TOLD].decode("latin-1")
    return (Problem(f"it points to {told}, and redirects aren't followed"),)


def reasons(response: Response) -> tuple[Problem, ...]:
    """The server's own words, empty where it sent none in the API's form."""
    try:
        return tuple(msgspec.json.decode(response.body, type=_Errors).errors)
    except msgspec.DecodeError:
        return ()


def is_missing(method: Method, arguments: Arguments, response: Response) -> bool:
    """Whether a response says that the one row asked for by its key doesn't exist.

    Only the API's own words count: a proxy's or a wrong base URL's 404 says nothing about the row.
    """
    keyed = any(p.key_column and p.name in arguments for p in method.parameters)
    return keyed and says_missing(response)


def says_missing(response: Response) -> bool:
    """Whether a response says, in the API's own words, that what was asked for doesn't exist."""
    json = (response.header(b"content-type") or b"").startswith(b"application/json")
    if response.status != 404 or not json:
        return False
    said = reasons(response)
    return bool(said) and all(
        problem.reason.casefold() == "not found" for problem in said
    )


def written(value: Value) -> str:
    """An argument as requests have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
