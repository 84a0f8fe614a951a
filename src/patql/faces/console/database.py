"""The database of an authority: its schema, and whether it is as it was written."""

import re
from pathlib import Path

from patql.authority.chain import Head
from patql.compose import Versions, check, damage, migrate, open_authority
from patql.config import Settings
from patql.faces.console import stderr
from patql.faces.console.sink import Sink
from patql.kernel.errors import Code, PatqlError

_HEAD = re.compile(r"(\S+) ([1-9][0-9]{0,18}) ([0-9a-f]{64})")


def migrate_schema(settings: Settings) -> None:
    """Bring the database's schema to this version of PatQL."""
    versions = migrate(settings)
    if versions.there == versions.needed:
        stderr.tell(f"schema version {versions.needed}: there was nothing to do")
    else:
        stderr.tell(f"schema version {versions.there} became {versions.needed}")


def examine(settings: Settings, *, audit: bool, heads: Path | None, sink: Sink) -> bool:
    """Look whether the database is as it was written; False where it isn't.

    Args:
        settings: name the database.
        audit: whether to look through the audit as well, and print the heads of its chains.
        heads: a file with heads that an earlier run printed, each of which must still be there.
        sink: takes the heads.
    """
    kept = () if heads is None else _read_heads(heads)
    versions = check(settings)
    faults = (*_outdated(versions), *damage(settings))
    told = f"schema version {versions.there}"
    if audit and versions.there == versions.needed:
        with open_authority(settings) as opened:
            report = opened.admin.examine(kept)
        faults += report.faults
        chains = _many(len(report.heads), "chain")
        told += f"; {_many(report.lines, 'line')} of the audit in {chains}"
        rows = [f"{head.writer} {head.sequence} {head.hash}\n" for head in report.heads]
        sink.write("".join(rows))
    for fault in faults:
        stderr.tell(f"fault: {fault}")
    stderr.tell(f"{told}; {_many(len(faults), 'fault')}")
    return not faults


def _outdated(versions: Versions) -> tuple[str, ...]:
    if versions.there == versions.needed:
        return ()
    return (
        f"the schema has version {versions.there}, and this PatQL needs {versions.needed}: run `patql db migrate`",
    )


def _many(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _read_heads(path: Path) -> tuple[Head, ...]:
    """The heads in a file that an earlier check printed."""
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it isn't ASCII"
        raise PatqlError(Code.USAGE, f"{path} can't be read: {told}") from error
    found = [_HEAD.fullmatch(line) for line in lines]
    heads = [Head(m[1], int(m[2]), m[3]) for m in found if m]
    if len(heads) != len(lines) or not heads:
        raise PatqlError(
            Code.USAGE,
            f"{path} holds no heads",
            hint="it is to be what `patql db check --audit` printed: a writer, a number and a hash on each line",
        )
    return tuple(heads)
