"""The audit's chains: each line carries a hash over itself and over the hash of the line before it.

Each process that writes has a chain of its own, so that processes don't wait for each other: a random writer's name,
lines numbered from 1, and in each line the hash of the one before. The first line of a chain also names the heads that
were found when it was begun: the last line of each chain that no other chain has named at its end. So whoever alters,
removes or moves a line breaks its chain, and whoever cuts off a chain's end contradicts the chain that names it. What
was cut off after the last naming shows only against heads that were kept elsewhere.
"""

import secrets
from collections.abc import Iterable, Iterator
from hashlib import sha256

import msgspec

from patql.authority.model import Event
from patql.kernel.secrets import same

START = bytes(32)
"""What stands for the hash of the line before the first, 32 bytes."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The last line of a chain, or one that was the last: its writer, its number, its hash (32 bytes in hex)."""

    writer: str
    sequence: int
    hash: str


class Line(msgspec.Struct, frozen=True):
    """A line as it is kept: `event` knows writer and sequence; hashes are 32 bytes; `heads` only in a first line."""

    event: Event
    previous: bytes
    heads: str | None
    hash: bytes


class Chain:
    """One writer's chain while it is being written; not to be used by two threads at once."""

    def __init__(self) -> None:
        self.writer = secrets.token_hex(8)
        self.sequence = 0
        self.hash = START

    def append(self, event: Event, event_id: int, heads: Iterable[Head] = ()) -> Line:
        """The line for an event, with the id that it gets; `heads` are those found, for the first line."""
        sequence = self.sequence + 1
        placed = msgspec.structs.replace(
            event, id=event_id, writer=self.writer, sequence=sequence
        )
        named = None if self.sequence else names(heads)
        line = Line(placed, self.hash, named, digest(placed, self.hash, named))
        self.sequence, self.hash = placed.sequence, line.hash
        return line

    @property
    def place(self) -> tuple[int, bytes]:
        """Where the chain ends, to `return_to` where a transaction comes to nothing."""
        return self.sequence, self.hash

    def return_to(self, place: tuple[int, bytes]) -> None:
        """Forget the lines after that place, which weren't kept."""
        self.sequence, self.hash = place


class Report(msgspec.Struct, frozen=True):
    """What an examination found.

    Attributes:
        lines: how many lines there are.
        heads: the last line of each chain.
        faults: a sentence for each thing that is wrong, at most `FAULTS`.
    """

    lines: int
    heads: tuple[Head, ...]
    faults: tuple[str, ...]


FAULTS = 100
"""How many faults an examination lists before it stops."""


def names(heads: Iterable[Head]) -> str:
    """Heads as a first line says them."""
    return msgspec.json.encode(sorted(heads, key=_key)).decode()


def read(text: str) -> list[Head]:
    """Heads as a first line names them; none where it is no such text."""
    try:
        return msgspec.json.decode(text, type=list[Head])
    except msgspec.DecodeError:
        return []  # the line that says so doesn't fit its hash


def digest(event: Event, previous: bytes, heads: str | None) -> bytes:
    """The hash of a line, 32 bytes: SHA-256 over the JSON array of all it says and the hash of the line before."""
    return sha256(
        msgspec.json.encode([*msgspec.structs.astuple(event), previous.hex(), heads])
    ).digest()


def examine(
    named: Iterable[str], lines: Iterable[Line], kept: Iterable[Head] = ()
) -> Report:
    """Find what was altered, removed or moved.

    Args:
        named: what first lines say of heads, read no later than the lines.
        lines: all lines, by writer and number.
        kept: heads of an earlier report, each of which must still be there.
    """
    remembered = {(head.writer, head.sequence): head.hash for head in kept}
    expected = dict[tuple[str, int], set[str]]()  # all: one may be there to hide others
    for head in (head for text in named for head in read(text)):
        expected.setdefault((head.writer, head.sequence), set()).add(head.hash)
    count, heads, faults = 0, list[Head](), list[str]()
    last: Head | None = None
    for line in lines:
        count += 1
        event = line.event
        before = last if last is not None and last.writer == event.writer else None
        if before is None and last is not None:
            heads.append(last)
        faults += _wrong(line, before)
        last = Head(event.writer, event.sequence, line.hash.hex())
        named_as = expected.pop((event.writer, event.sequence), {last.hash})
        if named_as != {last.hash}:
            faults.append(f"{_place(event)} isn't what a later chain says it was")
        told = remembered.pop((event.writer, event.sequence), last.hash)
        if told != last.hash:
            faults.append(f"{_place(event)} isn't what it was when its hash was kept")
        if len(faults) >= FAULTS:
            break
    else:
        faults += [
            f"line {sequence} of writer {writer} is gone, which a later chain names"
            for writer, sequence in sorted(expected)
        ]
        faults += [
            f"line {sequence} of writer {writer} is gone, whose hash was kept"
            for writer, sequence in sorted(remembered)
        ]
    if last is not None:
        heads.append(last)
    return Report(count, tuple(heads), tuple(faults[:FAULTS]))


def _wrong(line: Line, before: Head | None) -> Iterator[str]:
    event = line.event
    number = before.sequence + 1 if before else 1
    if event.sequence != number:
        yield f"{_place(event)} follows {number - 1}: lines between them are gone"
    elif line.previous.hex() != (before.hash if before else START.hex()):
        yield f"{_place(event)} doesn't follow from the line before it"
    if (line.heads is None) != (event.sequence > 1):
        yield f"{_place(event)} names heads, or fails to, out of turn"
    if not same(line.hash, digest(event, line.previous, line.heads)):
        yield f"{_place(event)} (event {event.id}) was altered"


def _key(head: Head) -> tuple[str, int]:
    return head.writer, head.sequence


def _place(event: Event) -> str:
    return f"line {event.sequence} of writer {event.writer}"
