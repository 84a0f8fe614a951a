"""An authority's users and their first tokens; and storing a token for a server."""

import shlex
import sys
from collections.abc import Callable

from patql.authority import authority
from patql.authority.administration import Administration
from patql.authority.model import Granted, Issued, Role, User
from patql.compose import (
    Authority,
    Choice,
    database,
    keep_embedded,
    make_first,
    make_folder,
    open_authority,
    policy,
    store_token,
)
from patql.config import Settings
from patql.engine.lines import Lines
from patql.engine.result import Result, ResultColumn
from patql.faces.console import stderr
from patql.faces.console.deliver import Delivery
from patql.kernel.clock import to_wire
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret

_COLUMNS = (
    ResultColumn("user", "VARCHAR"),
    ResultColumn("id", "BIGINT"),
    ResultColumn("label", "VARCHAR"),
    ResultColumn("scopes", "VARCHAR"),
    ResultColumn("token", "VARCHAR"),
)


_USER = (
    ResultColumn("username", "VARCHAR"),
    ResultColumn("role", "VARCHAR"),
    ResultColumn("state", "VARCHAR"),
    ResultColumn("email", "VARCHAR"),
    ResultColumn("created", "VARCHAR"),
)
_PAGE = 500  # users that are read at once


def init(settings: Settings, user: str | None, delivery: Delivery) -> None:
    """Make the first user of an authority, and their root token.

    Args:
        settings: name the database; where they don't, it is the embedded one, whose token is stored.
        user: the user's name; None for the login name.
        delivery: takes the token.

    Raises:
        PatqlError: INVALID where there are users already, OUTPUT where the token can't be delivered.
    """
    if settings.db is None:
        make_folder(settings.data_dir)
    with Authority(database(settings), policy=policy(settings)) as opened:
        _hand_over(settings, opened, make_first(opened, user), delivery)


def recover(settings: Settings, user: str | None, delivery: Delivery) -> None:
    """Make a new root token for a user who has lost every token; None: the first admin."""
    with open_authority(settings) as opened:
        _hand_over(settings, opened, opened.recover(user), delivery)


def add_user(
    settings: Settings, name: str, role: str, email: str, delivery: Delivery
) -> None:
    """Make a further user, and their first token, which has all scopes over what is theirs."""
    with open_authority(settings) as opened:
        opened.add_user(name, email=email, role=Role(role))
        issued = opened.issue(name, label="first token", scopes="*")
        _deliver(opened, issued, name, delivery)


def suspend_user(settings: Settings, name: str) -> None:
    """Refuse a user's tokens, as of now, until the user is resumed."""
    _change(settings, name, lambda admin: admin.change(name, suspended=True))


def resume_user(settings: Settings, name: str) -> None:
    """Accept a suspended user's tokens again."""
    _change(settings, name, lambda admin: admin.change(name, suspended=False))


def remove_user(settings: Settings, name: str) -> None:
    """Refuse a user's tokens, as of now and for good."""
    _change(settings, name, lambda admin: admin.remove(name))


def list_users(settings: Settings, delivery: Delivery) -> None:
    """All users, removed ones included, in the order in which they were made."""
    users: list[User] = []
    with open_authority(settings) as opened:
        while found := opened.admin.users(len(users), _PAGE).rows:
            users += found
    rows = [
        (
            user.username,
            user.role.value,
            user.state.value,
            user.email,
            to_wire(user.created),
        )
        for user in users
    ]
    names = tuple(column.name for column in _USER)
    delivery.deliver(Result(_USER, Lines(names, rows)))


def _change(
    settings: Settings, name: str, make: Callable[[Administration], User | None]
) -> None:
    with open_authority(settings) as opened:
        user = make(opened.admin)
        if user is None and opened.user(name) is not None:
            raise PatqlError(
                Code.INVALID, f"the user {name!r} was removed, and stays so"
            )
    if user is None:
        raise PatqlError(Code.NOT_FOUND, f"there is no user {name!r}")
    stderr.tell(f"{name} is {user.state}")


def store(settings: Settings, choice: Choice) -> None:
    """Ask for the token of a URL, and store it for that origin once the server there accepts it."""
    username = store_token(settings, choice, lambda: _ask_token(f"{choice.url}"))
    stderr.tell(f"stored the token of {username} for {choice.url}")


def _ask_token(url: str) -> Secret:
    """From a prompt that doesn't show it, or from standard input where nobody is to be prompted."""
    if stderr.can_ask():
        from getpass import getpass

        given = getpass(f"Token for {url} (it isn't shown): ").strip()
    else:
        given = sys.stdin.readline().strip() if sys.stdin else ""
    if not given:
        raise PatqlError(Code.CREDENTIAL, "no token was given")
    return Secret(given)


def _hand_over(
    settings: Settings,
    opened: authority.Authority,
    issued: Issued,
    delivery: Delivery,
) -> None:
    """Store the root token of one's own embedded authority; give any other to whoever asked."""
    verdict = opened.verify(issued.secret)
    owner = verdict.user if isinstance(verdict, Granted) else ""
    if settings.db is not None:
        _deliver(opened, issued, owner, delivery)
        return
    try:
        folder = keep_embedded(settings, issued.secret)
    except PatqlError:
        opened.revoke(owner, issued.token.id)
        raise
    stderr.tell(
        f"stored the root token of {owner} for the embedded authority in {folder / 'credentials.json'}"
    )


def _deliver(
    opened: authority.Authority, issued: Issued, owner: str, delivery: Delivery
) -> None:
    token = issued.token
    row = (owner, token.id, token.label, token.scopes, issued.secret.reveal())

    def undo() -> tuple[int, ...]:
        return (token.id,) if opened.revoke(owner, token.id) else ()

    names = tuple(column.name for column in _COLUMNS)
    secret = len(_COLUMNS) - 1
    result = Result(_COLUMNS, Lines(names, [row]), once=(secret,), undo=undo)
    try:
        delivery.deliver(result)
    except PatqlError as error:
        whose = shlex.quote(owner)
        error.hint = error.hint or (
            f"the user stays; `patql init --recover --user {whose}` makes another token"
        )
        raise
