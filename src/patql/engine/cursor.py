"""A place in the tokens of a statement, for what isn't SQL."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import NoReturn

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from patql.engine.dialect import read
from patql.engine.statement import Name, Scalar, Variable
from patql.kernel.errors import Code, SqlError

_STRINGS = (TokenType.STRING, TokenType.HEREDOC_STRING)
_LINE_END = re.compile(r"\r\n|\r|\n")
_WORDS: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NULL": None}


def column_of(token: Token) -> int:
    """Where a token begins in its line, from 1; sqlglot knows where it ends."""
    return max(1, token.col - (token.end - token.start))


def place(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of a character, both from 1."""
    before = _LINE_END.split(text[:offset])
    return len(before), len(before[-1]) + 1


def set_places(tokens: Sequence[Token], text: str) -> None:
    """Give each token of a text the line that it begins in, and the column where it would end if it were all in that line.

    sqlglot counts a line again where it has looked ahead in vain for the end of `$tag$`, and tells the line that a token
    ends in.
    """
    begins = [0, *(end.end() for end in _LINE_END.finditer(text))]
    for token in tokens:
        token.line = bisect_right(begins, token.start)
        token.col = token.end + 1 - begins[token.line - 1]


class Cursor:
    """A place in the tokens of one statement, which was written as `text`."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0

    @property
    def token(self) -> Token | None:
        """The next token, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    @property
    def hints(self) -> set[str]:
        """The words of the statement's `/*+ … */` comments, in upper case."""
        comments = (comment for token in self._tokens for comment in token.comments)
        return {w.upper() for c in comments if c[:1] == "+" for w in c[1:].split()}

    def word(self) -> str:
        """The next token in upper case, unless it is quoted or there is none."""
        token = self.token
        quoted = token is None or token.token_type in (
            TokenType.STRING,
            TokenType.IDENTIFIER,
        )
        return "" if token is None or quoted else token.text.upper()

    def take(self, *words: str) -> str | None:
        """Step over the next token if it is one of the words, and say which."""
        word = self.word()
        if word not in words:
            return None
        self._at += 1
        return word

    def flag(self, word: str) -> bool:
        """Step over the word, unless a dot makes it the beginning of a name; whether it was there."""
        following = self._tokens[self._at + 1 : self._at + 2]
        if following and following[0].token_type is TokenType.DOT:
            return False
        return self.take(word) is not None

    def fail(self, expected: str) -> NoReturn:
        """Say what should have stood here."""
        found = repr(self.token.text) if self.token else "the end of the statement"
        self.refuse(f"expected {expected}, found {found}", self.token)

    def refuse(
        self,
        message: str,
        at: Token | None,
        *,
        code: Code = Code.SYNTAX,
        hint: str | None = None,
    ) -> NoReturn:
        """Say what is wrong at a token; None is the end of the statement."""
        if at:
            line, column = at.line, column_of(at)
        else:
            line, column = place(self._text, self._tokens[-1].end + 1)
        raise SqlError(code, message, line=line, column=column, hint=hint)

    def identifier(self, expected: str) -> str:
        """A name, quoted or not; parts joined by hyphens are one name."""
        token = self.token
        if token is None or not _is_name(token):
            self.fail(expected)
        self._at += 1
        text, end = token.text, token.end
        while (
            (dash := self.token)
            and dash.token_type is TokenType.DASH
            and dash.start == end + 1
        ):
            self._at += 1
            part = self.token
            if not part or not part.text.isalnum():
                self.fail("the rest of a name")
            self._at += 1
            text, end = f"{text}-{part.text}", part.end
        return text

    def name(self, expected: str) -> Name:
        """A dotted name."""
        parts = [self.identifier(expected)]
        while self.token and self.token.token_type is TokenType.DOT:
            self._at += 1
            parts.append(self.identifier(expected))
        return tuple(parts)

    def value(self) -> Scalar | Variable:
        """A string, a number, TRUE, FALSE, NULL or `$name`."""
        if self.take("$"):
            return Variable(self.identifier("a variable's name"))
        negative = self.take("-") is not None
        token = self.token
        if token is None:
            self.fail("a value")
        if token.token_type is TokenType.NUMBER:
            number = _number(token.text)
            if number is None:
                self.fail("a number of usual size")
            self._at += 1
            return -number if negative else number
        if not negative and token.token_type in _STRINGS:
            self._at += 1
            return token.text
        word = None if negative else self.take(*_WORDS)
        if word is None:
            self.fail("a string, a number, TRUE, FALSE, NULL or $name")
        return _WORDS[word]

    def predicate(self) -> exp.Expr:
        """A predicate of DuckDB's, up to the end of the statement.

        Raises:
            ParseError: it can't be read.
        """
        if self.token is None:
            self.fail("a predicate")
        rest = list(self._tokens[self._at :])
        tree = read(rest, self._text, exp.Condition)
        self._at = len(self._tokens)
        return tree or self.fail("a predicate")

    def end(self, expected: str = "the end of the statement") -> None:
        """Nothing may follow."""
        if self.token:
            self.fail(expected)


def _is_name(token: Token) -> bool:
    if token.token_type is TokenType.IDENTIFIER:
        return bool(token.text)
    # A string's text is shorter than its token, and so is never taken for a word.
    bare = token.end - token.start + 1 == len(token.text)
    return bare and token.text.isidentifier()


def _number(text: str) -> int | float | None:
    """The number; None where it is none, or too large to be held."""
    for kind in (int, float):
        with suppress(ValueError):
            if (number := kind(text)) != inf:
                return number
    return None
