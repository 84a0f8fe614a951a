"""`patql db`."""

import argparse
from pathlib import Path

from patql.cli.database import describe_database, settings_with_database
from patql.faces.console.exits import FAILED, OK
from patql.kernel.errors import Code, PatqlError


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    parser.description = "Bring a database's schema up to date, or look whether the database is as it was written."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    told = "Bring the schema to this version of PatQL."
    describe_database(actions.add_parser("migrate", help=told, description=told))
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
    describe_database(described)


def act(given: argparse.Namespace) -> int:
    """Migrate or examine a database; the exit code tells whether it is whole."""
    from patql.faces.console import database
    from patql.faces.console.sink import StandardOutput, written

    settings = settings_with_database(given)
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
