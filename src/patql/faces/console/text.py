"""Values as text: what is NULL, what is empty, and nothing that could move a terminal's cursor."""

import re
from collections.abc import Sequence
from typing import cast
from unicodedata import category, east_asian_width

import msgspec

from patql.kernel.text import printable

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NOT_ASCII_TEXT = re.compile(r"[^\x00-\x7e]")


def shown(value: object) -> str:
    """A value in a table: NULL, nothing for the empty text, and quotes around text that could be taken for either."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        doubtful = value == "NULL" or value[:1] == "'" or value != value.strip()
        return (
            "'" + printable(value).replace("'", "''") + "'"
            if doubtful
            else printable(value)
        )
    return printable(plain(value))


def plain(value: object) -> str:
    """A value that isn't NULL as DuckDB would print it, or as JSON where it has parts."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return "".join(rf"\x{byte:02X}" for byte in value)
        case dict() | list() | tuple():
            return json_text(cast("object", value))
        case _:
            return str(value)


def json_text(value: object) -> str:
    r"""A value as JSON in which every character is visible; the others are `\u` escapes, so nothing is lost."""
    return encoded(_jsonable(value))


def encoded(value: object) -> str:
    """The same for a value in which there is nothing that msgspec encodes differently, or not at all."""
    text = _ENCODER.encode(value).decode()
    return text if text.isprintable() else _NOT_ASCII_TEXT.sub(_json_escape, text)


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    if printable(char) == char:
        return char
    units = char.encode("utf-16-be")
    return "".join(
        f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)
    )


def _char_width(char: str) -> int:
    if category(char) in ("Mn", "Me", "Cf"):  # accents, and joiners
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def _jsonable(value: object) -> object:
    """The value, with what msgspec can't encode in a form that it can."""
    match value:
        case int() if not -(2**63) <= value < 2**64:  # HUGEINT
            return msgspec.Raw(str(value).encode())
        case dict():
            pairs = cast("dict[object, object]", value).items()
            return {plain(key): _jsonable(item) for key, item in pairs}
        case list() | tuple():
            return [_jsonable(item) for item in cast("Sequence[object]", value)]
        case bytes():
            return plain(value)
        case _:
            return value
