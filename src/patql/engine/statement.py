"""What a statement can be: plain values around sqlglot's trees."""

from typing import Any

import msgspec
from sqlglot import exp

Name = tuple[str, ...]
"""A dotted name, as its parts."""

Json = dict[str, Any]

NESTED = "the statement is nested too deeply to be read"
STOPPED = "stopped before the answer was there"


class Variable(msgspec.Struct, frozen=True):
    """`$name`, whose value the script's variables give."""

    name: str


Scalar = str | int | float | bool | None


class Exec(msgspec.Struct, frozen=True):
    """EXEC `name` @parameter = value, @@json = body."""

    name: Name
    arguments: dict[str, Scalar | Variable]
    body: Json | Variable | None


class Query(msgspec.Struct, frozen=True):
    """Anything that DuckDB would call a SELECT.

    Attributes:
        tree: it, in which `"exec#1"` is a table that the first of `execs` gives, and so on.
        text: the statement as written; None where that isn't what the tree says.
        execs: what stands in it as `(EXEC …)`.
    """

    tree: exp.Query
    text: str | None
    execs: tuple[Exec, ...] = ()


class Insert(msgspec.Struct, frozen=True):
    """INSERT INTO `target` (`columns`) `source`; a source of None is DEFAULT VALUES."""

    target: exp.Table
    columns: tuple[str, ...]
    source: exp.Query | None
    returning: tuple[exp.Expr, ...] | None
    execs: tuple[Exec, ...] = ()


class Update(msgspec.Struct, frozen=True):
    """UPDATE `target` SET `assignments` WHERE `where`; REPLACE where `replaces`."""

    target: exp.Table
    assignments: tuple[tuple[str, exp.Expr], ...]
    where: exp.Expr | None
    returning: tuple[exp.Expr, ...] | None
    execs: tuple[Exec, ...] = ()
    replaces: bool = False


class Delete(msgspec.Struct, frozen=True):
    """DELETE FROM `target` WHERE `where`."""

    target: exp.Table
    where: exp.Expr | None
    returning: tuple[exp.Expr, ...] | None
    execs: tuple[Exec, ...] = ()


class Local(msgspec.Struct, frozen=True):
    """What DuckDB does itself: a change of local tables, or COPY.

    Attributes:
        kind: INSERT, UPDATE, REPLACE, DELETE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER, TRUNCATE or COPY.
            Until names are resolved, the first four may be meant for a resource whose name USE completes.
        target: the name of what is changed; empty for COPY … TO.
        tree: all of it; None where it reads nothing.
        text: the statement as written; None where that isn't what the tree says.
        execs: as in `Query`.
    """

    kind: str
    target: Name
    tree: exp.Expr | None
    text: str | None
    execs: tuple[Exec, ...] = ()


class Show(msgspec.Struct, frozen=True):
    """SHOW [EXTENDED] `kind` IN `name`, of which those LIKE `like` or WHERE `where`."""

    kind: str
    name: Name = ()
    extended: bool = False
    like: str | None = None
    where: exp.Expr | None = None


class ShowInsert(msgspec.Struct, frozen=True):
    """SHOW INSERT INTO `name`, only with what it must be given where `required`."""

    name: Name
    required: bool


class Describe(msgspec.Struct, frozen=True):
    """DESCRIBE [EXTENDED] `name`, a resource."""

    name: Name
    extended: bool


class DescribeMethod(msgspec.Struct, frozen=True):
    """DESCRIBE METHOD [EXTENDED] `name`."""

    name: Name
    extended: bool


class Use(msgspec.Struct, frozen=True):
    """USE `name`: a provider, or a provider's service."""

    name: Name


Runnable = (
    Query
    | Insert
    | Update
    | Delete
    | Local
    | Exec
    | Show
    | ShowInsert
    | Describe
    | DescribeMethod
    | Use
)


class Explain(msgspec.Struct, frozen=True):
    """EXPLAIN [ANALYZE] `statement`."""

    statement: Runnable
    analyze: bool


Statement = Runnable | Explain
