"""Text to statements: the first stage of a query's path."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NoReturn

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from patql.engine import grammar
from patql.engine.cursor import Cursor, column_of, place, set_places
from patql.engine.dialect import DIALECT, EXHAUSTED, read
from patql.engine.functions import restore
from patql.engine.mutation import Change, name_of, of_resource, position, target_of
from patql.engine.refusals import (
    refuse_calls,
    refuse_clauses,
    refuse_kind,
    refuse_statement,
)
from patql.engine.statement import (
    NESTED,
    Exec,
    Explain,
    Local,
    Query,
    Runnable,
    Statement,
)
from patql.kernel.errors import Code, SqlError

_META: dict[str, Callable[[Cursor], Runnable]] = {
    "EXEC": grammar.parse_exec,
    "EXECUTE": grammar.parse_exec,
    "SHOW": grammar.parse_show,
    "DESCRIBE": grammar.parse_describe,
    "DESC": grammar.parse_describe,
    "USE": grammar.parse_use,
    "REGISTRY": grammar.parse_registry,
}
_TREES = frozenset(
    {
        *("SELECT", "FROM", "WITH", "VALUES", "("),
        *("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "COPY"),
    }
)
_ACCEPTED = (
    "SELECT, INSERT, UPDATE, REPLACE, DELETE, EXEC, SHOW, DESCRIBE, EXPLAIN, USE, COPY, and CREATE, DROP, ALTER and "
    "TRUNCATE of local tables"
)
_KINDS = ("TABLE", "VIEW")
_CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_TABLES = frozenset({"PIVOT", "UNPIVOT", "SUMMARIZE"})
"""What DuckDB takes for a statement where it could stand in FROM."""

_RESOURCE = 3
"""Parts of a resource's whole name."""

_SHORTER = (
    "Each JOIN takes its own ON or USING, CROSS JOIN neither; types that are called, such as ROW(…), ARRAY[…] and "
    "DATE(…), stand in each other a few times at most."
)
"""What to do about a statement that takes too long to read: the two things that sqlglot reads again and again."""

_QUOTED = re.compile(
    r"--[^\n]*|/\*.*?\*/|e'(?:\\.|[^'\\])*'|'(?:''|[^'])*'|"
    r'"(?:""|[^"])*"|`[^`]*`|\$(\w*)\$.*?\$\1\$',
    re.DOTALL | re.IGNORECASE,
)
_OPENING = re.compile(r"--|/\*|e'|['\"`]|\$\w*\$", re.IGNORECASE)


def split(sql: str) -> list[str]:
    """The statements of a script, as written, without the semicolons between them.

    Raises:
        SqlError: SYNTAX where a quote or a comment isn't closed.
    """
    return [
        sql[tokens[0].start : tokens[-1].end + 1]
        for tokens in _statements(_tokenize(sql))
    ]


def beginning(sql: str, number: int) -> tuple[int, int]:
    """The line and the column at which a statement of a script begins; its number counts from 0."""
    tokens = next(islice(_statements(_tokenize(sql)), number, None))
    return place(sql, tokens[0].start)


def parse(text: str, variables: Collection[str] | None = None) -> Statement:
    """One statement, in which `$name` may stand for each of the variables; for any where None are told.

    INSERT, UPDATE, REPLACE and DELETE of what has a name of three parts are of a resource; of other names it is told
    later what they mean (`Local`).

    Raises:
        SqlError: SYNTAX or UNKNOWN_NAME, or UNSUPPORTED for a kind of statement that isn't accepted; with a position.
    """
    tokens = _tokenize(text)
    if not tokens:
        message = f"there is no statement; statements are {_ACCEPTED}"
        raise SqlError(Code.SYNTAX, message, line=1, column=1)
    refuse_calls(tokens)
    try:
        statement = _statement(tokens, text)
    except ParseError as error:
        _explain(error)
    except RecursionError:
        _refuse(tokens[0], NESTED, code=Code.SYNTAX)
    _check_variables(tokens, variables)
    return statement


def _tokenize(sql: str) -> list[Token]:
    try:
        # After a $ sqlglot looks for what closes a text in dollars, and trips over a '' that ends the whole.
        tokens = DIALECT.tokenize(f"{sql} ")
    except TokenError:
        line, column = place(sql, _unclosed(sql))
        message = "the statement ends inside a quote or a comment that begins here"
        raise SqlError(Code.SYNTAX, message, line=line, column=column) from None
    set_places(tokens, sql)
    return tokens


def _unclosed(sql: str) -> int:
    """Where the quote or comment begins that isn't closed."""
    at = 0
    while opening := _OPENING.search(sql, at):
        closed = _QUOTED.match(sql, opening.start())
        if closed is None:
            return opening.start()
        at = closed.end()
    return max(0, len(sql) - 1)


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


def _check_variables(
    tokens: Sequence[Token], variables: Collection[str] | None
) -> None:
    known = {name.casefold() for name in variables or ()}
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.token_type is TokenType.PLACEHOLDER:
            message = (
                f"nothing gives {token.text} a value; a variable is written as $name"
            )
            _refuse(token, message)
        if token.token_type is not TokenType.PARAMETER or token.text != "$":
            continue
        if following is None or not _names_variable(following, token.end + 1):
            message = "expected a variable's name after $, without quotes"
            _refuse(following or token, message, code=Code.SYNTAX)
        name = following.text
        if variables is not None and name.casefold() not in known:
            told = ", ".join(f"${known}" for known in variables)
            message = f"there is no variable ${name}; there are {told or 'none'}"
            hint = f"--var {name}=VALUE gives it a value."
            _refuse(token, message, code=Code.UNKNOWN_NAME, hint=hint)


def _names_variable(token: Token, start: int) -> bool:
    quoted = token.end - token.start >= len(token.text)
    return token.start == start and token.text.isidentifier() and not quoted


def _statement(tokens: list[Token], text: str) -> Statement:
    cursor = Cursor(tokens, text)
    if not cursor.take("EXPLAIN"):
        return _runnable(tokens, text)
    analyze = cursor.take("ANALYZE") is not None
    rest = tokens[2 if analyze else 1 :]
    if not rest or Cursor(rest, text).word() == "EXPLAIN":
        cursor.fail("the statement that is to be explained")
    # What stood before is left blank, so that every place in the text stays where it was.
    before = re.sub(r"\S", " ", text[: rest[0].start])
    return Explain(_runnable(rest, before + text[rest[0].start :]), analyze)


def _runnable(tokens: list[Token], text: str) -> Runnable:
    word = Cursor(tokens, text).word()
    if word != "SHOW":  # whose hints are its own
        refuse_clauses(tokens, text)
    if meta := _META.get(word):
        return meta(Cursor(tokens, text))
    if word in _TABLES:
        return _runnable(_as_table(tokens), text)
    if word in ("DROP", "TRUNCATE", "ALTER"):
        return _definition(tokens, text)
    if word not in _TREES:
        refuse_statement(tokens[0])
        message = f"{tokens[0].text} isn't accepted here; statements are {_ACCEPTED}"
        _refuse(tokens[0], message)
    if word == "CREATE":
        _check_kind(Cursor(tokens, text))
    rest, execs = _without_execs(tokens, text)
    if word == "REPLACE":
        rest = [_update(rest), *rest[1:]]
    tree = _tree(rest, text, len(execs))
    theirs = bool(execs) or any(t.token_type is TokenType.RLIKE for t in tokens)
    if isinstance(tree, (exp.Query, exp.Values)):
        query = tree if isinstance(tree, exp.Query) else exp.select("*").from_(tree)
        return Query(query, None if theirs else text, execs)
    written = None if theirs else _requoted(tokens, text)
    if isinstance(tree, (exp.Insert, exp.Update, exp.Delete)):
        return _change(tree, word, execs, written)
    return _local(tree, execs, written, tokens[0])


def _as_table(tokens: list[Token]) -> list[Token]:
    """The tokens of FROM (…) around those of a statement, in places that are the statement's own."""
    first, last = tokens[0], tokens[-1]
    before = ((TokenType.FROM, "FROM"), (TokenType.L_PAREN, "("))
    at = (first.line, first.col, first.start, first.end)
    opening = [Token(kind, word, *at) for kind, word in before]
    closing = Token(TokenType.R_PAREN, ")", last.line, last.col, last.start, last.end)
    return [*opening, *tokens, closing]


def _definition(tokens: list[Token], text: str) -> Local:
    """DROP, TRUNCATE and ALTER, which read no rows: DuckDB is given them as they are written."""
    cursor = Cursor(tokens, text)
    verb = cursor.take("DROP", "TRUNCATE", "ALTER") or ""
    kind = cursor.take(*_KINDS) or ("TABLE" if verb == "TRUNCATE" else None)
    if kind is None:
        refuse_kind(verb, cursor.token)
        cursor.fail("TABLE or VIEW")
    if verb != "TRUNCATE" and cursor.take("IF") and not cursor.take("EXISTS"):
        cursor.fail("EXISTS")
    name = cursor.name("a local table's name")
    if verb != "ALTER":
        cursor.take("CASCADE", "RESTRICT")
        cursor.end()
    inner = (t for t in tokens if t.token_type in (TokenType.SELECT, TokenType.FROM))
    if query := next(inner, None):
        _refuse(query, f"{verb} takes no query")
    spoken = verb if verb == "TRUNCATE" else f"{verb} {kind}"
    return Local(spoken, name, None, _requoted(tokens, text))


def _requoted(tokens: Sequence[Token], text: str) -> str:
    """The text with names in backticks put into DuckDB's quotes."""
    for token in reversed(tokens):
        if text[token.start] == "`":
            quoted = '"' + token.text.replace('"', '""') + '"'
            text = text[: token.start] + quoted + text[token.end + 1 :]
    return text


def _check_kind(cursor: Cursor) -> None:
    cursor.take("CREATE")
    if cursor.take("OR") and not cursor.take("REPLACE"):
        cursor.fail("REPLACE")
    cursor.take("TEMP", "TEMPORARY")
    if not cursor.take(*_KINDS):
        refuse_kind("CREATE", cursor.token)
        cursor.fail("TABLE or VIEW")


def _without_execs(
    tokens: list[Token], text: str
) -> tuple[list[Token], tuple[Exec, ...]]:
    """The tokens with a table's name for each `(EXEC …)`, and what these are."""
    kept: list[Token] = []
    execs: list[Exec] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if not _opens_exec(tokens[at : at + 4]):
            kept.append(token)
            at += 1
            continue
        closing = (t.token_type is TokenType.R_PAREN for t in tokens[at:])
        end = next((at + n for n, closes in enumerate(closing) if closes), len(tokens))
        execs.append(grammar.parse_exec(Cursor(tokens[at + 1 : end], text)))
        if end == len(tokens):
            _refuse(token, "this parenthesis isn't closed", code=Code.SYNTAX)
        name = f"exec#{len(execs)}"
        length = tokens[end].end - token.start
        places = (token.line, token.col + length, token.start, tokens[end].end)
        kept.append(Token(TokenType.IDENTIFIER, name, *places))
        at = end + 1
    return kept, tuple(execs)


def _opens_exec(tokens: Sequence[Token]) -> bool:
    return (
        len(tokens) == 4
        and tokens[0].token_type is TokenType.L_PAREN
        and tokens[1].token_type is TokenType.VAR
        and tokens[1].text.upper() in ("EXEC", "EXECUTE")
        and tokens[3].token_type is TokenType.DOT
    )


def _update(tokens: Sequence[Token]) -> Token:
    """The word UPDATE in the place of REPLACE, which is read alike."""
    first = tokens[0]
    if Cursor(tokens[1:] or tokens, "").word() == "INTO":
        message = "REPLACE INTO isn't accepted: REPLACE resource SET column = value WHERE … replaces rows"
        _refuse(first, message)
    places = (first.line, first.col, first.start, first.end)
    return Token(TokenType.UPDATE, first.text, *places)


def _tree(tokens: list[Token], text: str, execs: int) -> exp.Expr:
    tree = read(tokens, text)
    if tree is None:
        _refuse(tokens[0], "the statement can't be read", code=Code.SYNTAX)
    restore(tree)
    _lift_joins(tree)
    tables = [t for t in tree.find_all(exp.Table) if t.name.startswith("exec#")]
    if len(tables) < execs:
        message = "(EXEC …) stands where a table may stand, such as after FROM"
        _refuse(next(t for t in tokens if t.text.startswith("exec#")), message)
    inside = (inner for inner in tree.find_all(*_CHANGES) if inner is not tree)
    if change := next(inside, None):
        message = "INSERT, UPDATE and DELETE can't stand inside another statement"
        _refuse_at(change, message)
    dollars = {
        after.text
        for before, after in pairwise(tokens)
        if before.token_type is TokenType.PARAMETER
    }
    for placeholder in tree.find_all(exp.Placeholder, exp.Parameter):
        if placeholder.this and placeholder.name not in dollars:
            message = (
                f":{placeholder.name} isn't accepted: a variable is written as $name"
            )
            _refuse(tokens[0], message)
    return tree


def _lift_joins(tree: exp.Expr) -> None:
    """Have FROM a JOIN b SELECT … be the tree of SELECT … FROM a JOIN b: sqlglot hangs the joins on the first table."""
    for select in tree.find_all(exp.Select):
        if (source := select.args.get("from_")) is None:
            continue
        joins: list[exp.Expr] = source.this.args.get("joins") or []
        if joins:
            source.this.set("joins", None)
            others: list[exp.Expr] = select.args.get("joins") or []
            select.set("joins", [*joins, *others])


def _change(
    tree: Change, word: str, execs: tuple[Exec, ...], text: str | None
) -> Runnable:
    name = name_of(target_of(tree))
    replaces = word == "REPLACE"
    if len(name) == _RESOURCE:
        return of_resource(tree, execs, replaces=replaces)
    kind = "REPLACE" if replaces else tree.key.upper()
    return Local(kind, name, tree, text, execs)


def _local(
    tree: exp.Expr, execs: tuple[Exec, ...], text: str | None, first: Token
) -> Local:
    target = _schemaless(tree.this)
    name = name_of(target) if isinstance(target, exp.Table) else ()
    if isinstance(tree, exp.Create) and name:
        return Local(f"CREATE {tree.kind}", name, tree, text, execs)
    if not isinstance(tree, exp.Copy) or not _is_one_file(tree):
        message = (
            f"{first.text} isn't accepted in this form; statements are {_ACCEPTED}"
        )
        _refuse(first, message)
    # sqlglot's `kind` of COPY is whether it is COPY … FROM.
    return Local("COPY", name if tree.args["kind"] else (), tree, text, execs)


def _schemaless(node: object) -> object:
    """A table without the columns that are listed after it."""
    return node.this if isinstance(node, exp.Schema) else node


def _is_one_file(tree: exp.Copy) -> bool:
    files: list[exp.Expr] = tree.args.get("files") or []
    return len(files) == 1 and (
        files[0].is_string or isinstance(files[0], exp.Placeholder)
    )


def _refuse(
    at: Token, message: str, *, code: Code = Code.UNSUPPORTED, hint: str | None = None
) -> NoReturn:
    raise SqlError(code, message, line=at.line, column=column_of(at), hint=hint)


def _refuse_at(node: exp.Expr, message: str) -> NoReturn:
    line, column = position(node)
    raise SqlError(Code.UNSUPPORTED, message, line=line, column=column)


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
    if reason.startswith(EXHAUSTED):
        what = f"reading the statement takes too long: given up at {found!r}"
        reason = _SHORTER
    if "<" in reason:  # sqlglot's own names say nothing to a person
        reason = ""
    raise SqlError(
        Code.SYNTAX,
        what,
        line=first.get("line") or 1,
        column=column or 1,
        hint=reason or None,
    ) from None
