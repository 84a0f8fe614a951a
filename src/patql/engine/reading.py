"""How the values of one column are read: as its document says, or wider where values contradicted it.

Narrow to wide: BIGINT, HUGEINT or DOUBLE, VARCHAR, which also holds the JSON text of what is no string; and a nested type,
the same with what contradicts it as JSON, JSON. Numbers never lose a digit that a type can't hold: they widen it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Annotated, Any

import arro3.core as arrow
import msgspec

from patql.catalog.document import Column
from patql.engine.shape import EXACT, INT64, JSON, fitted, parse, reader, written
from patql.kernel.errors import Code, PatqlError

_PLAIN: dict[str, Any] = {
    "integer": int,
    "number": Annotated[float, msgspec.Meta(ge=-EXACT, le=EXACT)],
    "string": str,
    "boolean": bool,
}
"""What is read of documented types that aren't nested."""

_ARROW = {
    "integer": arrow.DataType.int64(),
    "number": arrow.DataType.float64(),
    "boolean": arrow.DataType.bool(),
    "DOUBLE": arrow.DataType.float64(),
}
_TEXT = arrow.DataType.string()

_WIDER: Mapping[str, Sequence[str]] = {
    "integer": ("HUGEINT", "DOUBLE"),
    "number": ("DOUBLE", "HUGEINT"),
}
"""What may come after a type that isn't nested; after all of them, VARCHAR."""

_NULL = "null"
NOTHING = msgspec.Raw(_NULL.encode())
"""What stands for a value that is absent, where values are left as JSON."""

_HUGE = range(-(2**127) + 1, 2**127)
_DIGITS = 40
"""More than any whole number has that a type holds."""


class ContradictionError(PatqlError):
    """Values contradict what was known of their columns; whoever can read them again reads them as the wider types.

    Attributes:
        wider: the DuckDB type, by name of a column, that loses nothing of the values seen.
    """

    def __init__(self, wider: Mapping[str, str]) -> None:
        self.wider = wider
        columns = ", ".join(wider)
        message = f"the server sent values of {columns} that its document doesn't describe: {_told(wider)} would be needed"
        super().__init__(Code.BAD_RESPONSE, message)


def _told(wider: Mapping[str, str]) -> str:
    return ", ".join(kind.partition("(")[0] for kind in wider.values())


def widening(resource: str, column: Column, wider: str) -> str:
    """The sentence that tells the user of a column that has become wider than its document says."""
    name = f"{resource}.{column.name}"
    if column.shape is None:
        return f"{name} isn't always of the type {column.type}, as its document says: it is read as {wider}"
    if wider == JSON:
        return f"{name} isn't always as its document says: it is read as JSON"
    return (
        f"{name} has parts that its document doesn't describe: these are read as JSON"
    )


class Reading:
    """How the values of one column are read.

    Attributes:
        python: what the JSON decoder makes of a value.
        default: what stands for a value that is absent.
        arrow: the type of its values on their way to the relational engine.
        is_raw: whether the decoder leaves its values as JSON, for `take`.

    Args:
        column: as its document describes it.
        wider: the DuckDB type that it has got since, None where it is as documented.
    """

    def __init__(self, column: Column, wider: str | None = None) -> None:
        documented = column.type if column.type in _PLAIN else column.shape or JSON
        self._kind = wider or documented
        self._is_widened = wider is not None
        plain = _PLAIN.get(self._kind)
        self.is_raw = plain is None
        self.python: Any = msgspec.Raw if plain is None else plain | None
        self.default = NOTHING if plain is None else None
        self.arrow = _ARROW.get(self._kind, _TEXT)

    def take(self, values: Iterable[msgspec.Raw]) -> list[Any]:
        """The values that the decoder left as JSON, where `wider` has nothing against them."""
        as_value = _VALUES.get(self._kind, str)
        return [None if t == _NULL else as_value(t) for t in map(_text, values)]

    def wider(self, values: Iterable[msgspec.Raw]) -> str | None:
        """The type that loses nothing of values, given as JSON; None where this one doesn't.

        Raises:
            PatqlError: BAD_RESPONSE where one isn't UTF-8.
        """
        texts = [text for text in map(_text, values) if text != _NULL]
        fits = _FITS.get(self._kind)
        if fits is None:
            return self._wider_shape(f"[{','.join(texts)}]".encode())
        if all(map(fits, texts)):
            return None
        wider = _WIDER.get(self._kind, ())
        return next((k for k in wider if all(map(_FITS[k], texts))), "VARCHAR")

    def _wider_shape(self, values: bytes) -> str | None:
        try:
            reader(self._kind).decode(values)
        except msgspec.ValidationError:
            if self._is_widened:
                return JSON
            seen: list[object] = msgspec.json.decode(values)
            return written(reduce(fitted, seen, parse(self._kind)))
        return None


def duckdb_type(column: Column, wider: str | None) -> str | None:
    """The DuckDB type that text from Arrow must be read as; None where it is read as it comes."""
    if wider in _FITS:
        return wider if wider in ("HUGEINT", JSON) else None
    return None if column.type in _PLAIN else wider or column.shape or JSON


def _text(value: msgspec.Raw) -> str:
    try:
        return str(bytes(value), "utf-8")
    except UnicodeDecodeError:
        message = "the server answered with text that isn't UTF-8"
        raise PatqlError(Code.BAD_RESPONSE, message) from None


def _unquoted(text: str) -> str:
    return msgspec.json.decode(text, type=str) if text[0] == '"' else text


def _is_number(text: str) -> bool:
    return text[0] in "-0123456789" and math.isfinite(float(text))


def _is_whole(text: str, within: range) -> bool:
    digits = text.removeprefix("-")
    return len(digits) < _DIGITS and digits.isdecimal() and int(text) in within


def _is_exact(text: str) -> bool:
    """Whether a double holds a number: all of its digits, where it is a whole one."""
    if not _is_number(text):
        return False
    value = float(text)
    if abs(value) <= EXACT or not text.removeprefix("-").isdecimal():
        return True
    return len(text) < _DIGITS and int(text) == int(value)


_FITS: Mapping[str, Callable[[str], bool]] = {
    "integer": lambda text: _is_whole(text, INT64),
    "number": lambda text: _is_number(text) and abs(float(text)) <= EXACT,
    "string": lambda text: text[0] == '"',
    "boolean": lambda text: text in ("true", "false"),
    "HUGEINT": lambda text: _is_whole(text, _HUGE),
    "DOUBLE": _is_exact,
    "VARCHAR": lambda _: True,
    JSON: lambda _: True,
}
"""Which values, given as JSON, a type that isn't nested holds."""

_VALUES: Mapping[str, Callable[[str], Any]] = {"VARCHAR": _unquoted, "DOUBLE": float}
