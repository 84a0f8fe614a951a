"""The option that names a database, for the commands that work on one."""

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patql.config import Settings


def describe_database(parser: argparse.ArgumentParser) -> None:
    """Add --db."""
    parser.add_argument(
        "--db",
        metavar="URL",
        help="the database, sqlite:///PATH or postgresql://USER@HOST/NAME; default: the embedded authority's",
    )


def settings_with_database(given: argparse.Namespace) -> "Settings":
    """The settings, where --db goes before the environment."""
    from patql import config

    return config.read({**os.environ, **database(given)})


def database(given: argparse.Namespace) -> dict[str, str]:
    """The variable that --db stands for; an empty one is wrong usage, not the embedded authority."""
    from patql.config import check_database

    if given.db is None:
        return {}
    check_database(given.db)
    return {"PATQL_DB": given.db}
