"""Many rows by one request, all of them or none: what a server of ours has beside the requests for single rows.

No other server has it. One that isn't known yet is asked by the first batch itself: where there is no such path, nothing
was done, and the rows go one by one.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from secrets import token_urlsafe

import msgspec
from msgspec.structs import replace

from patql.catalog.document import Batch, Method, Resource
from patql.engine.given import Arguments
from patql.engine.meter import Meter
from patql.engine.request import first, locate, reasons
from patql.engine.send import INTERRUPTED, Sending
from patql.engine.state import State
from patql.kernel.errors import Code, PatqlError, Problem, ServerRefusedError
from patql.kernel.http import Request, Response
from patql.kernel.interrupts import Held

MOST = 10_000
"""Rows in one batch."""

LONGEST = (8 << 20) - 1
"""Bytes in the body of one batch."""

IDEMPOTENCY_KEY = b"idempotency-key"
"""The header by which a server knows a request that it has had before."""

_MISSING = "not found"
_JSON = (b"content-type", b"application/json")
_DONE = Response(200, [_JSON], b"{}")


class Rows:
    """The rows that a statement makes, changes or deletes by one method.

    Args:
        method: which.
        arguments: those of each row.
        requests: what would be sent for each row alone.
        resource: whose rows they are.
        state: what the statement runs with.

    Attributes:
        requests: those that are given.
        batch: what does for many of them what the method does for one; None where each goes alone.
        keyed: whether they are rows that there are.
    """

    def __init__(
        self,
        method: Method,
        arguments: Sequence[Arguments],
        requests: Sequence[Request],
        resource: Resource,
        state: State,
    ) -> None:
        self.requests = requests
        several = len(requests) > 1
        self.batch = usable(method, resource, state) if several else None
        keys = {p.name for p in method.parameters if p.key_column}
        if any(each.keys() != keys for each in arguments):
            self.batch = (
                None  # what else a request says can't be said of one row among others
            )
        self.keyed = bool(keys)
        self._keys = keys
        self._arguments = arguments

    def item(self, at: int) -> bytes:
        """The row at a position as an entry of a batch."""
        body = self.requests[at].body
        key = b"".join(msgspec.json.encode(self._arguments[at][k]) for k in self._keys)
        if not body:
            return key
        name = self.batch.key if self.batch else None
        if name is None:
            return body
        return b'{"%b":%b%b' % (
            name.encode(),
            key,
            b"}" if body == b"{}" else b"," + body[1:],
        )

    def begin(
        self,
        judge: Callable[[int, Response], bool],
        resource: Resource,
        state: State,
        held: Held,
    ) -> Sending:
        """What sends them; the arguments are those of `Sending`."""
        if self.batch is None:
            return Sending(self.requests, judge, resource, state, held)
        return Batches(self, self.batch, judge, resource, state, held)

    def parted(self) -> Iterator[tuple[range, Request]]:
        """The batches, each with the positions of its rows; nothing where the rows go alone."""
        begin, upto = 0, len(self.requests)
        while self.batch is not None and begin < upto:
            rows = self.ahead(begin, upto, MOST)
            yield rows, request(self.batch, [self.item(at) for at in rows])
            begin = rows.stop

    def ahead(self, begin: int, upto: int, most: int) -> range:
        """The positions of the rows that go together, from `begin` on: at least one, and at most `most`."""
        size = 64  # what stands around the entries
        for at in range(begin, min(upto, begin + most)):
            size += len(self.item(at)) + 1
            if size > LONGEST and at > begin:
                return range(begin, at)
        return range(begin, min(upto, begin + most))


def usable(method: Method, resource: Resource, state: State) -> Batch | None:
    """What does for many rows what a method does for one, unless it is known that the target hasn't got it."""
    target = state.transport_of(resource).target
    if method.batch is None or target in state.unbatched:
        return None
    return None if is_foreign(resource, state) else method.batch


def is_foreign(resource: Resource, state: State) -> bool:
    """Whether the target is a server that the document names: of whoever's API it is about, with nothing of ours."""
    provider, service, _ = resource.id.split(".")
    servers = state.catalog.service(provider, service).servers
    return state.transport_of(resource).target in servers


def is_ours(resource: Resource, state: State) -> bool:
    """Whether the target is known to be a server of ours."""
    target = state.transport_of(resource).target
    return target in state.versioned or not target.startswith("http")


def request(batch: Batch, items: Sequence[bytes]) -> Request:
    """The request for some rows, under a key of its own."""
    body = b'{"%b":[%b]}' % (batch.items.encode(), b",".join(items))
    key = (IDEMPOTENCY_KEY, token_urlsafe(24).encode())
    return Request(batch.verb, batch.path, headers=[_JSON, key], body=body)


class Batches(Sending):
    """How far rows have come that go together, one batch after the other; the arguments are those of `Sending`.

    Rows that are gone are left out of their batch, which then is sent again.
    """

    UNTRIED = "not done"

    def __init__(
        self,
        rows: Rows,
        batch: Batch,
        judge: Callable[[int, Response], bool],
        resource: Resource,
        state: State,
        held: Held,
    ) -> None:
        super().__init__(rows.requests, judge, resource, state, held)
        self._rows = rows
        self._batch = batch
        self._transport = state.transport_of(resource)
        self._most = MOST

    def all(self, last: int = 0) -> None:
        """Send all of them, a batch after the other; where the server knows none, as `Sending` does."""
        every = len(self._requests)
        meter = self._state.meter(self._resource.id)
        try:
            while self._begun < every and self._may_go_on():
                left = -(-(every - self._begun) // self._most)
                meter.expected = meter.requests + left
                rows = self._rows.ahead(self._begun, every, self._most)
                if not self._send(rows, meter):
                    super().all(last)
                    return
        except PatqlError as error:
            self._broken = error
        except KeyboardInterrupt:
            self._broken = PatqlError(Code.CANCELLED, INTERRUPTED)
        self._settle()

    def _send(self, rows: range, meter: Meter) -> bool:
        """Have some rows changed; False where the server knows no batches."""
        self._begun = rows.stop
        left: Sequence[int] = rows
        while left:
            sent = request(self._batch, [self._rows.item(at) for at in left])
            response = first(self._transport.send([sent], 1, meter))
            meter.answered(len(response.body))
            if response.status < 300:
                self._accept(left, sent, response)
                return True
            problems = reasons(response)
            by_row = self._placed(left, problems)
            if _is_absent(response, problems) and len(left) == len(rows):
                self._begun = rows.start
                self._state.unbatched.add(self._transport.target)
                return False
            if response.status == 413 and len(left) > 1:
                self._begun, self._most = rows.start, len(left) // 2
                return True
            gone = {at for at in by_row if self._is_gone(by_row[at])}
            if not gone or len(gone) < len(by_row):
                self._refuse(left, by_row, sent, response)
                return True
            self._gone |= gone
            left = _without(left, gone)
        return True

    def _accept(self, rows: Sequence[int], sent: Request, response: Response) -> None:
        """Take the answer to each row of a batch."""
        for number, (at, body) in enumerate(
            zip(rows, self._bodies(len(rows), sent, response), strict=True)
        ):
            answer = _DONE if body is None else replace(response, body=body)
            if number:  # what the headers say is said once
                answer = replace(answer, headers=[_JSON])
            self._take(at, answer)

    def _bodies(
        self, count: int, sent: Request, response: Response
    ) -> Sequence[bytes | None]:
        name = self._batch.rows
        if name is None:
            return [None] * count
        try:
            found = msgspec.json.decode(response.body, type=dict[str, msgspec.Raw])
            parts = msgspec.json.decode(found[name], type=list[msgspec.Raw])
        except (msgspec.DecodeError, KeyError):
            parts = []
        if len(parts) != count:
            where = locate(self._transport, sent)
            message = f"{where} didn't answer with the {count:,} rows of the batch"
            raise PatqlError(Code.BAD_RESPONSE, message)
        return [bytes(part) for part in parts]

    def _refuse(
        self,
        rows: Sequence[int],
        by_row: dict[int, list[Problem]],
        sent: Request,
        response: Response,
    ) -> None:
        """None of these rows was changed: for what is wrong with some of them, or with the request as a whole."""
        refusal = partial(ServerRefusedError, response.status)
        where = locate(self._transport, sent)
        for at, problems in by_row.items():
            self.errors[at] = refusal(tuple(problems), where)
        spared = [at for at in rows if at not in by_row]
        if by_row:
            self._spared.update(spared)
        else:
            self._refused.update(spared)
            self._broken = refusal(reasons(response), where)

    def _placed(
        self, rows: Sequence[int], problems: Sequence[Problem]
    ) -> dict[int, list[Problem]]:
        """The problems that are said to be a row's, by its position, with what of the row they are about."""
        found: dict[int, list[Problem]] = {}
        form = re.compile(rf"{re.escape(self._batch.items)}\[(\d{{1,9}})\]\.?(.*)")
        for problem in problems:
            place = form.fullmatch(problem.field or "")
            if place and int(place[1]) < len(rows):
                own = Problem(problem.reason, place[2] or None)
                found.setdefault(rows[int(place[1])], []).append(own)
        return found

    def _is_gone(self, problems: Sequence[Problem]) -> bool:
        """Whether all that is wrong with a row is that it isn't there any more."""
        missing = (problem.reason.casefold() == _MISSING for problem in problems)
        return self._rows.keyed and all(missing)


def _without(rows: Sequence[int], gone: set[int]) -> list[int]:
    return [at for at in rows if at not in gone]


def _is_absent(response: Response, problems: Sequence[Problem]) -> bool:
    """Whether a response says that there is no such path, or none that takes such a request.

    Where a row is missing, its place is named; where the path is, nothing is.
    """
    absent = response.status in (404, 405)
    return absent and not any(problem.field for problem in problems)
