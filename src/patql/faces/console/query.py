"""`patql "SQL…"`: statements from the command line, a file, standard input or a prompt."""

import sys
from contextlib import closing
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import msgspec

from patql import __version__
from patql.compose import Choice, open_session
from patql.config import Settings
from patql.faces.console import stderr
from patql.faces.console.deliver import open_delivery
from patql.faces.console.dialogue import ConsoleDialogue
from patql.faces.console.exits import OK
from patql.faces.console.script import run
from patql.kernel.errors import Code, PatqlError


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of a run.

    Attributes:
        sql: the statements; None: from the file.
        file: where they are read from; None: standard input, or a prompt where that is a terminal.
        output: a name of `render.FORMATS`.
        out: where results go; None: standard output.
        secrets_to: a new file for new tokens; None leaves them in the result.
        keep_going: whether those after a failed one run too.
        yes: whether every question is answered yes.
        choice: the target and the credential.
    """

    sql: str | None
    file: Path | None
    output: str
    out: Path | None
    secrets_to: Path | None
    keep_going: bool
    yes: bool
    choice: Choice


def execute(settings: Settings, query: Query) -> int:
    """Run the statements, and return the exit code.

    Raises:
        PatqlError: USAGE or CREDENTIAL, before any statement has run; OUTPUT where results can't be written anywhere.
    """
    prompting = (
        query.sql is None and query.file is None and stderr.is_terminal(sys.stdin)
    )
    sql = "" if prompting else _statements(query)
    announce = _announce if stderr.is_terminal(sys.stderr) else None
    dialogue = ConsoleDialogue(assume_yes=query.yes)
    with (
        closing(open_delivery(query.output, query.out, query.secrets_to)) as delivery,
        open_session(settings, query.choice, dialogue, announce=announce) as session,
    ):
        if not prompting:
            return run(session, sql, delivery, keep_going=query.keep_going)
        from patql.faces.console.prompt import interact

        stderr.tell(rf"patql {__version__}: end statements with ; and leave with \q")
        interact(session, delivery)
        return OK


def _announce(target: str) -> None:
    stderr.tell(f"target: {target}")


def _statements(query: Query) -> str:
    if query.sql is not None:
        if query.file is not None:
            raise PatqlError(Code.USAGE, "give SQL or a --file, not both")
        return query.sql
    try:
        if query.file is None or str(query.file) == "-":
            return _standard_input()
        return query.file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise PatqlError(
            Code.USAGE, f"{query.file or 'standard input'} can't be read: {reason}"
        ) from error


def _standard_input() -> str:
    source: TextIO | None = sys.stdin  # None where it was closed before we began
    if isinstance(source, TextIOWrapper):
        source.reconfigure(encoding="utf-8-sig", errors="strict")
    return source.read() if source is not None else ""
