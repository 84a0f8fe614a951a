"""What stands around the rows of a response: where they are, how many there are in all, and how to ask for the next."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NoReturn

import msgspec

from patql.catalog.document import Method
from patql.catalog.schema import ANONYMOUS
from patql.kernel.errors import Code, PatqlError

_EACH = "[*]"
_ABSENT = b"null"

Fields = Mapping[str, tuple[Any, Any]]
"""The columns of a row: of each the type that the JSON decoder reads, and what stands for an absent one."""


class Page(msgspec.Struct, frozen=True, gc=False):
    """One response: its rows, and what it says of the rest of the list, where it does.

    Attributes:
        rows: each an object with the columns as fields, in order.
        pages: how many there are.
        results: rows in all pages.
        next: the token or the URL of the next page, None on the last one.
    """

    rows: list[Any]
    pages: int | None = None
    results: int | None = None
    next: str | int | None = None


class Envelope:
    """Finds the rows of one method's responses.

    Args:
        method: which operation sends the responses.
        fields: the columns to read of each row; they are `f0`, `f1` and so on of it.

    Raises:
        PatqlError: SCHEMA where the document looks for two things in one place.
    """

    def __init__(self, method: Method, fields: Fields) -> None:
        described: list[Any] = [
            (f"f{at}", kind, msgspec.field(default=default, name=name))
            for at, (name, (kind, default)) in enumerate(fields.items())
        ]
        row: Any = msgspec.defstruct("Row", described, gc=False)
        self._row = row
        rows: Any = msgspec.Raw
        self._is_bare = [column.name for column in method.columns] == [ANONYMOUS]
        self._is_list = bool(method.object_key) and _has_lists(method)
        if self._is_bare:
            # msgspec has no union of a list and values of any kind, so these are told apart by hand.
            value: Any = next(iter(fields.values()))[0]
            self._value = msgspec.json.Decoder(value)
            self._values = msgspec.json.Decoder(list[value])
        else:
            rows = list[row] if self._is_list else list[row] | row
        if method.object_key is None:
            self._ways: dict[str, Way] = {"rows": ()}
            body = rows
        else:
            body, self._ways = _object(_parts(method, method.object_key, rows))
        self._body = msgspec.json.Decoder(body)

    def open(self, body: bytes) -> Page:
        """The rows of one response.

        Raises:
            msgspec.DecodeError: it isn't what the document says.
        """
        value = self._body.decode(body)
        found = [self._rows(part) for part in _at(value, self._ways["rows"])]
        rows = found[0] if len(found) == 1 else list(chain.from_iterable(found))
        pages, results, token, whole = (
            next(_at(value, self._ways[name]), None) if name in self._ways else None
            for name in ("pages", "results", "next", "whole")
        )
        following = token if whole is None else whole
        return Page(rows, pages, results, None if following == "" else following)

    def _rows(self, found: Any) -> list[Any]:  # noqa: ANN401  (of a type made at run time)
        if not self._is_bare:
            return found if isinstance(found, list) else [found]  # pyright: ignore[reportUnknownVariableType]
        text = bytes(found)
        if text == _ABSENT:
            return []
        values = (
            self._values.decode(text)
            if self._is_list or text[:1] == b"["
            else [self._value.decode(text)]
        )
        return [self._row(value) for value in values]


def _has_lists(method: Method) -> bool:
    """Whether each page holds a list; the URL of the next may stand beside anything."""
    cursor = method.cursor
    return bool(method.paging) or (cursor is not None and cursor.kind == "token")


Way = tuple[tuple[str, bool], ...]
"""The fields that lead to a part of a response, and whether the way goes on in each element of what is there."""


class _Part(msgspec.Struct, frozen=True):
    """What is looked for in a response: where, of which type, and what stands for it where it is absent."""

    path: tuple[str, ...]
    type: Any
    default: Any = None

    @property
    def is_required(self) -> bool:
        return self.default is msgspec.NODEFAULT


def _parts(method: Method, object_key: str, rows: Any) -> dict[str, _Part]:  # noqa: ANN401  (a type made at run time)
    found = {"rows": _Part(tuple(object_key.split(".")), rows, msgspec.NODEFAULT)}
    if paging := method.paging:
        found["pages"] = _Part(tuple(paging.pages_key.split(".")), int | None)
        if paging.results_key:
            path = tuple(paging.results_key.split("."))
            found["results"] = _Part(path, int | None)
    if (cursor := method.cursor) and cursor.source == "body":
        found["next"] = _Part(tuple(cursor.key.split(".")), str | int | None)
        if "." in cursor.key:
            found["whole"] = _Part((cursor.key,), str | int | None)
    return found


def _object(parts: Mapping[str, _Part]) -> tuple[Any, dict[str, Way]]:
    """The type of an object in which parts are looked for, and the way to each."""
    steps: dict[str, dict[str, _Part]] = {}
    for name, part in parts.items():
        rest = msgspec.structs.replace(part, path=part.path[1:])
        steps.setdefault(part.path[0], {})[name] = rest
    fields: list[Any] = []
    ways: dict[str, Way] = {}
    for at, (step, inner) in enumerate(steps.items()):
        is_each = step.endswith(_EACH)
        kind, default, further = _property(inner, is_each=is_each)
        name = step.removesuffix(_EACH)
        fields.append((f"k{at}", kind, msgspec.field(default=default, name=name)))
        ways |= {n: ((f"k{at}", is_each), *way) for n, way in further.items()}
    names = [step.removesuffix(_EACH) for step in steps]
    if len(set(names)) < len(names):
        _refuse(names)
    return msgspec.defstruct("Envelope", fields, gc=False), ways


def _property(
    parts: Mapping[str, _Part], *, is_each: bool
) -> tuple[Any, Any, dict[str, Way]]:
    """The type of a property, what stands for it where it is absent, and the ways on from it."""
    if leaves := [name for name, part in parts.items() if not part.path]:
        if len(parts) > 1:
            _refuse(parts)
        (leaf,) = parts.values()
        return leaf.type, leaf.default, {leaves[0]: ()}
    required = any(part.is_required for part in parts.values())
    if is_each:  # an element without rows has none
        parts = {name: _optional(part) for name, part in parts.items()}
    kind: Any
    kind, ways = _object(parts)
    if is_each:
        kind = list[kind] | dict[str, kind]
    return (kind, msgspec.NODEFAULT, ways) if required else (kind | None, None, ways)


def _optional(part: _Part) -> _Part:
    if part.type is msgspec.Raw:
        return msgspec.structs.replace(part, default=msgspec.Raw(_ABSENT))
    return msgspec.structs.replace(part, type=part.type | None, default=None)


def _refuse(names: Iterable[str]) -> NoReturn:
    message = f"the document looks for two things in one place of a response: {', '.join(names)}"
    raise PatqlError(Code.SCHEMA, message)


def _at(value: Any, way: Way) -> Iterator[Any]:  # noqa: ANN401  (of a type made at run time)
    """What stands at the end of a way; nothing where it breaks off."""
    if value is None:
        return
    if not way:
        yield value
        return
    (name, is_each), *rest = way
    inner = getattr(value, name)
    if not is_each or inner is None:
        yield from _at(inner, tuple(rest))
        return
    for element in _elements(inner):
        yield from _at(element, tuple(rest))


def _elements(holder: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder
