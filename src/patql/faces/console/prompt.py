"""The interactive prompt: statements, over as many lines as they take, until one ends in `;`."""

import re
import sys
from collections.abc import Callable

from patql.engine.session import Session
from patql.faces.console import stderr
from patql.faces.console.deliver import Delivery
from patql.faces.console.progress import Progress
from patql.faces.console.script import run
from patql.kernel.secrets import redact

PROMPT = "patql> "
CONTINUED = "  ...> "
LEAVE = frozenset({r"\q", "exit", "quit"})

# What a `;` inside doesn't count in: quotes, comments, dollar quotes. An unclosed one reaches to the end.
_OPAQUE = re.compile(
    r"""'(?:[^']|'')*(?:'|\Z) | "[^"]*(?:"|\Z) | --[^\n]*(?:\n|\Z) | /\*.*?(?:\*/|\Z) | \$(\w*)\$.*?(?:\$\1\$|\Z)""",
    re.VERBOSE | re.DOTALL,
)


def is_complete(text: str) -> bool:
    """Whether the text ends in a `;` that isn't inside quotes or a comment."""
    return _OPAQUE.sub(_stand_in, text).rstrip().endswith(";")


def interact(session: Session, delivery: Delivery, progress: Progress) -> None:
    r"""Run statements as a person types them, until `\q`, `exit` or the end of input.

    Ctrl-C drops what was typed of a statement. History is kept in memory only, with tokens cut to 16 characters.

    Args:
        session: where they run.
        delivery: takes the results.
        progress: is shown while a statement runs.
    """
    read, remember = _line_editor()
    text = ""
    while True:
        try:
            line = read(CONTINUED if text else PROMPT)
        except EOFError:
            stderr.tell("")
            return
        except KeyboardInterrupt:
            stderr.tell("")
            text = ""
            continue
        except UnicodeDecodeError:
            stderr.tell("what was typed isn't UTF-8; the statement is dropped")
            text = ""
            continue
        if line.strip() == r"\q" or (not text and _is_leave(line)):
            return
        text = f"{text}\n{line}" if text else line
        if not text.strip():
            text = ""
        elif is_complete(text):
            remember(redact(" ".join(text.splitlines())))
            run(session, text, delivery, progress)
            text = ""


def _is_leave(line: str) -> bool:
    return line.strip().rstrip(";").casefold() in LEAVE


def _stand_in(found: re.Match[str]) -> str:
    """A comment ends no statement and isn't part of one; whatever else is opaque is."""
    return " " if found[0].startswith(("--", "/*")) and _is_closed(found[0]) else "x"


def _is_closed(comment: str) -> bool:
    return comment.startswith("--") or (len(comment) > 3 and comment.endswith("*/"))


def _line_editor() -> tuple[Callable[[str], str], Callable[[str], None]]:
    """What reads a line with a prompt (EOFError at the end), and what remembers a statement."""
    if not sys.stdout.isatty():  # `input` would put the prompt among the results
        return stderr.read_line, lambda _: None
    try:
        import readline
    except ImportError:  # a Python that was built without it
        return input, lambda _: None
    readline.set_auto_history(False)
    return input, readline.add_history
