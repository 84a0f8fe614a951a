"""What a statement can be: plain values around sqlglot's trees."""

from typing import Any

import msgspec
from sqlglot import exp

Name = tuple[str, ...]
"""A dotted name, as its parts."""

Json = dict[str, Any]

NESTED = "the statement is nested too deeply to be read"


class Query(msgspec.Struct, frozen=True):
    """Anything that DuckDB would call a SELECT; `text` is the statement as written."""

    tree: exp.Query
    text: str


class Insert(msgspec.Struct, frozen=True):
    """INSERT INTO `target` (`columns`) `source`; a source of None is DEFAULT VALUES."""

    target: exp.Table
    columns: tuple[str, ...]
    source: exp.Query | None
    returning: tuple[exp.Expr, ...] | None


class Update(msgspec.Struct, frozen=True):
    """UPDATE `target` SET `assignments` WHERE `where`."""

    target: exp.Table
    assignments: tuple[tuple[str, exp.Expr], ...]
    where: exp.Expr | None
    returning: tuple[exp.Expr, ...] | None


class Delete(msgspec.Struct, frozen=True):
    """DELETE FROM `target` WHERE `where`."""

    target: exp.Table
    where: exp.Expr | None
    returning: tuple[exp.Expr, ...] | None


class Variable(msgspec.Struct, frozen=True):
    """`$name`, whose value the script's variables give."""

    name: str


Scalar = str | int | float | bool | None


class Exec(msgspec.Struct, frozen=True):
    """EXEC `name` @parameter = value, @@json = body."""

    name: Name
    arguments: dict[str, Scalar | Variable]
    body: Json | Variable | None


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


Statement = (
    Query
    | Insert
    | Update
    | Delete
    | Exec
    | Show
    | ShowInsert
    | Describe
    | DescribeMethod
    | Use
)
