"""Steps to rows: the only stage that waits for a server.

A list is read to its end: the first page tells how many there are, the rest come concurrently. Pages that aren't one
snapshot of the list are read again, and refused if the list won't stand still; never stitched together.
"""

from collections.abc import Iterator
from typing import NoReturn, TypeVar

import arro3.core as arrow
import msgspec

from patql.catalog.document import Method, Paging
from patql.engine.bind import Value
from patql.engine.decode import Decoder, Page
from patql.engine.plan import Step
from patql.engine.ports import Transport
from patql.kernel.errors import Code, PatqlError, Problem, ServerRefusedError
from patql.kernel.http import Request, Response, path_segment, query_string

ATTEMPTS = 3
"""How often a list is read before it is given up as changing too fast."""

T = TypeVar("T")


class _Errors(msgspec.Struct):
    errors: list[Problem]


class _ChangedError(Exception):
    """The pages read so far aren't one snapshot."""


def fetch(step: Step, transport: Transport, concurrency: int) -> arrow.Table:
    """The rows of one step, all of them, from one snapshot.

    Raises:
        ServerRefusedError: the server answered with an error.
        PatqlError: UNREACHABLE, BAD_RESPONSE, or PAGES_CHANGED where the list changed during each attempt.
    """
    decoder = Decoder(step.method, step.columns, step.key)
    for _ in range(ATTEMPTS):
        try:
            pages = list(_pages(step, decoder, transport, concurrency))
        except _ChangedError:
            continue
        return arrow.Table.from_batches(
            [page.batch for page in pages], schema=decoder.schema
        )
    message = (
        f"{locate(transport, build(step.method, step.arguments))} changed while it was read, {ATTEMPTS} times in a row, "
        "so its pages are no answer: ask again when fewer changes are made"
    )
    raise PatqlError(Code.PAGES_CHANGED, message)


def build(method: Method, arguments: dict[str, Value], body: bytes = b"") -> Request:
    """The request that calls a method; arguments that aren't parameters of it are left out."""
    path, query = method.path, list[tuple[str, str]]()
    headers = [(b"content-type", b"application/json")] if body else []
    for parameter in method.parameters:
        if parameter.name not in arguments:
            continue
        text = _text(arguments[parameter.name])
        if parameter.location == "path":
            path = path.replace(f"{{{parameter.name}}}", path_segment(text))
        elif parameter.location == "query":
            query.append((parameter.name, text))
        else:
            headers.append((parameter.name.lower().encode(), text.encode()))
    return Request(method.verb, path, query_string(query), headers, body)


def send(transport: Transport, request: Request) -> Response:
    """The answer to one request, whatever its status."""
    return first(transport.send([request], 1))


def first(answers: Iterator[T]) -> T:
    """The one answer of a transport that was given one request."""
    return next(iter(answers))


def locate(transport: Transport, request: Request) -> str:
    """A request as a person would name it, for messages."""
    path = f"{request.path}?{request.query}" if request.query else request.path
    if transport.target.startswith("http"):
        return f"{request.method} {transport.target}{path}"
    return f"{request.method} {path} ({transport.target})"


def refuse(transport: Transport, request: Request, response: Response) -> NoReturn:
    """Tell what a server said against a request."""
    raise ServerRefusedError(
        response.status, reasons(response), locate(transport, request)
    )


def reasons(response: Response) -> tuple[Problem, ...]:
    """The server's own words, empty where it sent none in the API's form."""
    try:
        return tuple(msgspec.json.decode(response.body, type=_Errors).errors)
    except msgspec.DecodeError:
        return ()


def is_missing(method: Method, arguments: dict[str, Value], response: Response) -> bool:
    """Whether a response says that the one row asked for by its key doesn't exist.

    Only the API's own words count: a proxy's or a wrong base URL's 404 says nothing about the row.
    """
    keyed = any(p.key_column and p.name in arguments for p in method.parameters)
    json = (response.header(b"content-type") or b"").startswith(b"application/json")
    if response.status != 404 or not keyed or not json:
        return False
    said = reasons(response)
    return bool(said) and all(
        problem.reason.casefold() == "not found" for problem in said
    )


def _pages(
    step: Step, decoder: Decoder, transport: Transport, concurrency: int
) -> Iterator[Page]:
    paging = step.method.paging
    if paging is None or paging.page in step.arguments:
        yield from _one(step, decoder, transport)
        return
    requests = _page_requests(step, paging)
    response = send(transport, requests(1))
    if response.status != 200:
        refuse(transport, requests(1), response)
    page = decoder.decode(response.body, locate(transport, requests(1)))
    snapshot = _Snapshot(paging, response, page)
    yield page
    if page.pages is None and page.rows:
        message = (
            f"{locate(transport, requests(1))} doesn't say how many pages there are"
        )
        raise PatqlError(Code.BAD_RESPONSE, message)
    rest = [requests(number) for number in range(2, (page.pages or 1) + 1)]
    answers = transport.send(rest, concurrency) if rest else iter(())
    for request, response in zip(rest, answers, strict=True):
        if response.status == 404 and reasons(response):
            raise _ChangedError  # the list became shorter than the first page said
        if response.status != 200:
            refuse(transport, request, response)
        page = decoder.decode(response.body, locate(transport, request))
        snapshot.add(response, page)
        yield page
    snapshot.check_whole()


def _one(step: Step, decoder: Decoder, transport: Transport) -> Iterator[Page]:
    request = build(step.method, step.arguments)
    response = send(transport, request)
    if is_missing(step.method, step.arguments, response):
        return
    if response.status not in (200, 204):
        refuse(transport, request, response)
    if response.status == 200:
        yield decoder.decode(response.body, locate(transport, request))


class _PageRequests:
    def __init__(self, step: Step, paging: Paging) -> None:
        self._step = step
        self._paging = paging
        self._size = (
            {paging.size: paging.size_maximum}
            if paging.size and paging.size_maximum
            else {}
        )

    def __call__(self, number: int) -> Request:
        arguments = {**self._size, **self._step.arguments, self._paging.page: number}
        return build(self._step.method, arguments)


def _page_requests(step: Step, paging: Paging) -> _PageRequests:
    return _PageRequests(step, paging)


class _Snapshot:
    """Whether pages belong together: by the list's version where the server sends it, else by what can be seen."""

    def __init__(self, paging: Paging, response: Response, page: Page) -> None:
        self._header = paging.version_header.encode() if paging.version_header else b""
        self._version = response.header(self._header)
        self._results = page.results
        self._rows = page.rows
        self._keys = set(page.keys)
        self._seen = len(page.keys)

    def add(self, response: Response, page: Page) -> None:
        """Take one more page; raises _ChangedError where it is of another snapshot."""
        if (
            response.header(self._header) != self._version
            or page.results != self._results
        ):
            raise _ChangedError
        self._rows += page.rows
        self._seen += len(page.keys)
        self._keys.update(page.keys)

    def check_whole(self) -> None:
        """Every row once, and as many as the server said."""
        if len(self._keys) != self._seen:
            raise _ChangedError
        if self._results is not None and self._rows != self._results:
            raise _ChangedError


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
