"""The relational engine: a locked-down DuckDB in which resources stand as views over fetched rows."""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from patql.engine.result import ResultColumn
from patql.kernel.errors import Code, PatqlError, SqlError

if TYPE_CHECKING:
    import arro3.core

T = TypeVar("T")

# Every way out of the process is closed before a statement is run, and the lock keeps it closed.
_LOCKED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "memory_limit": "60%",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
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

_ASKS_NOW = re.compile("|".join(_PRESENT), re.IGNORECASE)

_CODES: tuple[tuple[type[duckdb.Error], Code], ...] = (
    (duckdb.ParserException, Code.SYNTAX),
    (duckdb.SyntaxException, Code.SYNTAX),
    (duckdb.CatalogException, Code.UNKNOWN_NAME),
    (duckdb.PermissionException, Code.UNSUPPORTED),
    (duckdb.NotImplementedException, Code.UNSUPPORTED),
    (duckdb.BinderException, Code.TYPE_MISMATCH),
)
_CARET = re.compile(r"\n\nLINE (\d+): .*", re.DOTALL)
_EXTENSION = "Please try installing"
"""What DuckDB advises where one of its extensions could help: here none can be loaded."""

_COLUMN = re.compile(
    r'Referenced column "(.+?)" (?:was )?not found|does not have a column named "(.+?)"'
)


class UnknownColumnError(SqlError):
    """A query names a column that none of its tables has."""

    def __init__(self, name: str, line: int | None, column: int | None) -> None:
        self.name = name
        message = f"there is no column {name} in the tables of this query"
        super().__init__(Code.UNKNOWN_NAME, message, line=line, column=column)


class Relational:
    """One DuckDB connection; not for two threads at once. Close it."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config=dict(_LOCKED))
        self._providers = set[str]()
        self._schemas = set[tuple[str, str]]()
        self._published = dict[str, str]()
        self._now = 0.0
        self._knows_now = False
        setup = "SET TimeZone = 'UTC'; SET lock_configuration = true"
        self._connection.execute(setup)

    def interrupt(self) -> None:
        """End what is being computed; from any thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Free its memory."""
        self._connection.close()

    def set_now(self, seconds: float) -> None:
        """Fix the instant that `now()` and its kin give; `seconds` since the epoch."""
        self._now = seconds
        self._knows_now = False

    def _require_now(self, sql: str) -> None:
        """Shadow DuckDB's clock by ours, for statements that ask for the present: it takes a few milliseconds."""
        if self._knows_now or not _ASKS_NOW.search(sql):
            return
        instant = datetime.fromtimestamp(self._now, UTC).isoformat()
        macros = (
            f"CREATE OR REPLACE MACRO \"{name}\"() AS CAST(TIMESTAMPTZ '{instant}' AS {kind})"
            for name, kind in _PRESENT.items()
        )
        self._connection.execute("; ".join(macros))
        self._knows_now = True

    def publish(
        self, view: Sequence[str], table: "arro3.core.Table", projection: str
    ) -> None:
        """Make a table readable as `view` (provider, service, resource), through a projection."""
        provider, service, resource = map(quote, view)
        self._require_schema(provider, service)
        target = f"{provider}.{service}.{resource}"
        source = self._published.setdefault(target, f"patql_{len(self._published)}")
        self._connection.register(source, table)
        create = f"CREATE OR REPLACE VIEW {target} AS SELECT {projection} FROM {source}"
        self._connection.execute(create)

    def clear(self) -> None:
        """Forget what was published, and free its memory; results that were run keep their rows."""
        for target, source in self._published.items():
            self._connection.execute(f"DROP VIEW {target}")
            self._connection.unregister(source)
        self._published.clear()

    def _require_schema(self, provider: str, service: str) -> None:
        if provider not in self._providers:
            self._connection.execute(f"ATTACH ':memory:' AS {provider}")
            self._providers.add(provider)
        if (provider, service) not in self._schemas:
            self._connection.execute(
                f"CREATE SCHEMA IF NOT EXISTS {provider}.{service}"
            )
            self._schemas.add((provider, service))

    def describe(self, sql: str, *, placed: bool = True) -> tuple[ResultColumn, ...]:
        """The columns that a query would return; `placed` where errors may point into the text, as it was written.

        Raises:
            SqlError: the query can't be run as written.
        """
        with translated(placed=placed):
            relation = self._select(sql)
            return tuple(
                ResultColumn(name, str(kind))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            )

    def run(
        self, sql: str, *, placed: bool = True
    ) -> tuple[tuple[ResultColumn, ...], duckdb.DuckDBPyRelation]:
        """Run one SELECT to its end; the rows stay in memory until they are read. `placed` as in `describe`.

        Raises:
            SqlError: the query can't be run as written, or fails on the data.
        """
        with translated(placed=placed):
            relation = self._select(sql)
            columns = tuple(
                ResultColumn(name, str(kind))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            )
            return columns, self._compute(relation.materialize)

    def value(self, sql: str, *parameters: object) -> Any:  # noqa: ANN401  (whatever DuckDB gives)
        """The one value of a constant expression.

        Raises:
            SqlError: the expression can't be evaluated.
        """
        self._require_now(sql)
        with translated(placed=False):
            rows = self._compute(
                lambda: self._connection.execute(
                    f"SELECT {sql}", list(parameters)
                ).fetchall()
            )
        return rows[0][0]

    def _compute(self, work: Callable[[], T]) -> T:
        """Let DuckDB work in a thread of its own: in the main thread it may not notice Ctrl-C before it is done."""
        answers: SimpleQueue[tuple[T] | Exception] = SimpleQueue()
        Thread(target=_answer, args=(work, answers), daemon=True).start()
        try:
            answer = answers.get()
        except KeyboardInterrupt:
            self._connection.interrupt()
            answers.get()
            message = "stopped before the answer was there"
            raise PatqlError(Code.CANCELLED, message) from None
        if isinstance(answer, Exception):
            raise answer
        return answer[0]

    def _select(self, sql: str) -> duckdb.DuckDBPyRelation:
        self._require_now(sql)
        # What reads as one SELECT to us must be one SELECT to DuckDB: the two tokenizers could disagree.
        statements = self._connection.extract_statements(sql)
        if (
            len(statements) != 1
            or statements[0].type is not duckdb.StatementType.SELECT
        ):
            raise SqlError(
                Code.UNSUPPORTED, "this isn't one SELECT to the relational engine"
            )
        return self._connection.sql(sql)


def _answer(work: Callable[[], T], answers: SimpleQueue[tuple[T] | Exception]) -> None:
    try:
        answers.put((work(),))
    except Exception as error:  # noqa: BLE001  (it is raised where the answer is waited for)
        answers.put(error)


def quote(name: str) -> str:
    """A name as an identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def translated(*, placed: bool) -> Generator[None]:
    """DuckDB's errors as ours, with the place in the statement where DuckDB knows it and it is the person's own."""
    try:
        yield
    except duckdb.Error as error:
        raise _translate(error, placed=placed) from None
    except RuntimeError as error:
        # duckdb.Error's C++ kin that the binding doesn't map, such as a relation without a result.
        raise SqlError(Code.EVALUATION, str(error)) from None


def _translate(error: duckdb.Error, *, placed: bool) -> PatqlError:
    text = str(error)
    line = _CARET.search(text) if placed else None
    summary = _CARET.sub("", text)
    summary = summary.partition(": ")[2] or summary
    message, _, details = summary.partition("\n")
    code = next(
        (code for kind, code in _CODES if isinstance(error, kind)), Code.EVALUATION
    )
    number, column = (int(line[1]), _caret(text)) if line else (None, None)
    if missing := _COLUMN.search(message):
        return UnknownColumnError(missing[1] or missing[2], number, column)
    hint = None if _EXTENSION in details else details.strip()
    return SqlError(code, message, line=number, column=column, hint=hint or None)


def _caret(text: str) -> int | None:
    lines = text.rstrip().splitlines()
    if len(lines) < 2 or not lines[-1].lstrip().startswith("^"):
        return None
    column = lines[-1].index("^") - len(lines[-2].partition(": ")[0]) - len(": ") + 1
    return max(column, 1)
