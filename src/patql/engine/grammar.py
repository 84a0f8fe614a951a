"""The statements that aren't SQL: EXEC, SHOW and DESCRIBE, read from sqlglot's tokens."""

from collections.abc import Sequence
from typing import NoReturn, cast

import msgspec
from sqlglot.tokenizer_core import Token, TokenType

from patql.engine.statement import Describe, Exec, Json, Name, Show
from patql.kernel.errors import Code, SqlError

KINDS = ("PROVIDERS", "SERVICES", "RESOURCES", "METHODS")
_STRINGS = (TokenType.STRING, TokenType.HEREDOC_STRING)
_WORDS: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NULL": None}


def column_of(token: Token) -> int:
    """Where a token begins in its line, from 1; sqlglot knows where it ends."""
    return max(1, token.col - (token.end - token.start))


class Cursor:
    """A place in the tokens of one statement."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> Token | None:
        """The next token, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

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

    def fail(self, expected: str) -> NoReturn:
        """Say what should have stood here."""
        token, last = self.token, self._tokens[-1]
        found = repr(token.text) if token else "the end of the statement"
        raise SqlError(
            Code.SYNTAX,
            f"expected {expected}, found {found}",
            line=(token or last).line,
            column=column_of(token) if token else last.col + 1,
        )

    def identifier(self, expected: str) -> str:
        """A name, quoted or not; parts joined by hyphens are one name."""
        token = self.token
        named = token is not None and (
            token.token_type is TokenType.IDENTIFIER
            or token.text[:1].isalpha()
            or token.text[:1] == "_"
        )
        if token is None or not named:
            self.fail(expected)
        self._at += 1
        text, end = token.text, token.end
        while (
            (dash := self.token)
            and dash.token_type is TokenType.DASH
            and dash.start == end + 1
        ):
            self._at += 1
            if not (part := self.token):
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

    def literal(self) -> str | int | float | bool | None:
        """A string, a number, TRUE, FALSE or NULL."""
        negative = self.take("-") is not None
        token = self.token
        if token is None:
            self.fail("a value")
        if token.token_type is TokenType.NUMBER:
            self._at += 1
            value = _number(token)
            return -value if negative else value
        if not negative and token.token_type in _STRINGS:
            self._at += 1
            return token.text
        word = self.take(*_WORDS) if not negative else None
        return (
            _WORDS[word]
            if word
            else self.fail("a string, a number, TRUE, FALSE or NULL")
        )

    def end(self) -> None:
        """Nothing may follow."""
        if self.token:
            self.fail("the end of the statement")


def parse_exec(cursor: Cursor) -> Exec:
    """EXEC p.s.r.method @parameter = value, @@json = '{…}'; commas are optional."""
    cursor.take("EXEC", "EXECUTE")
    name = cursor.name("the method's name, as provider.service.resource.method")
    arguments: dict[str, str | int | float | bool | None] = {}
    body: Json | None = None
    while cursor.take("@"):
        is_body = cursor.take("@") is not None
        key = cursor.identifier("a parameter's name")
        if not cursor.take("="):
            cursor.fail(f"= after @{key}")
        place = cursor.token
        if is_body and key.casefold() != "json":
            raise SqlError(
                Code.SYNTAX, f"a body is given as @@json = '{{…}}', not as @@{key}"
            )
        value = cursor.literal()
        if is_body and body is None:
            body = _object(value, place)
        elif is_body or key.casefold() in map(str.casefold, arguments):
            raise SqlError(Code.SYNTAX, f"@{key} is given twice")
        else:
            arguments[key] = value
        cursor.take(",")
    cursor.end()
    return Exec(name, arguments, body)


def parse_show(cursor: Cursor) -> Show:
    """SHOW [EXTENDED] PROVIDERS | SERVICES IN p | RESOURCES IN p.s | METHODS IN p.s.r, each with LIKE 'pattern'."""
    cursor.take("SHOW")
    extended = cursor.take("EXTENDED") is not None
    kind = cursor.take(*KINDS) or cursor.fail(" or ".join(KINDS))
    depth = KINDS.index(kind)
    name: Name = ()
    if depth:
        if not cursor.take("IN", "FROM"):
            cursor.fail("IN and a name")
        shape = ".".join(("provider", "service", "resource")[:depth])
        name = cursor.name(shape)
        if len(name) != depth:
            told = ".".join(name)
            raise SqlError(
                Code.SYNTAX,
                f"SHOW {kind} IN takes a name of the form {shape}, not {told}",
            )
    like = None
    if cursor.take("LIKE"):
        pattern = cursor.literal()
        if not isinstance(pattern, str):
            raise SqlError(
                Code.SYNTAX, "LIKE takes a pattern in quotes, such as '%token%'"
            )
        like = pattern
    cursor.end()
    return Show(kind, name, extended, like)


def parse_describe(cursor: Cursor) -> Describe:
    """DESCRIBE [EXTENDED] p.s.r."""
    cursor.take("DESCRIBE", "DESC")
    extended = cursor.take("EXTENDED") is not None
    name = cursor.name("a resource's name, as provider.service.resource")
    cursor.end()
    return Describe(name, extended)


def _number(token: Token) -> int | float:
    try:
        return int(token.text)
    except ValueError:
        return float(token.text)


def _object(value: object, place: Token | None) -> Json:
    line, column = (place.line, column_of(place)) if place else (None, None)
    try:
        body: object = msgspec.json.decode(value) if isinstance(value, str) else None
    except msgspec.DecodeError as reason:
        message = f"@@json isn't JSON: {reason}"
        raise SqlError(Code.SYNTAX, message, line=line, column=column) from None
    if not isinstance(body, dict):
        message = '@@json takes an object in quotes, such as \'{"label": "ci"}\''
        raise SqlError(Code.SYNTAX, message, line=line, column=column)
    return cast("Json", body)
