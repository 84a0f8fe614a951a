"""A result as a Parquet file: DuckDB writes it, in a connection of its own that reaches nothing else."""

import re
import tempfile
from collections.abc import Iterator

from patql.engine.relate import quote
from patql.engine.result import Result
from patql.faces.console.recast import recast
from patql.faces.console.render import distinct
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import SHOWN

_PIECE = 1 << 20
_IN_PARQUET = {
    "BIT": "VARCHAR",
    "HUGEINT": "DECIMAL(38,0)",
    "INTERVAL": "VARCHAR",
    "TIME WITH TIME ZONE": "VARCHAR",
    "UHUGEINT": "DECIMAL(38,0)",
}
"""What Arrow or Parquet has no equal of: DuckDB would write a DOUBLE, a time without zone, milliseconds."""


def parquet(result: Result, *, cut: bool) -> Iterator[bytes]:
    """The bytes of the file, once it is whole. JSON is text with that mark, and equal names are told apart.

    Args:
        result: what is written.
        cut: whether secrets that are shown only once are cut to what is shown of them.

    Raises:
        PatqlError: OUTPUT where Parquet can't hold a value.
        OSError: the disk is full.
    """
    import duckdb

    # Without a name nothing is left of it whatever happens, and nobody else can open it.
    with tempfile.TemporaryFile() as file:
        try:
            _write(result, file.fileno(), cut=cut)
        except duckdb.Error as error:
            message = str(error).partition(": ")[2].partition("\n")[0]
            raise PatqlError(
                Code.OUTPUT, f"the result can't be written as Parquet: {message}"
            ) from error
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _write(result: Result, descriptor: int, *, cut: bool) -> None:
    import duckdb

    path = f"/dev/fd/{descriptor}"
    stored = recast(result, _IN_PARQUET)
    names = distinct([column.name for column in result.columns])
    secrets = [f"#{at + 1}" for at in result.once] if cut else []
    values = (
        f"{_cut(_restored(f'#{at}', column.type), column.type, secrets)} AS {quote(name)}"
        for at, (column, name) in enumerate(zip(stored.columns, names, strict=True), 1)
    )
    with duckdb.connect() as connection:
        connection.execute(f"SET allowed_paths = ['{path}']")
        connection.execute("SET enable_external_access = false; SET TimeZone = 'UTC'")
        connection.register("result", stored.arrow().rename_columns(names))
        written = f"SELECT {', '.join(values)} FROM result"  # noqa: S608  (names are quoted)
        connection.execute(
            f"COPY ({written}) TO '{path}' (FORMAT parquet, USE_TMP_FILE false)"
        )


def _restored(value: str, kind: str) -> str:
    """The value with the type back that its Arrow form doesn't tell."""
    return f"CAST({value} AS {kind})" if re.search("JSON|UUID", kind) else value


def _cut(value: str, kind: str, secrets: list[str]) -> str:
    """The value with each secret cut, also where it stands inside another text."""
    if not secrets or not re.search("VARCHAR|JSON", kind):
        return value
    text = f"CAST({'' if kind == 'VARCHAR' else 'to_json'}({value}) AS VARCHAR)"
    for secret in secrets:
        text = f"coalesce(replace({text}, {secret}, left({secret}, {SHOWN})), {text})"
    return text if kind == "VARCHAR" else f"CAST(CAST({text} AS JSON) AS {kind})"
