"""The relational engine: a locked-down DuckDB in which resources stand as views over fetched rows."""

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import arro3.core as arrow
import duckdb

from patql.engine.computation import Computation, Job
from patql.engine.failures import no_files, not_opened, translated
from patql.engine.functions import needed
from patql.engine.result import ResultColumn
from patql.engine.statement import STOPPED
from patql.kernel.errors import Code, PatqlError, SqlError

T = TypeVar("T")

_CONFIGURATION = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "memory_limit": "60%",
    "python_enable_replacements": "false",
    "secret_directory": "none",  # else current_setting() tells where the home directory is
    "temp_directory": "",
}
_LOCAL = "local"
"""The name of the database in which local tables last."""

_OWN = frozenset({_LOCAL, "memory", "system", "temp"})
"""The names of DuckDB's databases that no provider can have."""

_FILE = re.compile(
    r"://|[/\\*]|\.(csv|tsv|parquet|json|jsonl|ndjson)(\.(gz|zst))?$", re.IGNORECASE
)
"""What DuckDB takes for a file where it stands in the place of a table."""

_PRESENT = {
    "now": "TIMESTAMPTZ",
    "get_current_timestamp": "TIMESTAMPTZ",
    "transaction_timestamp": "TIMESTAMPTZ",
    "current_timestamp": "TIMESTAMPTZ",
    "localtimestamp": "TIMESTAMP",
    "current_localtimestamp": "TIMESTAMP",
    "today": "DATE",
    "current_date": "DATE",
    "current_time": "TIMETZ",
    "get_current_time": "TIMETZ",
    "localtime": "TIME",
    "current_localtime": "TIME",
}
"""DuckDB's names for the present, each shadowed by a macro that is the statement's one instant."""

_PIVOT = "MULTI"
"""DuckDB's type of a query whose PIVOT names no values: it asks for these first, and then the query."""

_ASKS_NOW = re.compile("|".join(_PRESENT), re.IGNORECASE)


class ArrowStream(Protocol):
    """Rows that can be read as an Arrow stream (the Arrow PyCapsule interface)."""

    @property
    def schema(self) -> arrow.Schema:
        """Of the rows."""
        ...

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, from the first on."""
        ...


class _Source:
    """What a view reads: the rows that were published last. The view outlives them, since it takes long to make."""

    def __init__(self, name: str, schema: arrow.Schema, projection: str) -> None:
        self.name = name
        self.schema = schema
        self.projection = projection
        self.rows: ArrowStream | None = None

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if self.rows is None:  # never an empty answer
            message = "these rows were those of another statement"
            raise RuntimeError(message)
        return self.rows.__arrow_c_stream__(requested_schema)


class Relational:
    """One DuckDB connection; not for two threads at once. Close it.

    Args:
        files: whether the files of this machine can be reached.
        local: the DuckDB file that local tables last in; None keeps them in memory.
        variables: the values of `$name`, each text; names in any case.
        on_interrupt: told of Ctrl-C while something is computed, so that what it waits for can be ended too.

    Raises:
        PatqlError: USAGE or UNAVAILABLE, where the file can't be opened.
    """

    def __init__(
        self,
        *,
        files: bool = False,
        local: Path | None = None,
        variables: Mapping[str, str] | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> None:
        self._connection = duckdb.connect(config=dict(_CONFIGURATION))
        self._files = files
        self._local = local
        self._variables = {k.casefold(): v for k, v in (variables or {}).items()}
        self._on_interrupt = on_interrupt or self.interrupt
        self._computation: Computation[Any] | None = None
        self._accepted = "SELECT"
        self._tables: list[tuple[str, ...]] | None = None
        self._providers = set[str]()
        self._schemas = set[tuple[str, str]]()
        self._published = dict[str, _Source]()
        self._sources = 0
        self._prefix = (
            f"patql_{os.urandom(8).hex()}_"  # so that no local table has such a name
        )
        self._made = set[str]()
        self._bound: tuple[str, duckdb.DuckDBPyRelation] | None = None
        self._now = 0.0
        self._knows_now = False
        self._defines = local is not None
        if local is not None:
            self._open(local)
        # Ways out of the process are closed before a statement is run, and the lock keeps them closed.
        if not files:
            self._connection.execute("SET enable_external_access = false")
        setup = (
            "SET TimeZone = 'UTC'; "
            "SET enable_progress_bar = false; "  # it would be printed among the rows
            # With it DuckDB 2.0 ignores LIMIT where a comparison with ALL of no rows stands beside it.
            "SET disabled_optimizers = 'statistics_propagation'; "
            "SET lock_configuration = true"
        )
        self._connection.execute(setup)

    def _open(self, local: Path) -> None:
        path = str(local).replace("'", "''")
        try:
            with self._private():
                self._connection.execute(f"ATTACH '{path}' AS {_LOCAL} (TYPE duckdb)")
            self._connection.execute(f"USE {_LOCAL}")
        except duckdb.Error as error:
            self._connection.close()
            raise not_opened(local, error) from None

    @contextmanager
    def _private(self) -> Generator[None]:
        """What is written meanwhile is for its owner alone: the file of local tables, and the log beside it."""
        theirs = os.umask(0o077) if self._local is not None else None
        try:
            yield
        finally:
            if theirs is not None:
                os.umask(theirs)

    def interrupt(self) -> None:
        """End what is being computed, if anything is; from any thread."""
        if (computation := self._computation) is not None:
            computation.stop()

    def close(self) -> None:
        """Free its memory, and write what lasts."""
        with self._private():
            self._connection.close()

    def set_now(self, seconds: float) -> None:
        """Fix the instant that `now()` and its kin give; `seconds` since the epoch."""
        self._now = seconds
        self._knows_now = False

    def _require(self, sql: str) -> None:
        """Make the functions that a statement needs and DuckDB lacks, or has with another present."""
        self._require_now(sql)
        made = [create for create in needed(sql) if create not in self._made]
        if made:
            self._connection.execute("; ".join(made))
            self._made.update(made)

    def _require_now(self, sql: str) -> None:
        """Shadow DuckDB's clock by ours, for statements that ask for the present: it takes a few milliseconds."""
        if self._knows_now or not (self._defines or _ASKS_NOW.search(sql)):
            return
        instant = datetime.fromtimestamp(self._now, UTC).isoformat()
        macros = (
            f"CREATE OR REPLACE TEMP MACRO \"{name}\"() AS CAST(TIMESTAMPTZ '{instant}' AS {kind})"
            for name, kind in _PRESENT.items()
        )
        self._connection.execute("; ".join(macros))
        self._knows_now = True

    def publish(self, view: Sequence[str], table: ArrowStream, projection: str) -> None:
        """Make a table readable as `view` (provider, service, resource), through a projection.

        Raises:
            SqlError: it can't be, and what was published before stays as it was.
        """
        provider, service, resource = map(quote, view)
        self._require_schema(provider, service)
        target = f"{provider}.{service}.{resource}"
        source = self._published.get(target)
        if source is None or (source.schema, source.projection) != (
            table.schema,
            projection,
        ):
            former, self._sources = source, self._sources + 1
            source = _Source(f"{self._prefix}{self._sources}", table.schema, projection)
            self._define(target, source)
            if former is not None:
                self._connection.unregister(former.name)
            self._published[target] = source
            self._bound = None
        source.rows = table

    def _define(self, target: str, source: _Source) -> None:
        name, projection = source.name, source.projection
        self._connection.register(name, source)
        try:
            with translated(placed=False):
                self._connection.execute(
                    f"CREATE OR REPLACE VIEW {target} AS SELECT {projection} FROM {name}"
                )
        except BaseException:
            self._connection.unregister(name)
            raise

    def clear(self) -> None:
        """Forget what was published, and free its memory; results that were run keep their rows."""
        for source in self._published.values():
            source.rows = None
        self._bound = None

    def _require_schema(self, provider: str, service: str) -> None:
        if provider not in self._providers:
            if provider.strip('"').casefold() in _OWN:
                message = f"no provider can be named {provider}: it is the name of a database of DuckDB's"
                raise SqlError(Code.UNSUPPORTED, message)
            self._connection.execute(f"ATTACH ':memory:' AS {provider}")
            self._providers.add(provider)
        if (provider, service) not in self._schemas:
            self._connection.execute(
                f"CREATE SCHEMA IF NOT EXISTS {provider}.{service}"
            )
            self._schemas.add((provider, service))

    def has_table(self, parts: Sequence[str]) -> bool:
        """Whether a name is that of a local table or view, or of a file.

        Raises:
            SqlError: UNSUPPORTED for a file, where files can't be reached.
        """
        folded = tuple(part.casefold() for part in parts)
        full = (tuple(map(str.casefold, name)) for name in self.local_tables())
        if any(map(_names(folded), full)):
            return True
        if len(parts) != 1 or not _FILE.search(parts[0]):
            return False
        if not self._files:
            raise SqlError(Code.UNSUPPORTED, no_files(f"{parts[0]!r}"))
        return True

    def columns_of(self, parts: Sequence[str]) -> tuple[ResultColumn, ...]:
        """The columns of what `has_table`.

        Raises:
            SqlError: it can't be read.
        """
        with translated(placed=False):
            sql = f"SELECT * FROM {'.'.join(map(quote, parts))}"
            return _columns(self._connection.sql(sql))

    def local_tables(self) -> list[tuple[str, ...]]:
        """The full names of tables and views that aren't ours or DuckDB's: database, schema, name."""
        if self._tables is None:
            listed = self._connection.execute(
                "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal UNION ALL "
                "SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
            self._tables = listed
        ours = {provider.strip('"').casefold() for provider in self._providers}
        sources = {("temp", "main", s.name) for s in self._published.values()}
        return [
            name
            for name in self._tables
            if name[0].casefold() not in ours and name not in sources
        ]

    @contextmanager
    def accepting(self, kind: str) -> Generator[None]:
        """Let statements of this DuckDB type be described and run, beside SELECT."""
        self._accepted = kind
        self._defines = True  # a view or a default may ask for the present, and no statement shows that
        try:
            yield
        finally:
            self._accepted = "SELECT"
            self._tables = None

    def describe(self, sql: str, *, placed: bool = True) -> tuple[ResultColumn, ...]:
        """The columns that a query would return; `placed` where errors may point into the text, as it was written.

        Of a statement that isn't a query nothing is told, but it is checked as one is.

        Raises:
            SqlError: the query can't be run as written.
        """
        with translated(placed=placed, hint=self._hint(sql)):
            statement = self._statement(sql)
            if statement.type.name == _PIVOT:
                return ()  # its columns are values of rows
            if statement.type.name == "SELECT":
                relation = self._relation(sql, statement)
                self._bound = sql, relation
                return _columns(relation)
        self._require(sql)
        with translated(placed=placed, hint=self._hint(sql), above=1):
            values = self._values(statement)
            self._connection.execute(f"EXPLAIN\n{sql}", values or None)
        return ()

    def run(
        self, sql: str, *, placed: bool = True
    ) -> tuple[tuple[ResultColumn, ...], duckdb.DuckDBPyRelation]:
        """Run one statement to its end; the rows stay in memory until they are read. `placed` as in `describe`.

        Raises:
            SqlError: the query can't be run as written, or fails on the data.
            PatqlError: CANCELLED, where it was interrupted.
        """
        with translated(placed=placed, hint=self._hint(sql)):
            if self._bound is not None and self._bound[0] == sql:
                relation = self._bound[1]
                return _columns(relation), self._compute(relation.materialize)
            statement = self._statement(sql)
            if statement.type.name == "SELECT":
                relation = self._relation(sql, statement)
                return _columns(relation), self._compute(relation.materialize)
            with self._private() if statement.type.name != "COPY" else nullcontext():
                relation = self._compute(lambda: self._relation(sql, statement))
            if statement.type.name == _PIVOT:
                relation = self._compute(relation.materialize)
            return _columns(relation), relation

    def value(self, sql: str, *parameters: object) -> Any:  # noqa: ANN401  (whatever DuckDB gives)
        """The one value of a constant expression.

        Raises:
            SqlError: the expression can't be evaluated.
        """
        self._require(sql)
        query = f"SELECT {sql}"
        with translated(placed=False, hint=self._hint(sql)):
            given: Any = list(parameters)
            if not parameters and "$" in sql:
                given = self._values(self._connection.extract_statements(query)[0])
            rows = self._compute(
                lambda: self._connection.execute(query, given).fetchall()
            )
        return rows[0][0]

    def ask(self, job: Job) -> None:
        """Have the thread that waits for what is being computed do something; from any thread."""
        if self._computation is not None:
            self._computation.ask(job)
        else:
            job(ending=True)

    def _compute(self, work: Callable[[], T]) -> T:
        computation = Computation(work, self._connection.interrupt)
        self._computation = computation
        try:
            return computation.wait(self._on_interrupt)
        except duckdb.InterruptException:
            raise PatqlError(Code.CANCELLED, STOPPED) from None
        finally:
            self._computation = None

    def _statement(self, sql: str) -> duckdb.Statement:
        # What reads as one statement to us must be one of the same kind to DuckDB: the two tokenizers could disagree.
        statements = self._connection.extract_statements(sql)
        kind = _kind(statements[0]) if len(statements) == 1 else ""
        pivots = kind == _PIVOT and "pivot" in sql.casefold()
        if not pivots and kind not in ("SELECT", self._accepted):
            message = f"this isn't one {self._accepted} to the relational engine"
            raise SqlError(Code.UNSUPPORTED, message)
        return statements[0]

    def _relation(
        self, sql: str, statement: duckdb.Statement
    ) -> duckdb.DuckDBPyRelation:
        self._require(sql)
        return self._connection.sql(sql, params=self._values(statement) or None)

    def _values(self, statement: duckdb.Statement) -> dict[str, str]:
        """The variables that a statement uses. DuckDB takes each for a text in quotes, which fits where a literal would."""
        return {
            name: self._variables[name.casefold()]
            for name in statement.named_parameters
            if name.casefold() in self._variables
        }

    def _hint(self, sql: str) -> str | None:
        if "$" not in sql or not self._variables:
            return None
        return (
            "A variable is a text: write CAST($name AS INTEGER) where that doesn't do."
        )


def _columns(relation: duckdb.DuckDBPyRelation) -> tuple[ResultColumn, ...]:
    return tuple(
        ResultColumn(name, str(kind))
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )


def _kind(statement: duckdb.Statement) -> str:
    """The DuckDB type of a statement, empty for one that its Python module has no name for, such as UPDATE EXTENSIONS."""
    try:
        return statement.type.name
    except ValueError:
        return ""


def _names(parts: tuple[str, ...]) -> Callable[[tuple[str, ...]], bool]:
    """Whether a name of a table may stand for the one with that full name, database.schema.table."""
    return lambda full: (
        parts
        in (
            full,
            full[1:],
            full[2:],
            (full[0], full[2]) if full[1] == "main" else full,
        )
    )


def quote(name: str) -> str:
    """A name as an identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'
