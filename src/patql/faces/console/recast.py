"""Columns of a result as other types: the relational engine that has the rows casts them."""

import re
from collections.abc import Mapping

from patql.engine.result import Result, ResultColumn

_TOKEN = re.compile(
    r"""
    "(?:[^"]|"")*" | '(?:[^']|'')*' | \b[A-Z_]+(?:\ WITH\ TIME\ ZONE)?(?=[,)(\[]|\Z)
    """,
    re.VERBOSE,
)
"""A type within a type as DuckDB writes it; the name of a STRUCT's field is quoted or followed by a space."""


def recast(result: Result, types: Mapping[str, str]) -> Result:
    """The same result with other types, also inside nested ones; the rows aren't read yet.

    Args:
        result: one without rows in DuckDB is returned as it is.
        types: what replaces a type, by its name as DuckDB writes it.
    """
    columns = tuple(
        ResultColumn(
            column.name,
            _TOKEN.sub(lambda part: types.get(part[0], part[0]), column.type),
        )
        for column in result.columns
    )
    if columns == result.columns:
        return result
    from duckdb import DuckDBPyRelation

    if not isinstance(result.source, DuckDBPyRelation):
        return result
    casts = map(_cast, range(1, len(columns) + 1), result.columns, columns)
    return Result(
        columns,
        result.source.project(", ".join(casts)),
        message=result.message,
        once=result.once,
        undo=result.undo,
    )


def _cast(at: int, old: ResultColumn, new: ResultColumn) -> str:
    if old.type == new.type:
        return f"#{at}"
    if (old.type, new.type) == ("FLOAT", "DOUBLE"):
        # The digits that tell it from its neighbours, not those of the DOUBLE that it equals.
        return f"CAST(CAST(#{at} AS VARCHAR) AS DOUBLE)"
    return f"CAST(#{at} AS {new.type})"
