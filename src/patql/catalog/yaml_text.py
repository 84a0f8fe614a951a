"""YAML that somebody else wrote, read without trusting it: plain values only, and no more of them than a document needs.

The limits are checked before anything is built, since a few lines of YAML can stand for billions of values (an alias
repeats what its anchor named) and brackets enough overflow the parser's stack.
"""

from typing import NoReturn

import yaml

from patql.catalog.node import Node
from patql.kernel.errors import Code, PatqlError

MAX_BYTES = 64 * 1024 * 1024
"""Of one file; the largest documents of public APIs have a fifth of it."""

MAX_DEPTH = 200
"""How many lists and mappings may stand in one another."""

MAX_VALUES = 5_000_000
"""How many values a file may stand for, each alias counted as all that it repeats."""


def parse(content: bytes, file: str) -> Node:
    """A document's root; JSON is YAML too.

    Raises:
        PatqlError: SCHEMA where it isn't YAML, holds more than plain values, or exceeds a limit; with line and column
            where they are known.
    """
    if len(content) > MAX_BYTES:
        refuse(file, f"it has more than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        _check(content, file)
        return Node(yaml.load(content, yaml.CSafeLoader), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        refuse(file, f"{where}{error.problem}")
    except (yaml.YAMLError, ValueError) as error:
        refuse(file, str(error).splitlines()[0])


def refuse(file: str, problem: str) -> NoReturn:
    """Say why a file can't be read.

    Raises:
        PatqlError: always, SCHEMA.
    """
    raise PatqlError(Code.SCHEMA, f"{file} can't be read: {problem}")


def _check(content: bytes, file: str) -> None:
    """Measure a document by its events, which take constant memory."""
    open_counts, anchors, open_anchors = [0], dict[str, int](), list[str | None]()
    for event in yaml.parse(content, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_counts.append(1)
            open_anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            count, anchor = open_counts.pop(), open_anchors.pop()
            open_counts[-1] += count
            anchors |= {anchor: count} if anchor else {}
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in open_anchors:
                refuse(file, f"`*{event.anchor}` stands inside what it repeats")
            open_counts[-1] += anchors.get(event.anchor or "", 1)
        else:
            open_counts[-1] += 1
        if len(open_counts) > MAX_DEPTH:
            refuse(file, f"it is nested more than {MAX_DEPTH} deep")
        if open_counts[-1] > MAX_VALUES:
            refuse(file, f"it stands for more than {MAX_VALUES:,} values")
