"""The SQL we read: DuckDB's, with identifiers in backticks too, and without words that would swallow a statement.

It is a `Dialect` with another tokenizer, and paths into JSON left as they are: sqlglot's parsers and generators can't be subclassed where its
compiled form is installed, and its DuckDB parser reads DuckDB's statements as DuckDB does.
"""

import logging
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokenizer_core import TokenType

_OUR_OWN_WORDS = frozenset(
    {"EXPLAIN", "SHOW", "EXECUTE", "DESCRIBE", "DESC", "CALL", "REFRESH"}
)
_THEIRS = DuckDB.Tokenizer

# It tells the log of statements that it can't read; we tell the person, who would see both.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())


class PatqlDialect(DuckDB):
    """DuckDB's dialect, whose tokenizer leaves EXEC, SHOW, DESCRIBE and the like to us."""

    class Tokenizer(_THEIRS):
        """DuckDB's tokens; no word turns the rest of the statement into an opaque command."""

        IDENTIFIERS: ClassVar = ['"', "`"]
        KEYWORDS: ClassVar = {
            word: kind
            for word, kind in _THEIRS.KEYWORDS.items()
            if word not in _OUR_OWN_WORDS
        } | {"DESC": TokenType.DESC}
        COMMANDS: ClassVar = set[TokenType]()

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """The path as it was written: `x -> 'a.b'` means the key `a.b`, and `$..a` has no other form."""
        return path


DIALECT = PatqlDialect()
