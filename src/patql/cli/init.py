"""`patql init`."""

import argparse
from contextlib import closing

from patql.cli.database import describe_database, settings_with_database
from patql.cli.parser import describe_insecure, describe_secrets
from patql.faces.console.exits import OK
from patql.kernel.errors import Code, PatqlError


def describe(parser: argparse.ArgumentParser) -> None:
    """Add whose token it is, and where it goes."""
    parser.description = "Make the first user and root token of a database, or store the token of a server."
    describe_database(parser)
    parser.add_argument(
        "--user", metavar="NAME", help="whose; default: your login name"
    )
    parser.add_argument(
        "--recover",
        action="store_true",
        help="make a new root token where there are users",
    )
    describe_secrets(parser)
    parser.add_argument(
        "--url",
        help="store a token for that server, once it accepts it; it is asked for",
    )
    describe_insecure(parser)


def act(given: argparse.Namespace) -> int:
    """Make a root token, or store the token of a server."""
    from patql.compose import Choice
    from patql.faces.console import admin

    settings = settings_with_database(given)
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
