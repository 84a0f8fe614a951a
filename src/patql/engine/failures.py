"""DuckDB's errors as ours: with our codes, in the words of a statement's author, and with their place."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from patql.kernel.errors import Code, PatqlError, SqlError

_CODES: tuple[tuple[type[duckdb.Error], Code], ...] = (
    (duckdb.ParserException, Code.SYNTAX),
    (duckdb.SyntaxException, Code.SYNTAX),
    (duckdb.CatalogException, Code.UNKNOWN_NAME),
    (duckdb.PermissionException, Code.UNSUPPORTED),
    (duckdb.InterruptException, Code.CANCELLED),
    (duckdb.NotImplementedException, Code.UNSUPPORTED),
    (duckdb.BinderException, Code.TYPE_MISMATCH),
)
_CARET = re.compile(r"\n\nLINE (\d+): .*", re.DOTALL)
_UNHELPFUL = re.compile("Please try installing|pg_|information_schema|sqlite_")
"""What DuckDB advises where one of its extensions or its own tables could be meant: here none can be had."""

_TAKEN = "already exists!"
"""How DuckDB ends what it says of a name that is known too well."""

_COLUMN = re.compile(
    r'Referenced column "(.+?)" (?:was )?not found|does not have a column named "(.+?)"'
)


class UnknownColumnError(SqlError):
    """A query names a column that none of its tables has."""

    def __init__(self, name: str, line: int | None, column: int | None) -> None:
        self.name = name
        message = f"there is no column {name} in the tables of this query"
        super().__init__(Code.UNKNOWN_NAME, message, line=line, column=column)


def not_opened(local: Path, error: duckdb.Error) -> PatqlError:
    """What is said of a file of local tables that DuckDB couldn't open, and why."""
    reason = str(error).partition(": ")[2].partition("\n")[0]
    if "lock on file" in reason:
        message = f"{local} is in use by another process"
        return PatqlError(
            Code.UNAVAILABLE, message, hint="Only one at a time can open it."
        )
    if "already attached" in reason:
        message = f"{local} is open in another session of this process"
        return PatqlError(Code.UNAVAILABLE, message)
    if "not a valid DuckDB database" in reason:
        return PatqlError(Code.USAGE, f"{local} isn't a DuckDB file")
    return PatqlError(Code.USAGE, f"{local} can't be opened: {reason}")


def no_files(what: str) -> str:
    """Why a session without files refuses something."""
    return f"{what} is a file, and this session can't reach files"


@contextmanager
def translated(
    *, placed: bool, hint: str | None = None, above: int = 0
) -> Generator[None]:
    """DuckDB's errors as ours, with the place in the statement where DuckDB knows it and it is the person's own.

    Args:
        placed: whether it is.
        hint: what to say of a mismatch of types.
        above: lines that stand before the person's own.
    """
    try:
        yield
    except duckdb.Error as error:
        raise _translate(error, hint, above if placed else None) from None
    except RuntimeError as error:
        # duckdb.Error's C++ kin that the binding doesn't map, such as a relation without a result.
        raise SqlError(Code.EVALUATION, str(error)) from None


def _translate(error: duckdb.Error, hint: str | None, above: int | None) -> PatqlError:
    text = str(error)
    line = _CARET.search(text) if above is not None else None
    summary = _CARET.sub("", text)
    summary = summary.partition(": ")[2] or summary
    message, _, details = summary.partition("\n")
    code = next(
        (code for kind, code in _CODES if isinstance(error, kind)), Code.EVALUATION
    )
    number = int(line[1]) - (above or 0) if line else None
    column = _caret(text) if line else None
    if code is Code.UNKNOWN_NAME and message.endswith(_TAKEN):
        code = Code.CONFLICT
    if missing := _COLUMN.search(message):
        return UnknownColumnError(missing[1] or missing[2], number, column)
    advice = None if _UNHELPFUL.search(details) else details.strip()
    if hint and code is Code.TYPE_MISMATCH:
        advice = hint
    return SqlError(code, message, line=number, column=column, hint=advice or None)


def _caret(text: str) -> int | None:
    lines = text.rstrip().splitlines()
    if len(lines) < 2 or not lines[-1].lstrip().startswith("^"):
        return None
    column = lines[-1].index("^") - len(lines[-2].partition(": ")[0]) - len(": ") + 1
    return max(column, 1)
