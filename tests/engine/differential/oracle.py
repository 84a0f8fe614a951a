"""The same rows in DuckDB tables, whole: a parameter that selects rows is a column of them."""

import json
from collections.abc import Iterable
from typing import Any

import arro3.core as arrow
import duckdb
from tests.engine.differential.expressions import NESTED
from tests.engine.differential.world import Named, Table, kind

from patql.catalog.document import Parameter

WITH_OPTIONAL = "+"
"""What the name of a table ends with that has the column of a resource's optional parameter."""

_TYPES = {
    "int": "BIGINT",
    "big": "BIGINT",
    "num": "DOUBLE",
    "bool": "BOOLEAN",
    "json": "JSON",
    "struct": 'STRUCT("login" VARCHAR, "id" BIGINT)',
    "list": "VARCHAR[]",
}
_ARROW = {
    "int": arrow.DataType.int64(),
    "big": arrow.DataType.int64(),
    "num": arrow.DataType.float64(),
    "bool": arrow.DataType.bool(),
}


def open_oracle(tables: Iterable[Table]) -> duckdb.DuckDBPyConnection:
    """A database with a table for each resource; for one with an optional parameter there is a second one."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    for table in tables:
        provider, service, name = table.resource.id.split(".")
        connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {provider}")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {provider}.{service}")
        holder = f"{provider}.{service}"
        _fill(connection, table, f'{holder}."{name}"', table.required)
        if table.optional:
            given = (*table.required, table.optional)
            _fill(connection, table, f'{holder}."{name}{WITH_OPTIONAL}"', given)
    return connection


def _fill(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    target: str,
    given: Iterable[Parameter],
) -> None:
    """Make one table, `target`: the columns of a row, then the parameters that aren't columns."""
    known = {column.name for column in table.columns}
    more = (parameter for parameter in given if parameter.name not in known)
    held: list[Named] = [*table.columns, *more]
    arrays = {
        each.name: arrow.Array(
            [_stored(each, row[each.name]) for row in table.rows],
            type=_ARROW.get(kind(each), arrow.DataType.string()),
        )
        for each in held
    }
    filling = arrow.Table.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
        list(arrays.values()), names=list(arrays)
    )
    connection.register("filling", filling)
    shown = ", ".join(
        f'CAST({_read(each)} AS {_TYPES.get(kind(each), "VARCHAR")}) AS "{each.name}"'
        for each in held
    )
    connection.execute(f"CREATE TABLE {target} AS SELECT {shown} FROM filling")
    connection.unregister("filling")


def _read(column: Named) -> str:
    name = f'"{column.name}"'
    return f"CAST({name} AS JSON)" if kind(column) in NESTED else name


def _stored(column: Named, value: Any) -> Any:  # noqa: ANN401  (of any type)
    if value is None or kind(column) not in NESTED:
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
