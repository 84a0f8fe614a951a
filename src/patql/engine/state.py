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
from patql.engine.reads import OnlyReads
from patql.engine.statement import STOPPED, Name
from patql.kernel.errors import Code, PatqlError, SqlError

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
        dry_run: whether requests that change something are told instead of sent, and files and lasting tables are left
            as they are.
        timeout: seconds that a statement may take, None for any.
        secrets_kept: whether whoever takes the results keeps one-time secrets in any case, and needn't be told to.
    """

    concurrency: int = CONCURRENCY
    files: bool = False
    local: Path | None = None
    variables: Mapping[str, str] = {}
    dry_run: bool = False
    timeout: float | None = None
    secrets_kept: bool = False


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
        reads: what a dry run of the statement has asked servers for.
        versioned: targets that have sent the version of a list, which only a server of ours does.
        unbatched: targets that have no requests for many rows at once.
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
        self.reads: list[str] = []
        self.versioned = set[str]()
        self.unbatched = set[str]()
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

            self._relational = Relational(
                files=self.options.files,
                local=self.options.local,
                variables=self.options.variables,
                on_interrupt=lambda: self.stop(PatqlError(Code.CANCELLED, STOPPED)),
            )
            self._relational.set_now(self.now)
        return self._relational

    def variable(self, name: str) -> str:
        """The value of `$name`, in any case; the parser has seen that there is one."""
        folded = name.casefold()
        return next(
            v for k, v in self.options.variables.items() if k.casefold() == folded
        )

    def transport_of(self, resource: Resource) -> Transport:
        """The target that answers for a resource."""
        provider = resource.id.partition(".")[0]
        transport = self._transports.get(provider, self.transport)
        return OnlyReads(transport, self.reads) if self.options.dry_run else transport

    def complete(self, name: Name) -> Name:
        """The full name of the resource that a name means, USE having given its first parts; others as they are.

        Raises:
            SqlError: UNSUPPORTED where it is the name of a local table too.
        """
        whole = (*self.default[: 3 - len(name)], *name) if len(name) < 3 else name
        if whole == name or len(whole) != 3 or not self.catalog.knows(*whole):
            return name
        if self.is_local(name):
            told = ".".join(name)
            message = f"{told} is a local table, and by USE {'.'.join(whole)} too"
            hint = "Write the resource's whole name; a local table's is main.NAME."
            raise SqlError(Code.UNSUPPORTED, message, hint=hint)
        return whole

    def is_local(self, name: Name) -> bool:
        """Whether a name is that of a local table or view."""
        fresh = self._relational is None and self.options.local is None
        return not fresh and self.relational.has_table(name)

    def meter(self, name: str, view: tuple[str, ...] = (), method: str = "") -> Meter:
        """A new meter among those of the statement; for a step's view and method where it counts for one."""
        meter = Meter(name, perf_counter, view, method)
        self.meters.append(meter)
        return meter

    def begin(self, now: float) -> None:
        """A new statement begins, at that instant."""
        self.now = now
        self.meters = []
        self.reads = []
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

    def check(self) -> None:
        """Go no further where the statement is to end.

        Raises:
            PatqlError: why.
        """
        if self.stopped is not None:
            raise self.stopped

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
