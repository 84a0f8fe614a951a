"""A place in a document: a value, the steps that lead to it, and `$ref` followed on the way to its children.

Every complaint names the place, as a file and a JSON pointer (RFC 6901): `profile.yaml#/paths/~1profile/get`.
"""

from collections.abc import Iterator, Mapping
from typing import NoReturn, cast

from patql.kernel.errors import Code, PatqlError

MAX_HOPS = 32
"""How many references, or combined schemas, may lead to one another before they are taken for a circle."""


MAX_VISITS = 2_000_000
"""How many values of a document may be looked at: references can make a short one stand for an endless one."""


class _Document:
    """A whole document, into which `$ref: '#/…'` points, and how much of it was looked at."""

    __slots__ = ("value", "visits")

    def __init__(self, value: object) -> None:
        self.value = value
        self.visits = 0


class Node:
    """A value inside a document.

    Args:
        value: as a YAML or JSON parser gave it.
        file: the document's name, for messages.
        steps: the keys that lead to the value; after a reference, those of its target.
        document: the whole document; None where that is `value` itself.
    """

    __slots__ = ("_document", "file", "steps", "value")

    def __init__(
        self,
        value: object,
        file: str,
        steps: tuple[str, ...] = (),
        document: _Document | None = None,
    ) -> None:
        self.value = value
        self.file = file
        self.steps = steps
        self._document = document or _Document(value)

    @property
    def place(self) -> str:
        """File and JSON pointer."""
        escaped = (s.replace("~", "~0").replace("/", "~1") for s in self.steps)
        return f"{self.file}#/{'/'.join(escaped)}"

    def fail(self, problem: str) -> NoReturn:
        """Refuse the document.

        Raises:
            PatqlError: always: SCHEMA, with the place and the problem.
        """
        raise PatqlError(Code.SCHEMA, f"{self.place}: {problem}")

    def child(self, key: str) -> "Node | None":
        """What stands at a key of this mapping, references followed; None where nothing or null does."""
        found = self.raw(key)
        return found.followed() if found is not None else None

    def need(self, key: str) -> "Node":
        """What stands at a key that must be there, references followed."""
        return self.child(key) or self.fail(f"`{key}` is missing")

    def raw(self, key: str) -> "Node | None":
        """What stands at a key of this mapping, as written: a reference isn't followed."""
        mapping = self._mapping()
        value = mapping.get(key)
        if value is None and key.isdecimal():  # YAML reads a bare 200 as a number
            value = mapping.get(int(key))
        return None if value is None else self._step(key, value)

    def names(self) -> tuple[str, ...]:
        """The keys of this mapping, as text."""
        return tuple(map(str, self._mapping()))

    def children(self, key: str) -> Iterator[tuple[str, "Node"]]:
        """Name and node of each entry of the mapping at `key`; none where it is absent."""
        holder = self.child(key)
        if holder is None:
            return
        for name in holder.names():
            if (found := holder.child(name)) is not None:
                yield name, found

    def elements(self, key: str) -> Iterator["Node"]:
        """A node for each element of the list at `key`; none where it is absent."""
        holder = self.child(key)
        if holder is None:
            return
        values = holder.value
        if not isinstance(values, list):
            holder.fail("a list was expected")
        for position, value in enumerate(cast("list[object]", values)):
            place = (*holder.steps, str(position))
            yield Node(value, self.file, place, self._document).followed()

    def text(self, key: str, default: str = "") -> str:
        """The text at a key; what YAML took for a number is text again."""
        value = self._mapping().get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.fail(f"`{key}` must be text")
        return str(value)

    def flag(self, key: str) -> bool:
        """The truth value at a key; False where it is absent."""
        value = self._mapping().get(key)
        if value is not None and not isinstance(value, bool):
            self.fail(f"`{key}` must be true or false")
        return bool(value)

    def whole(self, key: str) -> int | None:
        """The whole number at a key; None where there is none."""
        value = self._mapping().get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def reference(self) -> str | None:
        """The `$ref` written in this mapping; None where there is none."""
        if not isinstance(self.value, dict):
            return None
        target = self._mapping().get("$ref")
        return target if isinstance(target, str) else None

    def followed(self) -> "Node":
        """This node, or what its reference leads to in the end."""
        node = self
        for _ in range(MAX_HOPS):
            target = node.reference
            if target is None:
                return node
            node = node._target(target)
        return self.fail("references lead in a circle")

    def _target(self, reference: str) -> "Node":
        if not reference.startswith("#/"):
            self.fail(f"`{reference}` must point into the same document, as `#/…`")
        node = Node(self._document.value, self.file, (), self._document)
        for step in reference[2:].split("/"):
            found = node.raw(step.replace("~1", "/").replace("~0", "~"))
            node = found or self.fail(f"`{reference}` leads nowhere")
        return node

    def _step(self, key: str, value: object) -> "Node":
        self._document.visits += 1
        if self._document.visits > MAX_VISITS:
            self.fail("the document refers to itself too often to be read")
        return Node(value, self.file, (*self.steps, key), self._document)

    def _mapping(self) -> Mapping[object, object]:
        value = self.value
        if not isinstance(value, dict):
            self.fail("a mapping was expected")
        return cast("Mapping[object, object]", value)
