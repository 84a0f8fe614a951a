"""How every command's options are read, and those that several have."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn, Protocol

from patql.kernel.errors import Code, PatqlError

SUBCOMMANDS = ("serve", "init", "user", "db", "docs", "demo")
"""The commands that have a name; without one, statements are run."""

_UNQUOTED = re.compile("unrecognized arguments: [^-]")


class Options(Protocol):
    """What options are added to: a parser or a group of its options."""

    def add_argument(self, *names: str, **how: Any) -> object:  # noqa: ANN401  (as argparse has it)
        """Add one."""
        ...


class Parser(argparse.ArgumentParser):
    """Says what is wrong as every other error is said."""

    def error(self, message: str) -> NoReturn:
        """Raise it as USAGE."""
        hint = f"see `{self.prog} --help`"
        if self.prog == "patql" and _UNQUOTED.match(message):
            hint = "SQL is one argument: put all of it in quotes"
        raise PatqlError(Code.USAGE, message, hint=hint)


def describe_secrets(options: Options) -> None:
    """Add --secrets-to."""
    options.add_argument(
        "--secrets-to",
        type=Path,
        metavar="FILE",
        help="write new tokens in full to a new file (mode 0600), and show their first 16 characters",
    )


def describe_insecure(options: Options) -> None:
    """Add --insecure."""
    options.add_argument(
        "--insecure",
        action="store_true",
        help="let tokens pass over plain http to another machine",
    )
