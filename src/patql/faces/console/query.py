"""`patql "SQL…"`: statements from the command line, a file, standard input or a prompt."""

import sys
from collections.abc import Mapping
from contextlib import closing
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import msgspec

from patql.compose import Choice, open_session
from patql.config import Settings
from patql.engine.session import Session
from patql.engine.state import Options
from patql.faces.console import stderr
from patql.faces.console.deliver import Delivery, open_delivery
from patql.faces.console.dialogue import ConsoleDialogue
from patql.faces.console.exits import OK
from patql.faces.console.progress import Progress
from patql.faces.console.script import run
from patql.kernel.errors import Code, PatqlError
from patql.kernel.version import __version__


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of a run.

    Attributes:
        sql: the statements; None: from the file.
        file: where they are read from; None: standard input, or a prompt where that is a terminal.
        output: how results are written, as `--output` names it.
        csv_safe: whether CSV is to hold no formulas.
        out: where results go; None: standard output.
        secrets_to: a new file for new tokens; None leaves them in the result.
        keep_going: whether those after a failed one run too.
        yes: whether every question is answered yes.
        choice: the target and the credential.
        options: how statements are run.
        providers: folders of further providers' documents, by the names that they are to have.
        provider_urls: where those are, instead of where their documents say, by these names.
    """

    sql: str | None
    file: Path | None
    output: str
    csv_safe: bool
    out: Path | None
    secrets_to: Path | None
    keep_going: bool
    yes: bool
    choice: Choice
    options: Options
    providers: Mapping[str, Path]
    provider_urls: Mapping[str, str]


def execute(settings: Settings, query: Query) -> int:
    """Run the statements, and return the exit code.

    Raises:
        PatqlError: USAGE or CREDENTIAL, before any statement has run; OUTPUT where results can't be written anywhere.
    """
    prompting = (
        query.sql is None and query.file is None and stderr.is_terminal(sys.stdin)
    )
    sql = "" if prompting else _statements(query)
    progress = Progress()
    dialogue = ConsoleDialogue(assume_yes=query.yes, progress=progress)
    with (
        closing(_delivery(query)) as delivery,
        _session(settings, query, dialogue) as session,
    ):
        if not prompting:
            return run(session, sql, delivery, progress, keep_going=query.keep_going)
        from patql.faces.console.prompt import interact

        stderr.tell(rf"patql {__version__}: end statements with ; and leave with \q")
        interact(session, delivery, progress)
        return OK


def _delivery(query: Query) -> Delivery:
    return open_delivery(
        query.output, query.out, query.secrets_to, csv_safe=query.csv_safe
    )


def _session(settings: Settings, query: Query, dialogue: ConsoleDialogue) -> Session:
    return open_session(
        settings,
        query.choice,
        dialogue,
        announce=dialogue.announce,
        providers=query.providers,
        provider_urls=query.provider_urls,
        options=query.options,
    )


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
