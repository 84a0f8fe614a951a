"""What isn't a result: notes, questions and errors, on standard error, with nothing in them that a terminal obeys."""

import contextlib
import sys
from typing import TextIO

from patql.kernel.errors import PatqlError
from patql.kernel.secrets import redact
from patql.kernel.text import printable


def tell(message: str) -> None:
    """Print a message; what has a token's shape is cut to 16 characters."""
    lines = redact(message).splitlines() or [""]
    _write("".join(printable(line) + "\n" for line in lines))


def ask(question: str) -> str:
    """A person's answer, from standard input, to a question; empty at its end."""
    _write(printable(redact(question)) + " ")
    try:
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        _write("\n")
        raise


def read_line(prompt: str) -> str:
    """A line of standard input, without its end; EOFError where there is none."""
    _write(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.removesuffix("\n")


def tell_error(error: PatqlError) -> None:
    """Print an error with its code, and its hint on a line of its own."""
    tell(f"error[{error.code}]: {error.message}")
    if error.hint:
        tell(f"  {error.hint}")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether one of the standard streams is a terminal; None is one that was closed before we began."""
    return stream is not None and stream.isatty()


def can_ask() -> bool:
    """Whether a person is there to be asked."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _write(text: str) -> None:
    # Nobody is left to be told of a standard error that can't be written.
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
