"""One request of a step, or one list: which request comes next, and whether the pages belong together.

The first page of a list that is paged by number tells how many there are; the rest may then be asked for at once. A
list that is read on by a cursor tells the next page with each.
"""

from msgspec.structs import replace

from patql.catalog.document import Cursor, Paging
from patql.engine.decode import Decoder, Page
from patql.engine.distinct import Distinct
from patql.engine.given import Arguments
from patql.engine.pages import check_moved, next_request
from patql.engine.request import (
    build,
    is_missing,
    locate,
    reasons,
    refuse,
    says_missing,
)
from patql.engine.state import State
from patql.engine.step import Step
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

FILTER = b"x-filter"
"""The header that says which rows a list is asked for (Linode API v4, "Filtering and Sorting")."""

SMALLEST = 25
"""Rows of the smallest page that Linode's API gives ("Pagination")."""

Requests = list[Request]


class ChangedError(Exception):
    """The pages read so far aren't one snapshot."""


class Listing:
    """What one set of arguments is answered with.

    Attributes:
        arguments: what is asked for.
        missing: whether the server said that there is no such thing.
        pages: how many pages will be read, as far as that is known.
    """

    def __init__(
        self, step: Step, arguments: Arguments, decoder: Decoder, state: State
    ) -> None:
        self.arguments = arguments
        self.missing = False
        self.pages = 1
        self._step = step
        self._decoder = decoder
        self._state = state
        self._transport = state.transport_of(step.resource)
        paging = step.method.paging
        self._paging = None if paging and paging.page in arguments else paging
        self._snapshot: _Snapshot | None = None
        self._rows = 0
        self._own = self._is_own

    def first(self) -> Request:
        """The request to begin with."""
        if self._paging:
            return self._numbered(self._paging, 1)
        arguments = dict(self.arguments)
        cursor = self._step.method.cursor
        if cursor and cursor.size and cursor.size_maximum:
            arguments.setdefault(cursor.size, cursor.size_maximum)
        return build(self._step.method, arguments)

    def take(
        self, request: Request, response: Response
    ) -> tuple[Page | None, Requests]:
        """The page that a response holds, if it is to be kept, and the requests that can be sent next.

        Raises:
            ServerRefusedError: the server answered with an error.
            PatqlError: BAD_RESPONSE where the response isn't what the document says.
            ChangedError: it belongs to another snapshot than the pages before.
        """
        if self._snapshot and response.status == 404 and reasons(response):
            raise ChangedError  # the list became shorter than the first page said
        if self._is_missing(response):
            self.missing = True
            return None, []
        if response.status == 204:
            return None, []
        where = locate(self._transport, request)
        if response.status != 200:
            refuse(self._transport, request, response)
        page = self._decoder.decode(response.body, where)
        if self._paging:
            return self._take_numbered(self._paging, response, page, where)
        if (cursor := self._step.method.cursor) is None:
            return page, []
        self._take_into("", response, page)
        self._rows += len(page.rows)
        if self._limit is not None and self._rows >= self._limit:
            return page, []
        return page, self._next(cursor, request, response, page, where)

    def _next(
        self,
        cursor: Cursor,
        request: Request,
        response: Response,
        page: Page,
        where: str,
    ) -> Requests:
        target = self._transport.target
        base = request.base or (target if target.startswith("http") else "")
        following = next_request(
            cursor, self.first(), request, response, page.next, base
        )
        if following is None:
            return []
        check_moved(request, following, where)
        self.pages += 1
        return [following]

    def _take_into(self, version: str, response: Response, page: Page) -> None:
        """Count a page to the snapshot, whose list has that header of its version."""
        if self._snapshot is None:
            self._snapshot = _Snapshot(version, self._decoder, response, page)
        else:
            self._snapshot.add(response, page)

    def check_whole(self) -> None:
        """Every row came once, and as many as the server said.

        Raises:
            ChangedError: otherwise.
        """
        if self._snapshot is not None:
            self._snapshot.check_whole(whole=self._limit is None)

    @property
    def is_exact(self) -> bool:
        """Whether the server is asked for exactly the rows that meet the conditions."""
        push = self._step.push
        return push is not None and push.filter(own=self._own).exact

    def _is_missing(self, response: Response) -> bool:
        """Whether there is no such thing, which isn't an error of a value among others, as rows gave them."""
        if self._step.values or self._step.feed:
            return self.pages == 1 and says_missing(response)
        return is_missing(self._step.method, self.arguments, response)

    @property
    def _is_own(self) -> bool:
        """Whether the server is known to be one of ours."""
        return self._transport.target in self._state.versioned

    @property
    def _limit(self) -> int | None:
        push = self._step.push
        return push.rows(own=self._own) if push else None

    def _take_numbered(
        self, paging: Paging, response: Response, page: Page, where: str
    ) -> tuple[Page | None, Requests]:
        version = paging.version_header or ""
        if self._snapshot is not None:
            self._take_into(version, response, page)
            return page, []
        if page.pages is None and page.rows:
            message = f"{where} doesn't say how many pages there are"
            raise PatqlError(Code.BAD_RESPONSE, message)
        if self._learns_to_narrow(paging, response, page):
            return None, [self._numbered(paging, 1)]
        self._take_into(version, response, page)
        self.pages = max(page.pages or 1, 1)
        if self._limit is not None and page.rows:
            self.pages = min(self.pages, -(-self._limit // len(page.rows)) or 1)
        rest = range(2, self.pages + 1)
        return page, [self._numbered(paging, number) for number in rest]

    def _learns_to_narrow(self, paging: Paging, response: Response, page: Page) -> bool:
        """Whether a first page shows that the server is one of ours, which can be asked for fewer pages than there are."""
        if paging.version_header and response.header(paging.version_header.encode()):
            self._state.versioned.add(self._transport.target)
        push = self._step.push
        if push is None or self._own or not self._is_own or (page.pages or 1) == 1:
            return False
        stranger = (push.header(own=False), push.rows(own=False))
        self._own = stranger != (push.header(own=True), push.rows(own=True))
        return self._own

    def _numbered(self, paging: Paging, number: int) -> Request:
        arguments = {**self.arguments, paging.page: number}
        if paging.size and paging.size_maximum:
            most = paging.size_maximum
            size = (
                most if self._limit is None else min(max(self._limit, SMALLEST), most)
            )
            arguments.setdefault(paging.size, size)
        request = build(self._step.method, arguments)
        push = self._step.push
        asked = push.header(own=self._own) if push else b""
        if not asked:
            return request
        return replace(request, headers=[*request.headers, (FILTER, asked)])


class _Snapshot:
    """Whether pages belong together: by the list's version where the server sends it, else by what can be seen."""

    def __init__(
        self, version: str, decoder: Decoder, response: Response, page: Page
    ) -> None:
        self._header = version.encode()
        self._version = response.header(self._header)
        self._decoder = decoder
        self._results = page.results
        self._rows = 0
        self._keys = Distinct()
        self._count(page)

    def add(self, response: Response, page: Page) -> None:
        """Take one more page.

        Raises:
            ChangedError: it is of another snapshot.
        """
        version = response.header(self._header)
        if version != self._version or page.results != self._results:
            raise ChangedError
        self._count(page)

    def check_whole(self, *, whole: bool) -> None:
        """Every row once, and where the `whole` list was read as many as the server said.

        Raises:
            ChangedError: otherwise.
        """
        if not self._keys.are_all:
            raise ChangedError
        if whole and self._results is not None and self._rows != self._results:
            raise ChangedError

    def _count(self, page: Page) -> None:
        self._rows += len(page.rows)
        if (
            self._version is None
        ):  # nothing else tells that a row moved from one page to the next
            self._keys.add(self._decoder.keys(page.rows))
