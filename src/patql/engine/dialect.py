"""The SQL we read: DuckDB's, with identifiers in backticks too, and without words that would swallow a statement.

It is a `Dialect` with another tokenizer, and indexes and paths into JSON left as they are: sqlglot's parsers and generators can't be subclassed where its
compiled form is installed, and its DuckDB parser reads DuckDB's statements as DuckDB does.
"""

import logging
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

_OUR_OWN_WORDS = frozenset(
    {"EXPLAIN", "SHOW", "EXECUTE", "DESCRIBE", "DESC", "CALL", "REFRESH"}
)
_THEIRS = DuckDB.Tokenizer

# It tells the log of statements that it can't read, with their text; we tell the person, who would see both.
_LOG = logging.getLogger("sqlglot")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False

_NODES, _NODES_A_TOKEN = 1_000, 4
"""How many nodes reading may make: what is right makes one a token at most, and each made in vain counts too."""

EXHAUSTED = "Maximum number of AST nodes"
"""How sqlglot begins to say that it made more."""


class PatqlDialect(DuckDB):
    """DuckDB's dialect, whose tokenizer leaves EXEC, SHOW, DESCRIBE and the like to us."""

    # DuckDB counts from 1, and what we write is DuckDB's too: to count anew would take the types of all that has
    # an index, for each index again, and `x[1][1]…` the square of its length.
    INDEX_OFFSET = 0

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


def read(
    tokens: list[Token], text: str, kind: type[exp.Expr] | None = None
) -> exp.Expr | None:
    """The tree of the tokens of a text, which is a statement or of the kind told; None where they are none.

    Raises:
        ParseError: it can't be read, or not within the time that its length allows; with a position.
        RecursionError: it is nested too deeply.
    """
    # Some ways to read are tried and given up again within others: each JOIN without ON would double the time, and
    # so would each type's name that is called within another, such as DATE(DATE(…)).
    parser = DIALECT.parser(max_nodes=_NODES + _NODES_A_TOKEN * len(tokens))
    try:
        trees = (
            parser.parse(tokens, text)
            if kind is None
            else parser.parse_into(kind, tokens, text)
        )
    except (ParseError, RecursionError):
        raise
    except Exception:
        # Text that is no SQL makes it trip over what it took for granted, in a way of any kind: AttributeError,
        # IndexError, TokenError of a type's name. It still knows where.
        parser.raise_error("")
        raise
    return trees[0]
