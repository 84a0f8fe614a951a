"""The command line: `patql "SQL…"`, and the sub-commands beside it."""

import argparse
import gc
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from patql import __version__
from patql.faces.console import stderr
from patql.faces.console.exits import BY_CODE, FAILED, INTERRUPTED, OK
from patql.kernel.errors import Code, PatqlError

if TYPE_CHECKING:
    from patql.config import Settings

FORMATS = ("table", "json", "jsonl", "csv", "parquet")
PAGES = ("text", "markdown", "html")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_UNQUOTED = re.compile("unrecognized arguments: [^-]")
_TOKEN_SHAPE = re.compile(r"(?:.*=)?[0-9A-Za-z_]{48,}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; `arguments` are the process's own by default."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _refuse_tokens(given)
        name = given[0] if given and given[0] in COMMANDS else ""
        parser = _Parser(prog=f"patql {name}".strip(), allow_abbrev=False)
        describe, act = COMMANDS[name]
        describe(parser)
        return act(parser.parse_args(given[1:] if name else given))
    except PatqlError as error:
        stderr.tell_error(error)
        return BY_CODE[error.code]
    except KeyboardInterrupt:
        stderr.tell_error(PatqlError(Code.CANCELLED, "interrupted"))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the outermost shell: a person gets a sentence)
        stderr.tell(f"internal error: {type(error).__name__}: {error}")
        return FAILED


class _Options(Protocol):
    """What options are added to: a parser or a group of its options."""

    def add_argument(self, *names: str, **how: Any) -> object:  # noqa: ANN401  (as argparse has it)
        """Add one."""
        ...


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as every other error is said."""

    def error(self, message: str) -> NoReturn:
        hint = f"see `{self.prog} --help`"
        if self.prog == "patql" and _UNQUOTED.match(message):
            hint = "SQL is one argument: put all of it in quotes"
        raise PatqlError(Code.USAGE, message, hint=hint)


def _refuse_tokens(arguments: Sequence[str]) -> None:
    if any(map(_TOKEN_SHAPE.fullmatch, arguments)):
        raise PatqlError(
            Code.USAGE,
            "an argument looks like a token, and everyone on this machine can see arguments: it is no secret any more, revoke it",
            hint="tokens are taken from PATQL_TOKEN, LINODE_TOKEN, a --token-file or `patql init --url`",
        )


def _describe_query(parser: argparse.ArgumentParser) -> None:
    from patql.config import SETTINGS

    others = ", ".join(name for name in COMMANDS if name)
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
    _describe_secrets(options)


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
    _describe_insecure(options)


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


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 16:
        message = f"it must be a number from 0 to 65535, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _admin(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", _port(port)


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


def _describe_secrets(options: _Options) -> None:
    options.add_argument(
        "--secrets-to",
        type=Path,
        metavar="FILE",
        help="write new tokens in full to a new file (mode 0600), and show their first 16 characters",
    )


def _describe_insecure(options: _Options) -> None:
    options.add_argument(
        "--insecure",
        action="store_true",
        help="let tokens pass over plain http to another machine",
    )


def _describe_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--db",
        metavar="URL",
        help="the database, sqlite:///PATH or postgresql://USER@HOST/NAME; default: the embedded authority's",
    )


def _query(given: argparse.Namespace) -> int:
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
        ),
        providers={name: Path(folder) for name, folder in providers.items()},
        provider_urls=provider_urls,
    )
    return execute(config.read(os.environ), query)


def _describe_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serve the API over HTTP until interrupted."
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument(
        "--port", type=_port, help="8080; none with --unix; 0 takes a free one"
    )
    parser.add_argument(
        "--unix", type=Path, metavar="PATH", help="listen on a unix socket (mode 0660)"
    )
    parser.add_argument(
        "--admin",
        type=_admin,
        metavar="[HOST:]PORT",
        help="tell health and metrics there; HOST is 127.0.0.1 if omitted",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    _describe_database(parser)
    parser.add_argument(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="the certificate and its chain, PEM",
    )
    parser.add_argument(
        "--tls-key", type=Path, metavar="FILE", help="its private key, PEM"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="serve a public address without TLS"
    )


def _serve(given: argparse.Namespace) -> int:
    from patql.faces.http.server import run

    if given.workers < 1:
        raise PatqlError(Code.USAGE, "--workers must be 1 or more")
    os.environ.update(_database(given))  # workers are processes of their own
    tcp = 8080 if given.unix is None else None
    run(
        host=given.host,
        port=tcp if given.port is None else given.port,
        unix=given.unix,
        admin=given.admin,
        workers=given.workers,
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        insecure=given.insecure,
    )
    return OK


def _describe_init(parser: argparse.ArgumentParser) -> None:
    parser.description = "Make the first user and root token of a database, or store the token of a server."
    _describe_database(parser)
    parser.add_argument(
        "--user", metavar="NAME", help="whose; default: your login name"
    )
    parser.add_argument(
        "--recover",
        action="store_true",
        help="make a new root token where there are users",
    )
    _describe_secrets(parser)
    parser.add_argument(
        "--url",
        help="store a token for that server, once it accepts it; it is asked for",
    )
    _describe_insecure(parser)


def _init(given: argparse.Namespace) -> int:
    from patql.compose import Choice
    from patql.faces.console import admin

    settings = _settings_with_database(given)
    if given.url is not None:
        if given.db or given.user or given.recover or given.secrets_to:
            raise PatqlError(
                Code.USAGE, "--url stores a token; it goes with --insecure only"
            )
        admin.store(settings, Choice(url=given.url, insecure=given.insecure))
        return OK
    if given.secrets_to is not None and settings.db is None:
        raise PatqlError(
            Code.USAGE,
            "--secrets-to goes with --db: the token of the embedded authority is stored where patql finds it",
        )
    from patql.faces.console.deliver import open_delivery

    act = admin.recover if given.recover else admin.init
    with closing(open_delivery(secrets_to=given.secrets_to)) as delivery:
        act(settings, given.user, delivery)
    return OK


def _describe_user(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make users and their first tokens, and suspend, resume, remove and list users."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, told in _USER_ACTIONS.items():
        described = actions.add_parser(action, help=told, description=told)
        if action != "list":
            described.add_argument("name", help="the user's name")
        if action == "add":
            described.add_argument(
                "--role",
                choices=("admin", "verifier", "user"),
                default="user",
                help="what they may do besides having tokens (user: nothing)",
            )
            described.add_argument("--email", default="", help="their address")
            _describe_secrets(described)
        _describe_database(described)


_USER_ACTIONS = {
    "add": "Make a user, of any name that was never taken, and their first token.",
    "suspend": "Refuse a user's tokens until they are resumed.",
    "resume": "Accept a suspended user's tokens again.",
    "remove": "Refuse a user's tokens for good; the name stays taken.",
    "list": "List all users.",
}


def _user(given: argparse.Namespace) -> int:
    from patql.faces.console import admin
    from patql.faces.console.deliver import open_delivery

    settings = _settings_with_database(given)
    match given.action:
        case "add":
            with closing(open_delivery(secrets_to=given.secrets_to)) as delivery:
                admin.add_user(settings, given.name, given.role, given.email, delivery)
        case "list":
            with closing(open_delivery()) as delivery:
                admin.list_users(settings, delivery)
        case _:
            acts = {
                "suspend": admin.suspend_user,
                "resume": admin.resume_user,
                "remove": admin.remove_user,
            }
            acts[given.action](settings, given.name)
    return OK


def _describe_db(parser: argparse.ArgumentParser) -> None:
    parser.description = "Bring a database's schema up to date, or look whether the database is as it was written."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    told = "Bring the schema to this version of PatQL."
    _describe_database(actions.add_parser("migrate", help=told, description=told))
    told = "Look at the schema's version and at the file; exit with 1 where something is wrong."
    described = actions.add_parser("check", help=told, description=told)
    described.add_argument(
        "--audit",
        action="store_true",
        help="look for lines of the audit that were altered, removed or moved, and print the heads of its chains",
    )
    described.add_argument(
        "--heads",
        type=Path,
        metavar="FILE",
        help="heads that an earlier --audit printed; each must still be there",
    )
    _describe_database(described)


def _db(given: argparse.Namespace) -> int:
    from patql.faces.console import database
    from patql.faces.console.sink import StandardOutput, written

    settings = _settings_with_database(given)
    if given.action == "migrate":
        database.migrate_schema(settings)
        return OK
    if given.heads is not None and not given.audit:
        raise PatqlError(Code.USAGE, "--heads goes with --audit")
    with written(StandardOutput()) as sink:
        whole = database.examine(
            settings, audit=given.audit, heads=given.heads, sink=sink
        )
    return OK if whole else FAILED


def _settings_with_database(given: argparse.Namespace) -> "Settings":
    from patql import config

    return config.read({**os.environ, **_database(given)})


def _database(given: argparse.Namespace) -> dict[str, str]:
    """The variable that --db stands for; an empty one is wrong usage, not the embedded authority."""
    from patql.config import check_database

    if given.db is None:
        return {}
    check_database(given.db)
    return {"PATQL_DB": given.db}


def _describe_docs(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the page of a resource."
    parser.add_argument("resource", help="such as linode.profile.tokens")
    parser.add_argument("--format", choices=PAGES, default="text")


def _docs(given: argparse.Namespace) -> int:
    from patql import compose, config
    from patql.catalog.names import Catalog
    from patql.faces.console.sink import StandardOutput, written
    from patql.faces.page.page import render

    settings = config.read(os.environ)
    own = compose.provider(settings)
    catalog = Catalog((own,), {"patql": lambda: compose.administration(settings)})
    parts = given.resource.split(".")
    if len(parts) != 3:
        raise PatqlError(
            Code.USAGE,
            f"{given.resource!r} isn't a resource",
            hint=f"a resource is written provider.service.resource, such as {own.name}.profile.tokens",
        )
    resource = catalog.resource(*parts)
    described = catalog.provider(parts[0])
    with written(StandardOutput()) as sink:
        sink.write(render(described, resource, given.format))
    return OK


def _describe_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show all that the resource offers, on a fresh authority in a temporary folder."
    )


def _demo(_given: argparse.Namespace) -> int:
    from patql.faces.console import demo
    from patql.faces.console.sink import StandardOutput, written

    with written(StandardOutput()) as sink:
        demo.run(os.environ, sink)
    return OK


COMMANDS: dict[
    str,
    tuple[
        Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]
    ],
] = {
    "": (_describe_query, _query),
    "serve": (_describe_serve, _serve),
    "init": (_describe_init, _init),
    "user": (_describe_user, _user),
    "db": (_describe_db, _db),
    "docs": (_describe_docs, _docs),
    "demo": (_describe_demo, _demo),
}
"""Each command: how its options are described, and what it does. Without a name it runs statements."""
