"""Statements and clauses of StackQL and DuckDB that aren't accepted: why not, and what there is instead."""

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from patql.engine.cursor import column_of, place
from patql.kernel.errors import Code, SqlError

_TRANSACTIONS = "what a server has done can't be taken back, so there are no transactions; each statement stands alone"
_CREDENTIALS = "a session's credentials are given when it is opened, as --help tells"
_LOCKED = "the relational engine's configuration is fixed when a session is opened"
_EXTENSIONS = "no extension can be added to the relational engine"
_DATABASES = (
    "local tables last in the file that --local names, and no other can be opened"
)
_REFRESH = "no rows are kept from one statement to the next; CREATE TABLE … AS keeps a copy of them"
_PREPARED = "a statement is run as it is given; --var gives values to $name"

_STATEMENTS = {
    "ABORT": _TRANSACTIONS,
    "ANALYZE": "EXPLAIN ANALYZE tells what a statement costs",
    "ATTACH": _DATABASES,
    "AUTH": _CREDENTIALS,
    "BEGIN": _TRANSACTIONS,
    "CALL": "EXEC calls a resource's method",
    "CHECKPOINT": "local tables are written to their file by themselves",
    "COMMIT": _TRANSACTIONS,
    "DEALLOCATE": _PREPARED,
    "DETACH": _DATABASES,
    "EXPORT": "COPY … TO writes one table or query to a file",
    "FORCE": "local tables are written to their file by themselves",
    "IMPORT": "COPY … FROM reads a file into a local table",
    "INSTALL": _EXTENSIONS,
    "LOAD": _EXTENSIONS,
    "MERGE": "INSERT, UPDATE and DELETE each take a SELECT or a predicate over other tables",
    "NATIVEQUERY": "every SELECT is DuckDB's own, and needs no other way to it",
    "PRAGMA": _LOCKED,
    "PREPARE": _PREPARED,
    "PURGE": "nothing is cached that could be purged",
    "REFRESH": _REFRESH,
    "RESET": _LOCKED,
    "ROLLBACK": _TRANSACTIONS,
    "SAVEPOINT": _TRANSACTIONS,
    "SET": f"{_LOCKED}, and so are its credentials",
    "SLEEP": "nothing has to be waited for: a statement ends when the server has answered",
    "START": _TRANSACTIONS,
    "VACUUM": "nothing is left behind that could be cleared away",
}

_TABLES = "there are local tables, and views over them"
_MADE = {
    **dict.fromkeys(("INDEX", "SEQUENCE", "TRIGGER", "TYPE", "UNIQUE"), _TABLES),
    "MATERIALIZED": _REFRESH,
    "SECRET": _CREDENTIALS,
    "PERSISTENT": _CREDENTIALS,
    "SCHEMA": "local tables stand side by side in one schema",
    "DATABASE": _DATABASES,
    "MACRO": "a subquery or a view over local tables does what it would do",
    "FUNCTION": "a subquery or a view over local tables does what it would do",
}
"""What CREATE and DROP might be meant for, beside tables and views."""

_CALLING = (TokenType.DOT, TokenType.PLACEHOLDER)
"""What sqlglot takes a call after to be one of what stands before it: `x.f()`, and `x?f()`, which is refused later."""

_CALLS, _COPIED = 20, 250_000
"""How many such calls a statement may always have, and how many tokens may be copied where it has more: each call
copies all that stands before it."""

_AWAIT = re.compile(r"/\*\+[^*]*\bAWAIT\b", re.IGNORECASE)


def refuse_statement(first: Token) -> None:
    """Refuse a statement by its first word, if it is one that people may expect here.

    Raises:
        SqlError: UNSUPPORTED.
    """
    _refuse(first.text.upper(), _STATEMENTS.get(first.text.upper()), first)


def refuse_kind(verb: str, kind: Token | None) -> None:
    """Refuse to make, alter or drop what isn't a table or a view, if people may expect it here.

    Raises:
        SqlError: UNSUPPORTED.
    """
    if kind is not None:
        word = kind.text.upper()
        _refuse(f"{verb} {word}", _MADE.get(word), kind)


def refuse_clauses(tokens: Sequence[Token], text: str) -> None:
    """Refuse what StackQL puts into statements: AWAIT and jsonnet; its other hints change nothing here.

    Raises:
        SqlError: UNSUPPORTED, with the position.
    """
    said = any("AWAIT" in c.upper() for token in tokens for c in token.comments)
    if said and (hint := _AWAIT.search(text)):
        line, column = place(text, hint.start())
        message = "AWAIT isn't accepted: a statement ends when the server has answered, and no operation is polled"
        raise SqlError(Code.UNSUPPORTED, message, line=line, column=column)
    for at, token in enumerate(tokens[3:], 3):
        opening = all(t.token_type is TokenType.LT for t in tokens[at - 3 : at])
        if opening and token.text.casefold() == "jsonnet":
            reason = "the values stand in the statement itself, and $name in it takes those that --var gives"
            _refuse("<<<jsonnet", reason, tokens[at - 3])


def refuse_calls(tokens: Sequence[Token]) -> None:
    """Refuse so many calls of the form `x.f()` that the statement couldn't be read in time.

    Raises:
        SqlError: SYNTAX, with the position of the first one that is too many.
    """
    calls = [
        called
        for before, called, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if before.token_type in _CALLING and after.token_type is TokenType.L_PAREN
    ]
    most = max(_CALLS, _COPIED // len(tokens))
    if len(calls) > most:
        at = calls[most]
        message = f"a statement of this length may call at most {most} functions as x.f(…); write f(x, …)"
        raise SqlError(Code.SYNTAX, message, line=at.line, column=column_of(at))


def _refuse(what: str, reason: str | None, at: Token) -> None:
    if reason is not None:
        message = f"{what} isn't accepted: {reason}"
        raise SqlError(Code.UNSUPPORTED, message, line=at.line, column=column_of(at))
