"""`patql user`."""

import argparse
from contextlib import closing

from patql.cli.database import describe_database, settings_with_database
from patql.cli.parser import describe_secrets
from patql.faces.console.exits import OK

_USER_ACTIONS = {
    "add": "Make a user, of any name that was never taken, and their first token.",
    "suspend": "Refuse a user's tokens until they are resumed.",
    "resume": "Accept a suspended user's tokens again.",
    "remove": "Refuse a user's tokens for good; the name stays taken.",
    "list": "List all users.",
}


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
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
            describe_secrets(described)
        describe_database(described)


def act(given: argparse.Namespace) -> int:
    """Do what the action says to a user, or list them."""
    from patql.faces.console import admin
    from patql.faces.console.deliver import open_delivery

    settings = settings_with_database(given)
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
