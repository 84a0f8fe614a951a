"""The command line: `patql "SQL…"`, and the sub-commands beside it.

A module is a command: how its options are described, and what it does. Only that of the command given is imported.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Protocol

from patql.cli.parser import SUBCOMMANDS, Parser
from patql.faces.console import stderr
from patql.faces.console.exits import BY_CODE, FAILED, INTERRUPTED, UNREAD
from patql.faces.console.sink import ReaderGoneError
from patql.kernel.errors import Code, PatqlError

_TOKEN_SHAPE = re.compile(r"(?:.*=)?[0-9A-Za-z_]{48,}")


class _Command(Protocol):
    def describe(self, parser: argparse.ArgumentParser, /) -> None:
        """Add the options."""
        ...

    def act(self, given: argparse.Namespace, /) -> int:
        """Do it, and return the exit code."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; `arguments` are the process's own by default."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _refuse_tokens(given)
        name = given[0] if given and given[0] in SUBCOMMANDS else ""
        parser = Parser(prog=f"patql {name}".strip(), allow_abbrev=False)
        command = _command(name)
        command.describe(parser)
        return command.act(parser.parse_args(given[1:] if name else given))
    except PatqlError as error:
        stderr.tell_error(error)
        return BY_CODE[error.code]
    except ReaderGoneError:
        return UNREAD
    except KeyboardInterrupt:
        stderr.tell_error(PatqlError(Code.CANCELLED, "interrupted"))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the outermost shell: a person gets a sentence)
        stderr.tell(f"internal error: {type(error).__name__}: {error}")
        return FAILED


def _command(name: str) -> _Command:
    match name:
        case "serve":
            from patql.cli import serve

            return serve
        case "init":
            from patql.cli import init

            return init
        case "user":
            from patql.cli import user

            return user
        case "db":
            from patql.cli import db

            return db
        case "docs":
            from patql.cli import docs

            return docs
        case "demo":
            from patql.cli import demo

            return demo
        case _:
            from patql.cli import query

            return query


def _refuse_tokens(arguments: Sequence[str]) -> None:
    if any(map(_TOKEN_SHAPE.fullmatch, arguments)):
        raise PatqlError(
            Code.USAGE,
            "an argument looks like a token, and everyone on this machine can see arguments: it is no secret any more, revoke it",
            hint="tokens are taken from PATQL_TOKEN, LINODE_TOKEN, a --token-file or `patql init --url`",
        )
