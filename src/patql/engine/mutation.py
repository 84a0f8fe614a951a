"""The trees of INSERT, UPDATE and DELETE as statements about a resource, whose clauses are fewer than a table's."""

from typing import Any, NoReturn

from sqlglot import exp

from patql.engine.statement import Delete, Exec, Insert, Name, Update
from patql.kernel.errors import Code, SqlError

Change = exp.Insert | exp.Update | exp.Delete

_TARGET = frozenset({"this", "db", "catalog", "alias"})
_NOT_OF_ONE_ROW = (exp.Query, exp.AggFunc, exp.Window, exp.Unnest, exp.Explode)


def target_of(tree: Change) -> exp.Table:
    """The table that a statement changes.

    Raises:
        SqlError: SYNTAX where it isn't one.
    """
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier):
        message = "expected a resource's name, as provider.service.resource, or a local table's"
        _refuse(tree, message, code=Code.SYNTAX)
    return target


def name_of(table: exp.Table) -> Name:
    """Its dotted name."""
    return tuple(part.name for part in table.parts)


def of_resource(
    tree: Change, execs: tuple[Exec, ...], *, replaces: bool = False
) -> Insert | Update | Delete:
    """The statement that a tree is where its target is a resource; `replaces` for an UPDATE that was written as REPLACE.

    Raises:
        SqlError: a clause isn't one that a resource can be changed by.
    """
    target = _resource(tree)
    if isinstance(tree, exp.Insert):
        return _insert(tree, target, execs)
    if isinstance(tree, exp.Delete):
        _only(tree, "DELETE", {"this", "where", "returning"})
        return Delete(target, _where(tree), _returning(tree), execs)
    verb = "REPLACE" if replaces else "UPDATE"
    _only(tree, verb, {"this", "expressions", "where", "returning"})
    assignments = _assignments(tree)
    return Update(target, assignments, _where(tree), _returning(tree), execs, replaces)


def _insert(tree: exp.Insert, target: exp.Table, execs: tuple[Exec, ...]) -> Insert:
    _only(tree, "INSERT", {"this", "expression", "returning", "default", "with_"})
    columns: tuple[str, ...] = ()
    if isinstance(tree.this, exp.Schema):
        columns = tuple(column.name for column in tree.this.expressions)
    source: Any = tree.expression
    if tree.args.get("default"):
        if columns:
            message = "DEFAULT VALUES stands without column names"
            _refuse(tree, message, code=Code.SYNTAX)
        source = None
    elif isinstance(source, exp.Values):
        if any(word.name.upper() == "DEFAULT" for word in source.find_all(exp.Var)):
            message = "DEFAULT isn't accepted as a value; leave the column out instead"
            _refuse(source, message)
        source = exp.select("*").from_(source.copy())
    elif not isinstance(source, exp.Query):
        message = "INSERT takes VALUES, DEFAULT VALUES or a SELECT"
        _refuse(tree, message, code=Code.SYNTAX)
    if source is not None and (ctes := tree.args.get("with_")):
        source = source.copy()
        source.set("with_", ctes.copy())
    if source is not None and not columns:
        message = "INSERT needs the names of the columns that it sets, such as (label, scopes)"
        _refuse(tree, message, code=Code.SYNTAX)
    return Insert(target, columns, source, _returning(tree), execs)


def _assignments(tree: exp.Update) -> tuple[tuple[str, exp.Expr], ...]:
    assignments: list[tuple[str, exp.Expr]] = []
    for assignment in tree.expressions:
        if not isinstance(assignment, exp.EQ) or not isinstance(
            assignment.this, exp.Column
        ):
            message = "SET takes column = value, separated by commas"
            _refuse(assignment, message, code=Code.SYNTAX)
        assignments.append((assignment.this.name, assignment.expression))
    return tuple(assignments)


def _only(tree: exp.Expr, verb: str, clauses: set[str]) -> None:
    for clause, value in tree.args.items():
        if value and clause not in clauses:
            word = clause.strip("_").replace("_", " ").upper()
            at = value if isinstance(value, exp.Expr) else tree
            _refuse(at, f"{verb} doesn't take {word} here")


def _resource(tree: Change) -> exp.Table:
    table = target_of(tree)
    more = [k for k, v in table.args.items() if v and k not in _TARGET]
    if more or table.alias_column_names:
        message = "INSERT, UPDATE and DELETE take one resource, with at most an alias"
        _refuse(table, message)
    return table


def _where(tree: exp.Expr) -> exp.Expr | None:
    where = tree.args.get("where")
    return where.this if where else None


def _returning(tree: exp.Expr) -> tuple[exp.Expr, ...] | None:
    returning = tree.args.get("returning")
    if returning and returning.args.get("into"):
        _refuse(returning, "RETURNING doesn't take INTO here")
    if returning and (found := returning.find(*_NOT_OF_ONE_ROW)):
        message = (
            "RETURNING gives one row for each row that the statement acts on, so it takes no subquery, "
            "aggregate, window or unnest"
        )
        _refuse(found, message)
    return tuple(returning.expressions) if returning else None


def _refuse(node: exp.Expr, message: str, *, code: Code = Code.UNSUPPORTED) -> NoReturn:
    line, column = position(node)
    raise SqlError(code, message, line=line, column=column)


def position(node: exp.Expr) -> tuple[int, int]:
    """The line and the column of the first word in a node that sqlglot knows the place of."""
    places = (each.meta for each in node.walk() if "start" in each.meta)
    first = min(places, key=lambda meta: int(meta["start"]), default=None)
    if first is None:
        return 1, 1
    length = int(first["end"]) - int(first["start"])
    return int(first["line"]), max(1, int(first["col"]) - length)
