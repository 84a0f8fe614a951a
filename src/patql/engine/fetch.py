"""Steps to rows: the only stage that waits for a server.

A list is read to its end: the first page tells how many there are, the rest come concurrently. Pages that aren't one
snapshot of the list are read again, and refused if the list won't stand still; never stitched together.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import arro3.core as arrow

from patql.catalog.document import Paging
from patql.engine.decode import Columns, Decoder, Page
from patql.engine.plan import Step
from patql.engine.ports import Transport
from patql.engine.request import build, is_missing, locate, reasons, refuse, send
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

ATTEMPTS = 3
"""How often a list is read before it is given up as changing too fast."""

BATCH = 8_000
"""Rows that become columns together: enough to be cheap, few enough to be out of the way soon."""

T = TypeVar("T")


class _ChangedError(Exception):
    """The pages read so far aren't one snapshot."""


def fetch(step: Step, transport: Transport, concurrency: int) -> arrow.Table:
    """The rows of one step, all of them, from one snapshot.

    Raises:
        ServerRefusedError: the server answered with an error.
        PatqlError: UNREACHABLE, BAD_RESPONSE, or PAGES_CHANGED where the list changed during each attempt.
    """
    decoder = Decoder(step.method, step.columns, step.key)
    where = locate(transport, build(step.method, step.arguments))
    batches = fetch_each(
        lambda some: decoder.batch(some, where), step, decoder, transport, concurrency
    )
    return arrow.Table.from_batches(batches, schema=decoder.schema)


def fetch_each(
    take: Callable[[Columns], T],
    step: Step,
    decoder: Decoder,
    transport: Transport,
    concurrency: int,
) -> list[T]:
    """What `take` makes of each few thousand rows of a step, while they are at hand.

    Raises:
        PatqlError: as `fetch`.
    """
    for _ in range(ATTEMPTS):
        try:
            pages = _pages(step, decoder, transport, concurrency)
            return [take(some) for some in _gathered(decoder, pages)]
        except _ChangedError:
            continue
    message = (
        f"{locate(transport, build(step.method, step.arguments))} changed while it was read, {ATTEMPTS} times in a row, "
        "so its pages are no answer: ask again when fewer changes are made"
    )
    raise PatqlError(Code.PAGES_CHANGED, message)


def _gathered(decoder: Decoder, pages: Iterator[Page]) -> Iterator[Columns]:
    columns, count = decoder.columns(), 0
    for page in pages:
        decoder.extend(columns, page.rows)
        count += len(page.rows)
        if count >= BATCH:
            yield columns
            columns, count = decoder.columns(), 0
    if count:
        yield columns


def _pages(
    step: Step, decoder: Decoder, transport: Transport, concurrency: int
) -> Iterator[Page]:
    paging = step.method.paging
    if paging is None or paging.page in step.arguments:
        yield from _one(step, decoder, transport)
        return
    first = _page_request(step, paging, 1)
    response = send(transport, first)
    if response.status != 200:
        refuse(transport, first, response)
    page = decoder.decode(response.body, locate(transport, first))
    if page.pages is None and page.rows:
        message = f"{locate(transport, first)} doesn't say how many pages there are"
        raise PatqlError(Code.BAD_RESPONSE, message)
    snapshot = _Snapshot(paging, decoder, response, page)
    yield page
    rest = [_page_request(step, paging, n) for n in range(2, (page.pages or 1) + 1)]
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


def _page_request(step: Step, paging: Paging, number: int) -> Request:
    arguments = {**step.arguments, paging.page: number}
    if paging.size and paging.size_maximum:
        arguments.setdefault(paging.size, paging.size_maximum)
    return build(step.method, arguments)


class _Snapshot:
    """Whether pages belong together: by the list's version where the server sends it, else by what can be seen."""

    def __init__(
        self, paging: Paging, decoder: Decoder, response: Response, page: Page
    ) -> None:
        self._header = (paging.version_header or "").encode()
        self._version = response.header(self._header)
        self._decoder = decoder
        self._results = page.results
        self._rows = 0
        self._keys = set[Any]()
        self._seen = 0
        self._count(page)

    def add(self, response: Response, page: Page) -> None:
        """Take one more page.

        Raises:
            _ChangedError: it is of another snapshot.
        """
        version = response.header(self._header)
        if version != self._version or page.results != self._results:
            raise _ChangedError
        self._count(page)

    def check_whole(self) -> None:
        """Every row once, and as many as the server said.

        Raises:
            _ChangedError: otherwise.
        """
        if len(self._keys) != self._seen:
            raise _ChangedError
        if self._results is not None and self._rows != self._results:
            raise _ChangedError

    def _count(self, page: Page) -> None:
        self._rows += len(page.rows)
        if (
            self._version is None
        ):  # nothing else tells that a row moved from one page to the next
            keys = self._decoder.keys(page.rows)
            self._keys.update(keys)
            self._seen += len(keys)
