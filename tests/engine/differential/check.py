"""One query asked of both: PatQL over HTTP, and DuckDB over the tables."""

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

import duckdb
import msgspec
from tests.engine.conftest import NOON, Script
from tests.engine.differential.choices import Choices, simplest
from tests.engine.differential.grammar import Case, Grammar
from tests.engine.differential.oracle import open_oracle
from tests.engine.differential.server import Server
from tests.engine.differential.world import Table, World, make_world

from patql.catalog.names import Catalog
from patql.engine.result import Result
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest.http import HttpTransport

LOCAL = (
    "CREATE TEMP TABLE kept AS FROM (VALUES (1, 'eu'), (3, '7'), (3, NULL)) v(c0, c1)"
)

PER_WORLD = 40
"""Queries of one world."""

REFUSALS = (Code.MISSING_PARAMETER, Code.UNSUPPORTED)
"""How a query may be refused that doesn't give a parameter in a way that can be followed."""


class WrongAnswerError(AssertionError):
    """PatQL's answer isn't DuckDB's."""


class Both(msgspec.Struct):
    """Resources, open to both."""

    tables: Sequence[Table]
    session: Session
    oracle: duckdb.DuckDBPyConnection

    def __post_init__(self) -> None:
        """Make the local table, for both."""
        list(self.session.run(LOCAL))
        self.oracle.execute(LOCAL)

    def check(self, case: Case) -> str:
        """How the query was answered, rightly.

        It is `answered`, `refused` as it may be, or `failed` as with DuckDB. DuckDB isn't asked for LIMIT, since it
        forgets it now and then.

        Raises:
            WrongAnswerError: otherwise.
        """
        try:
            whole = self.oracle.sql(case.theirs)
            names, types = list(whole.columns), list(map(str, whole.types))
            rows = whole.fetchall()
        except duckdb.Error as error:
            return self._fail_too(case, error)
        asked = rows[case.span] if case.span else rows
        try:
            if case.cold:
                self.session.state.versioned.clear()
            (result,) = self.session.run(case.ours)
            ours = result.rows()
        except PatqlError as error:
            if case.fed and error.code in REFUSALS:
                return "refused"
            raise WrongAnswerError(f"{error.code}: {error}") from None
        except Exception as error:
            raise WrongAnswerError(f"{type(error).__name__}: {error}") from error
        _compare("columns", [c.name for c in result.columns], names)
        _compare("types", [c.type for c in result.columns], types)
        if case.ordered:
            _compare("rows", list(map(repr, ours)), list(map(repr, asked)))
            return "answered"
        by = slice(case.keys)
        _compare("keys", [r[by] for r in ours], [r[by] for r in asked])
        extra = Counter(map(repr, ours)) - Counter(map(repr, rows))
        _compare("rows that aren't there", sorted(extra), [])
        _compare("count", len(ours), len(asked))
        return "answered"

    def _fail_too(self, case: Case, error: duckdb.Error) -> str:
        try:
            results: Sequence[Result] = list(self.session.run(case.ours))
        except PatqlError:
            return "failed"
        raise WrongAnswerError(f"{len(results)} results, but DuckDB says {error}")


def _compare(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise WrongAnswerError(f"{what}:\n  ours   {ours}\n  theirs {theirs}")


@contextmanager
def opened(server: Server, number: int) -> Generator[Both]:
    """The world of a number, open to both."""
    with opened_world(server, make_world(number)) as both:
        yield both


@contextmanager
def opened_world(server: Server, world: World) -> Generator[Both]:
    """A world, open to both."""
    transport = HttpTransport(server.open(world), Secret("secret"))
    session = Session(
        *(Catalog((world.provider,)), transport, ManualClock(NOON), Script()),
    )
    oracle = open_oracle(world.tables)
    try:
        yield Both(world.tables, session, oracle)
    finally:
        session.close()
        oracle.close()
        server.close(world)


def check_world(server: Server, number: int, until: int = PER_WORLD) -> Counter[str]:
    """Ask the queries of one world; how many were answered and refused, and of how many that need parameters.

    Raises:
        WrongAnswerError: with the query's number, its simplest form that fails, and what stands behind it.
    """
    first = number * PER_WORLD
    with opened(server, number) as both:
        return check_each(both, range(first, first + until))


def check_each(both: Both, queries: Iterable[int]) -> Counter[str]:
    """The same for queries by their numbers, over some resources."""
    told = Counter[str]()
    for query in queries:
        choices = Choices(query)
        case = Grammar(choices, both.tables).case()
        try:
            told[both.check(case)] += 1
        except WrongAnswerError as error:
            raise WrongAnswerError(_report(both, query, choices, str(error))) from None
        told["asked"] += 1
        told["fed"] += case.fed
    return told


def _report(both: Both, query: int, choices: Choices, first: str) -> str:
    def attempt(made: Sequence[int]) -> tuple[Case, str]:
        case = Grammar(Choices(None, made), both.tables).case()
        try:
            both.check(case)
        except WrongAnswerError as error:
            return case, str(error)
        return case, ""

    kind = first.partition(":")[0]
    made = simplest(choices.made, lambda m: attempt(m)[1].startswith(kind))
    case, problem = attempt(made)
    tables = [t for t in both.tables if f".{t.name} " in case.ours]
    lines = [
        f"query {query} (rerun: PATQL_SEED={query} pytest tests/engine/test_differential.py)",
        f"ours:   {case.ours}",
        f"theirs: {case.theirs}{case.limit}",
        "in a session that doesn't know its server yet" * case.cold,
        problem or f"not when asked again: {first}",
    ]
    for table in tables:
        columns = {
            c.name: c.type
            + " filterable" * c.filterable
            + " extension" * c.filterable_extension
            for c in table.columns
        }
        lines += [f"{table.name}: {table.serving}", f"  {columns}"]
        lines += [
            f"  {m.verb} {m.path} {m.paging or m.cursor}"
            for m in table.resource.methods
        ]
        lines += [f"  {row}" for row in table.rows[:50]]
    return "\n".join(lines)
