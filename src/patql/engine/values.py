"""SQL values as JSON, for the bodies of requests."""

from collections.abc import Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec
from sqlglot import exp

from patql.catalog.document import Column, Method, Parameter, Resource
from patql.engine.constants import Constants
from patql.engine.instants import WIRE, wire_form
from patql.engine.names import nearest
from patql.kernel.errors import Code, SqlError

_ENCODER = msgspec.json.Encoder(decimal_format="number")

PREFIX = "data__"
"""What StackQL's documents put before the names of a body's fields."""


def takes(method: Method, name: str) -> bool:
    """Whether a field of a method's body has that name, plain or as `data__name`."""
    fields = method.body.columns if method.body else ()
    return bool(_named(fields, name) or _named(fields, name.removeprefix(PREFIX)))


def field(resource: Resource, method: Method, name: str) -> Column:
    """The field of a method's body that a column name means, plain or as `data__name`.

    Raises:
        SqlError: READ_ONLY, with the document's reason, or UNKNOWN_NAME with the nearest names.
    """
    plain = name.removeprefix(PREFIX)
    fields = method.body.columns if method.body else ()
    found = _named(fields, name) or _named(fields, plain)
    if found is not None and not found.read_only:
        return found
    described = _named(resource.columns, plain)
    if described is not None and described.immutable:
        raise SqlError(
            Code.READ_ONLY, f"{described.name} can't change: {described.immutable}"
        )
    if described is not None or found:
        message = f"{plain} can't be set: the server sets it"
        raise SqlError(Code.READ_ONLY, message)
    known = [column.name for column in fields]
    near = nearest(plain, known)
    hint = (
        f"Did you mean {near[0]}?"
        if near
        else f"It takes {', '.join(known) or 'nothing'}."
    )
    message = f"{method.name} of {resource.id} takes no {plain}"
    raise SqlError(Code.UNKNOWN_NAME, message, hint=hint)


def distinct(names: Sequence[str], meant: Sequence[Column | Parameter]) -> None:
    """Each name means another field.

    Raises:
        SqlError: SYNTAX for the first that doesn't.
    """
    for at, name in enumerate(names):
        if meant[at] in meant[:at]:
            raise SqlError(Code.SYNTAX, f"{name} is given twice")


def to_json(column: Column, value: object, constants: Constants) -> Any:  # noqa: ANN401  (JSON)
    """A SQL value as the JSON that a field takes.

    Raises:
        SqlError: TYPE_MISMATCH where it is nothing that the field takes.
    """
    if value is None:
        return None
    if column.format == WIRE:
        text = exp.Literal.string(value) if isinstance(value, str) else None
        instant = constants.instant(text) if text else value
        return wire_form(instant) or str(value)
    try:
        return _CONVERSIONS[column.type](value)
    except (ValueError, TypeError, KeyError, msgspec.DecodeError):
        message = f"{column.name} takes {column.type}, not {str(value)[:60]!r}"
        raise SqlError(Code.TYPE_MISMATCH, message) from None


def encode(method: Method, fields: dict[str, Any]) -> bytes:
    """The body of a request with these fields, under the key at which the method wants them."""
    nested = method.body.nested if method.body else None
    return _ENCODER.encode({nested: fields} if nested else fields)


def _named(columns: Iterable[Column], name: str) -> Column | None:
    return next((c for c in columns if c.name.casefold() == name.casefold()), None)


def _string(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float, Decimal, date, time, UUID)):
        raise TypeError
    return value.isoformat() if isinstance(value, date) else str(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or (isinstance(value, (float, Decimal)) and value % 1):
        raise ValueError
    return int(value)  # type: ignore[call-overload, no-any-return]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isfinite(number := float(value)):  # type: ignore[arg-type]
        raise ValueError
    return number


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _object(value: object) -> Any:  # noqa: ANN401  (JSON)
    return _nested(value, dict)


def _array(value: object) -> Any:  # noqa: ANN401  (JSON)
    return _nested(value, list)


def _nested(value: object, kind: type) -> Any:  # noqa: ANN401  (JSON)
    found = msgspec.json.decode(value) if isinstance(value, str) else value
    if not isinstance(found, kind):
        raise TypeError
    return found


_CONVERSIONS: dict[str, Any] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "object": _object,
    "array": _array,
}
