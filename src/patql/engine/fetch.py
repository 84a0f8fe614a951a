"""Steps to rows: the only stage that waits for a server.

A list is read to its end. Pages that aren't one snapshot of the list are read again, and refused if the list won't
stand still; never stitched together.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import product
from typing import Any, TypeVar

import arro3.core as arrow
from msgspec.structs import replace

from patql.catalog.document import Resource
from patql.engine.decode import Columns, ContradictionError, Decoder
from patql.engine.feed import Feed
from patql.engine.given import Arguments, Value, as_argument
from patql.engine.listing import ChangedError, Listing
from patql.engine.meter import Meter
from patql.engine.request import build, first, locate
from patql.engine.state import State
from patql.engine.step import Step
from patql.engine.views import type_of, with_fed
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request

ATTEMPTS = 3
"""How often a list is read before it is given up as changing too fast."""

BATCH = 8_000
"""Rows that become columns together: enough to be cheap, few enough to be out of the way soon."""

T = TypeVar("T")


class WideningError(Exception):
    """Values of a resource contradict the types of their columns; `wider` has the types that they need, by column."""

    def __init__(self, resource: Resource, wider: Mapping[str, str]) -> None:
        self.resource = resource
        self.wider = wider
        super().__init__()


class Fetch:
    """What one step reads while a statement runs.

    Attributes:
        step: the step, or the list that is read instead of it.
        decoder: reads its responses.
    """

    def __init__(self, step: Step, state: State) -> None:
        calls = _calls(step, state)
        listed = step.instead if len(calls) > state.concurrency else None
        if listed is not None and _is_shorter(listed, len(calls), state):
            step = listed
            calls = _calls(step, state)
        self.step = step
        self.decoder = Decoder(step.method, step.columns, step.key, step.types)
        self._calls = calls
        self._state = state
        self._meter = _meter(step, state)
        self._missing: list[Request] = []

    @property
    def schema(self) -> arrow.Schema:
        """Of the batches: the step's columns, then the parameters that are columns of the rows."""
        return with_fed(self.decoder.schema, self.step.fed)

    @property
    def where(self) -> str:
        """The request, or the first of them, as a person would name it."""
        transport = self._state.transport_of(self.step.resource)
        calls = self._calls or [self.step.arguments]
        return locate(transport, build(self.step.method, calls[0]))

    def table(self) -> arrow.Table:
        """The rows, all of them, from one snapshot.

        Raises:
            ServerRefusedError: the server answered with an error.
            WideningError: a value contradicts the type of its column.
            PatqlError: UNREACHABLE, BAD_RESPONSE, or PAGES_CHANGED where the list changed during each attempt.
        """
        batches = self.each(self._batch)
        return arrow.Table.from_batches(batches, schema=self.schema)

    def each(self, take: Callable[[Columns, Columns], T]) -> list[T]:
        """What `take` makes of each few thousand rows and of their parameters, while they are at hand.

        Raises:
            WideningError, PatqlError: as `table`.
        """
        for _ in range(ATTEMPTS):
            try:
                return list(self._taken(take))
            except ChangedError:
                continue
        raise changing(self.where)

    def batches(self) -> Generator[arrow.RecordBatch]:
        """The rows as they come; those given are an answer only when the last page has been given too.

        Raises:
            ChangedError: they aren't of one snapshot.
            WideningError, PatqlError: as `table`.
        """
        return self._taken(self._batch)

    def notes(self) -> list[str]:
        """What is to be told of the rows, once they are read."""
        if not self._missing:
            return []
        count, of = len(self._missing), f"{len(self._calls)} requests for"
        first = self._name(self._missing[0])
        if count == 1:
            return [
                f"1 of {of} {self.step.resource.id} was answered 404, so that there are no rows for it: {first}"
            ]
        return [
            f"{count} of {of} {self.step.resource.id} were answered 404, so that there are no rows for them: {first} is the first"
        ]

    def _name(self, request: Request) -> str:
        return locate(self._state.transport_of(self.step.resource), request)

    def _taken(self, take: Callable[[Columns, Columns], T]) -> Generator[T]:
        try:
            for some in self._gathered():
                yield take(*some)
        except ContradictionError as found:
            raise WideningError(self.step.resource, found.wider) from None

    def _gathered(self) -> Iterator[tuple[Columns, Columns]]:
        columns, fed, count = self.decoder.columns(), self._no_values(), 0
        for listing, rows in self._read():
            self.decoder.extend(columns, rows)
            for parameter, values in zip(self.step.fed, fed, strict=True):
                values += [listing.arguments[parameter.name]] * len(rows)
            count += len(rows)
            if count >= BATCH:
                yield columns, fed
                columns, fed, count = self.decoder.columns(), self._no_values(), 0
        if count:
            yield columns, fed

    def _no_values(self) -> Columns:
        return [[] for _ in self.step.fed]

    def _read(self) -> Iterator[tuple[Listing, list[Any]]]:
        """The rows of each response, with what they were asked for: in rounds, since an answer tells what comes next."""
        listings = [
            Listing(self.step, c, self.decoder, self._state) for c in self._calls
        ]
        waiting = [(listing, listing.first()) for listing in listings]
        self._missing = []
        while waiting:
            self._meter.expected = sum(listing.pages for listing in listings)
            following: list[tuple[Listing, Request]] = []
            for (listing, request), page, more in self._round(waiting):
                if page:
                    yield listing, page
                following += ((listing, each) for each in more)
                if listing.missing and (self.step.values or self.step.feed):
                    self._missing.append(request)
            waiting = following
        for listing in listings:
            listing.check_whole()

    def _round(
        self, waiting: list[tuple[Listing, Request]]
    ) -> Iterator[tuple[tuple[Listing, Request], list[Any], list[Request]]]:
        transport = self._state.transport_of(self.step.resource)
        requests = [request for _, request in waiting]
        answers = transport.send(requests, self._state.concurrency, self._meter)
        for (listing, request), response in zip(waiting, answers, strict=True):
            page, more = listing.take(request, response)
            rows = page.rows if page else []
            self._meter.answered(len(response.body), len(rows))
            yield (listing, request), rows, more

    def _batch(self, columns: Columns, fed: Columns) -> arrow.RecordBatch:
        batch = self.decoder.batch(columns, self.where)
        if not fed:
            return batch
        arrays = [
            arrow.Array(values, type=type_of(parameter))
            for parameter, values in zip(self.step.fed, fed, strict=True)
        ]
        return arrow.RecordBatch.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
            [*batch.columns, *arrays], schema=self.schema
        )


def count(step: Step, state: State) -> int | None:
    """How many rows a list has that the step's filter lets through, by one page of it; None where that can't be told.

    The first answer may tell that the server is one of ours, whose filters are exact: then it is asked once more.

    Raises:
        PatqlError: as `Fetch.table`.
    """
    step = replace(step, push=step.push and replace(step.push, limit=0))
    transport = state.transport_of(step.resource)
    decoder = Decoder(step.method, step.columns, step.key, step.types)
    meter = _meter(step, state)
    for known in (transport.target in state.versioned, True):
        listing = Listing(step, step.arguments, decoder, state)
        if step.push is None or not (listing.is_exact or step.push.own.exact):
            return None
        exact, request = listing.is_exact, listing.first()
        response = first(transport.send([request], 1, meter))
        page, _ = listing.take(request, response)
        meter.answered(len(response.body))
        if exact:
            return page.results if page else None
        if known or transport.target not in state.versioned:
            return None
    return None


def _meter(step: Step, state: State) -> Meter:
    return state.meter(step.resource.id, step.view, step.method.name)


def _calls(step: Step, state: State) -> list[Arguments]:
    """The arguments of each request: the constants, in every combination, with each row of the feed."""
    fed: list[Arguments] = _fed(step.feed, state) if step.feed else [{}]
    combined = product(*step.values.values())
    several = [dict(zip(step.values, values, strict=True)) for values in combined]
    return [{**step.arguments, **some, **each} for some in several for each in fed]


def _fed(feed: Feed, state: State) -> list[Arguments]:
    """The distinct values that a feed gives; those that a parameter can't have meet no row."""
    _, rows = state.relational.run(feed.sql(), placed=False)
    found: dict[tuple[Value, ...], None] = {}
    for row in rows.fetchall():
        pairs = zip(feed.links, row, strict=True)
        values = [as_argument(link.parameter, value) for link, value in pairs]
        given = tuple(value for value in values if value is not None)
        if len(given) == len(values):
            found[given] = None
    names = [link.parameter.name for link in feed.links]
    return [dict(zip(names, values, strict=True)) for values in found]


def _is_shorter(step: Step, requests: int, state: State) -> bool:
    """Whether a list has fewer pages than so many requests; its first page tells."""
    calls = _calls(step, state)
    if len(calls) != 1:
        return False
    decoder = Decoder(step.method, step.columns, step.key, step.types)
    listing = Listing(step, calls[0], decoder, state)
    transport = state.transport_of(step.resource)
    meter = _meter(step, state)
    waiting, page = [listing.first()], None
    while waiting and page is None:
        response = first(transport.send(waiting, 1, meter))
        meter.answered(len(response.body))
        if response.status != 200:
            return False
        page, waiting = listing.take(waiting[0], response)
    return listing.pages < requests


def changing(where: str) -> PatqlError:
    """What is said of a list that won't stand still."""
    message = (
        f"{where} changed while it was read, {ATTEMPTS} times in a row, "
        "so its pages are no answer: ask again when fewer changes are made"
    )
    return PatqlError(Code.PAGES_CHANGED, message)
