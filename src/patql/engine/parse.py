"""Text to statements: the first stage of a query's path."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from patql.engine import grammar
from patql.engine.cursor import Cursor, column_of
from patql.engine.dialect import DIALECT
from patql.engine.statement import (
    NESTED,
    Delete,
    Insert,
    Query,
    Statement,
    Update,
)
from patql.kernel.errors import Code, SqlError

_META: dict[str, Callable[[Cursor], Statement]] = {
    "EXEC": grammar.parse_exec,
    "EXECUTE": grammar.parse_exec,
    "SHOW": grammar.parse_show,
    "DESCRIBE": grammar.parse_describe,
    "DESC": grammar.parse_describe,
    "USE": grammar.parse_use,
    "REGISTRY": grammar.parse_registry,
}
_OPENINGS = frozenset(
    {"SELECT", "FROM", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "("}
)
_ACCEPTED = "SELECT, INSERT, UPDATE, DELETE, EXEC, SHOW, DESCRIBE and USE"
_CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_TARGET = frozenset({"this", "db", "catalog", "alias"})
_NOT_OF_ONE_ROW = (exp.Query, exp.AggFunc, exp.Window, exp.Unnest, exp.Explode)


def split(sql: str) -> list[str]:
    """The statements of a script, as written, without the semicolons between them.

    Raises:
        SqlError: SYNTAX where a quote or a comment isn't closed.
    """
    return [
        sql[tokens[0].start : tokens[-1].end + 1]
        for tokens in _statements(_tokenize(sql))
    ]


def parse(text: str) -> Statement:
    """One statement.

    Raises:
        SqlError: SYNTAX with a position, or UNSUPPORTED for a kind of statement that isn't accepted.
    """
    tokens = _tokenize(text)
    cursor = Cursor(tokens, text)
    meta = _META.get(cursor.word())
    try:
        return meta(cursor) if meta else _relational(tokens, text)
    except ParseError as error:
        _explain(error)
    except RecursionError:
        raise SqlError(Code.SYNTAX, NESTED) from None


def _tokenize(sql: str) -> list[Token]:
    try:
        return DIALECT.tokenize(sql)
    except TokenError:
        raise SqlError(
            Code.SYNTAX, "the statement ends inside a quote or a comment"
        ) from None


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            statement.append(token)
        elif statement:
            yield statement
            statement = []
    if statement:
        yield statement


def _relational(tokens: list[Token], text: str) -> Statement:
    if not tokens:
        raise SqlError(
            Code.SYNTAX, f"there is no statement; statements are {_ACCEPTED}"
        )
    first = tokens[0]
    if first.text.upper() not in _OPENINGS:
        message = f"{first.text} isn't accepted here; statements are {_ACCEPTED}"
        column = column_of(first)
        raise SqlError(Code.UNSUPPORTED, message, line=first.line, column=column)
    (tree,) = DIALECT.parser().parse(tokens, text)
    if tree is None:
        raise SqlError(
            Code.SYNTAX, f"there is no statement; statements are {_ACCEPTED}"
        )
    if parameter := tree.find(exp.Placeholder, exp.Parameter):
        message = (
            f"{parameter.sql(DIALECT)} is a parameter, and nothing gives it a value"
        )
        raise SqlError(
            Code.UNSUPPORTED, message, hint="Write the value into the statement."
        )
    if any(inner is not tree for inner in tree.find_all(*_CHANGES)):
        message = "INSERT, UPDATE and DELETE can't stand inside another statement"
        raise SqlError(Code.UNSUPPORTED, message)
    match tree:
        case exp.Insert():
            return _insert(tree)
        case exp.Update():
            return _update(tree)
        case exp.Delete():
            return _delete(tree)
        case exp.Query():
            return Query(tree, text)
        case exp.Values():
            return Query(exp.select("*").from_(tree), text)
        case _:
            message = (
                f"{first.text} isn't accepted in this form; statements are {_ACCEPTED}"
            )
            raise SqlError(
                Code.UNSUPPORTED,
                message,
                line=first.line,
                column=column_of(first),
            )


def _insert(tree: exp.Insert) -> Insert:
    _only(tree, "INSERT", {"this", "expression", "returning", "default", "with_"})
    target = tree.this
    columns: tuple[str, ...] = ()
    if isinstance(target, exp.Schema):
        columns = tuple(column.name for column in target.expressions)
        target = target.this
    source: Any = tree.expression
    if tree.args.get("default"):
        if columns:
            raise SqlError(Code.SYNTAX, "DEFAULT VALUES stands without column names")
        source = None
    elif isinstance(source, exp.Values):
        if any(word.name.upper() == "DEFAULT" for word in source.find_all(exp.Var)):
            message = "DEFAULT isn't accepted as a value; leave the column out instead"
            raise SqlError(Code.UNSUPPORTED, message)
        source = exp.select("*").from_(source.copy())
    elif not isinstance(source, exp.Query):
        raise SqlError(Code.SYNTAX, "INSERT takes VALUES, DEFAULT VALUES or a SELECT")
    if source is not None and (ctes := tree.args.get("with_")):
        source = source.copy()
        source.set("with_", ctes.copy())
    if source is not None and not columns:
        raise SqlError(
            Code.SYNTAX,
            "INSERT needs the names of the columns that it sets, such as (label, scopes)",
        )
    return Insert(_table(target), columns, source, _returning(tree))


def _update(tree: exp.Update) -> Update:
    _only(tree, "UPDATE", {"this", "expressions", "where", "returning"})
    assignments: list[tuple[str, exp.Expr]] = []
    for assignment in tree.expressions:
        if not isinstance(assignment, exp.EQ) or not isinstance(
            assignment.this, exp.Column
        ):
            raise SqlError(Code.SYNTAX, "SET takes column = value, separated by commas")
        assignments.append((assignment.this.name, assignment.expression))
    return Update(_table(tree.this), tuple(assignments), _where(tree), _returning(tree))


def _delete(tree: exp.Delete) -> Delete:
    _only(tree, "DELETE", {"this", "where", "returning"})
    return Delete(_table(tree.this), _where(tree), _returning(tree))


def _only(tree: exp.Expr, verb: str, clauses: set[str]) -> None:
    for clause, value in tree.args.items():
        if value and clause not in clauses:
            word = clause.strip("_").replace("_", " ").upper()
            raise SqlError(Code.UNSUPPORTED, f"{verb} doesn't take {word} here")


def _table(node: object) -> exp.Table:
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise SqlError(
            Code.SYNTAX, "expected a resource's name, as provider.service.resource"
        )
    more = [k for k, v in node.args.items() if v and k not in _TARGET]
    if more or node.alias_column_names:
        message = "INSERT, UPDATE and DELETE take one resource, with at most an alias"
        raise SqlError(Code.UNSUPPORTED, message)
    return node


def _where(tree: exp.Expr) -> exp.Expr | None:
    where = tree.args.get("where")
    return where.this if where else None


def _returning(tree: exp.Expr) -> tuple[exp.Expr, ...] | None:
    returning = tree.args.get("returning")
    if returning and returning.args.get("into"):
        raise SqlError(Code.UNSUPPORTED, "RETURNING doesn't take INTO here")
    if returning and returning.find(*_NOT_OF_ONE_ROW):
        message = (
            "RETURNING gives one row for each row that the statement acts on, so it takes no subquery, "
            "aggregate, window or unnest"
        )
        raise SqlError(Code.UNSUPPORTED, message)
    return tuple(returning.expressions) if returning else None


def _explain(error: ParseError) -> NoReturn:
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    found = first.get("highlight")
    column = max(1, first["col"] - len(found) + 1) if found else first.get("col")
    what = (
        f"the statement can't be read at {found!r}"
        if found
        else "the statement can't be read"
    )
    reason = str(first.get("description", "")).strip()
    if "<class" in reason:  # sqlglot's own names say nothing to a person
        reason = ""
    raise SqlError(
        Code.SYNTAX,
        what,
        line=first.get("line"),
        column=column,
        hint=reason or None,
    ) from None
