"""What a statement runs with: the resources, their targets, one person or script, one relational engine."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from patql.catalog.document import Resource
from patql.catalog.names import Catalog
from patql.engine.meter import Meter
from patql.engine.ports import Dialogue, Transport
from patql.kernel.errors import PatqlError

if TYPE_CHECKING:
    from patql.engine.relate import Relational

CONCURRENCY = 16
"""Requests under way at once."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a session runs its statements.

    Attributes:
        concurrency: requests under way at once.
        files: whether statements may read and write the files of this machine.
        local: the DuckDB file that local tables last in; None keeps them for the session.
        variables: values of `$name`.
        dry_run: whether requests that change something are told instead of sent.
        timeout: seconds that a statement may take, None for any.
    """

    concurrency: int = CONCURRENCY
    files: bool = False
    local: Path | None = None
    variables: Mapping[str, str] = {}
    dry_run: bool = False
    timeout: float | None = None


class State:
    """What the stages of a statement share.

    Attributes:
        catalog: the resources that there are.
        transport: the target that answers for those whose provider has none of its own.
        dialogue: whoever is to be told and asked.
        options: how statements are run.
        now: the statement's instant, in seconds since the epoch.
        default: the provider, or provider and service, that USE named.
        meters: what the statement's steps have cost so far.
        versioned: targets that have sent the version of a list, which only a server of ours does.
        widened: types that columns have got because a value contradicted the document, by resource id and column name.
        stopped: why the statement is to end at once, None while it may go on.
    """

    def __init__(
        self,
        catalog: Catalog,
        transport: Transport,
        dialogue: Dialogue,
        *,
        now: float,
        transports: Mapping[str, Transport] | None = None,
        options: Options | None = None,
    ) -> None:
        self.catalog = catalog
        self.transport = transport
        self.dialogue = dialogue
        self.options = options or Options()
        self.now = now
        self.default: tuple[str, ...] = ()
        self.meters: list[Meter] = []
        self.versioned = set[str]()
        self.widened = dict[tuple[str, str], str]()
        self.stopped: PatqlError | None = None
        self._transports = dict(transports or {})
        self._relational: Relational | None = None

    @property
    def concurrency(self) -> int:
        """Requests under way at once."""
        return self.options.concurrency

    @property
    def relational(self) -> "Relational":
        """The relational engine, started when it is first needed."""
        if self._relational is None:
            from patql.engine.relate import Relational

            self._relational = Relational()
            self._relational.set_now(self.now)
        return self._relational

    def transport_of(self, resource: Resource) -> Transport:
        """The target that answers for a resource."""
        provider = resource.id.partition(".")[0]
        return self._transports.get(provider, self.transport)

    def meter(self, name: str) -> Meter:
        """A new meter among those of the statement."""
        meter = Meter(name, perf_counter)
        self.meters.append(meter)
        return meter

    def begin(self, now: float) -> None:
        """A new statement begins, at that instant."""
        self.now = now
        self.meters = []
        self.stopped = None
        if self._relational is not None:
            self._relational.set_now(now)

    def stop(self, reason: PatqlError) -> None:
        """End the statement at once: requests under way and computations; from any thread."""
        self.stopped = reason
        for transport in (self.transport, *self._transports.values()):
            transport.cancel()
        if self._relational is not None:
            self._relational.interrupt()

    def end(self) -> None:
        """The statement is over: what it published is forgotten."""
        if self._relational is not None:
            self._relational.clear()

    def close(self) -> None:
        """Free the relational engine and the transports."""
        if self._relational is not None:
            self._relational.close()
            self._relational = None
        for transport in (self.transport, *self._transports.values()):
            transport.close()
