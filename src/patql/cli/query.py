"""`patql "SQL…"`: its options, and what they mean for a run."""

import argparse
import gc
import math
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

from patql import __version__
from patql.cli.parser import SUBCOMMANDS, describe_insecure, describe_secrets
from patql.kernel.errors import Code, PatqlError

FORMATS = ("table", "json", "jsonl", "csv", "parquet")
"""What `--output` takes; written out, so that nothing is imported for it."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run."""
    from patql.config import SETTINGS

    others = ", ".join(SUBCOMMANDS)
    parser.usage = 'patql [options] ["SQL…"]'
    parser.description = "Personal access tokens as a SQL table: issue, audit, revoke."
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"Without SQL, statements are read from standard input, or at a prompt.\nOther commands: {others} (each has --help).\n\nEnvironment:\n"
        + "".join(
            f"  {s.variable:20}{s.help}\n{'':22}Default: {s.default}.\n"
            for s in SETTINGS
        )
    )
    parser.add_argument("sql", nargs="?", help="statements, separated by `;`")
    parser.add_argument(
        "-f",
        "--file",
        type=Path,
        help="read the statements from a file; - is standard input",
    )
    parser.add_argument("--version", action="version", version=f"patql {__version__}")
    _describe_running(parser)
    _describe_results(parser)
    _describe_target(parser)
    _describe_providers(parser)


def _describe_running(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("how statements run")
    options.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of $NAME in statements, as text; may be repeated",
    )
    options.add_argument(
        "--local",
        type=Path,
        metavar="FILE",
        help="keep local tables in a DuckDB file; else they last as long as the run",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the requests that would change something, and send none of them; nor is a file or a --local table changed",
    )
    options.add_argument("--yes", action="store_true", help="answer every question yes")
    options.add_argument(
        "--keep-going", action="store_true", help="go on after a statement that failed"
    )
    options.add_argument(
        "--concurrency",
        type=_concurrency,
        default=16,
        metavar="N",
        help="requests under way at once, 1 to 256 (16)",
    )
    options.add_argument(
        "--retry",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long a request is sent again that a server has put off or lost (60); 0: never",
    )
    options.add_argument(
        "--timeout",
        type=_some_seconds,
        metavar="SECONDS",
        help="how long a statement may take",
    )


def _describe_results(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("results")
    options.add_argument(
        "--output", choices=FORMATS, default="table", help="how results are written"
    )
    options.add_argument(
        "--csv-safe",
        action="store_true",
        help="keep spreadsheets from taking texts in CSV for formulas",
    )
    options.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write results to a file, for you only (mode 0600)",
    )
    describe_secrets(options)


def _describe_target(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("the target")
    target = options.add_mutually_exclusive_group()
    target.add_argument("--url", help="a base URL that ends in /v4 or /v4beta")
    target.add_argument(
        "--embedded", action="store_true", help="the authority on this machine"
    )
    options.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a file with the token for the target",
    )
    describe_insecure(options)


def _describe_providers(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("other documents")
    options.add_argument(
        "--provider-dir",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a provider's document, and what it is called in statements; may be repeated",
    )
    options.add_argument(
        "--provider-url",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="where requests to that provider go, instead of where its document says; may be repeated",
    )


def _concurrency(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError("it must be a number from 1 to 256")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError("it must be a number of seconds")
    return seconds


def _some_seconds(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError("it must be more than 0 seconds")
    return seconds


def act(given: argparse.Namespace) -> int:
    """Run the statements, and return the exit code."""
    gc.set_threshold(200_000)  # what is imported stays: looking through it costs 5 %
    from patql import config
    from patql.compose import Choice
    from patql.engine.state import Options
    from patql.faces.console.query import Query, execute

    variables = _texts(_named("--var", given.var))
    providers = _named("--provider-dir", given.provider_dir)
    provider_urls = _named("--provider-url", given.provider_url)
    # A signal that would end the process must not come between a new token and its delivery.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # it is ignored under nohup
            signal.signal(number, signal.default_int_handler)
    query = Query(
        sql=given.sql,
        file=given.file,
        output=given.output,
        csv_safe=given.csv_safe,
        out=given.out,
        secrets_to=given.secrets_to,
        keep_going=given.keep_going,
        yes=given.yes,
        choice=Choice(
            url=given.url,
            embedded=given.embedded,
            token_file=given.token_file,
            insecure=given.insecure,
            retry=given.retry,
        ),
        options=Options(
            concurrency=given.concurrency,
            files=True,
            local=given.local,
            variables=variables,
            dry_run=given.dry_run,
            timeout=given.timeout,
            secrets_kept=given.secrets_to is not None,
        ),
        providers={name: Path(folder) for name, folder in providers.items()},
        provider_urls=provider_urls,
    )
    return execute(config.read(os.environ), query)


def _named(option: str, given: Sequence[str]) -> dict[str, str]:
    """What an option of the form NAME=VALUE was given, by name; no error shows a value."""
    named: dict[str, str] = {}
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals or not _IDENTIFIER.fullmatch(name):
            form = f"{option} takes NAME=VALUE, where NAME has letters, digits and _ and begins with no digit"
            raise PatqlError(Code.USAGE, form)
        if name in named:
            raise PatqlError(Code.USAGE, f"{option} {name}= is given twice")
        named[name] = value
    return named


def _texts(variables: dict[str, str]) -> dict[str, str]:
    """The same; bytes that aren't UTF-8 reach Python as lone surrogates (PEP 383)."""
    for name, value in variables.items():
        if any("\ud800" <= each <= "\udfff" for each in value):
            raise PatqlError(
                Code.USAGE, f"the value that --var gives ${name} isn't UTF-8"
            )
    return variables
