"""A session: the engine, its catalog, and the target."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from patql import config
from patql.compose.api import provider
from patql.compose.target import Choice, open_target
from patql.config import Settings
from patql.engine.ports import Dialogue
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.secrets import Secret

if TYPE_CHECKING:
    from patql.engine.session import Session


def open_session(
    settings: Settings,
    choice: Choice,
    dialogue: Dialogue,
    *,
    announce: Callable[[str], None] | None = None,
    clock: Clock | None = None,
) -> "Session":
    """A session that runs SQL against the target that the caller or the environment names.

    Args:
        settings: the environment's.
        choice: the caller's.
        dialogue: whom to ask and tell.
        announce: told the target, once, when the first request is about to go there.
        clock: where the present comes from.

    Raises:
        PatqlError: USAGE or CREDENTIAL, where target and credential don't belong together.
    """
    from patql.catalog.names import Catalog
    from patql.engine.session import Session

    return Session(
        Catalog((provider(settings),)),
        open_target(settings, choice, dialogue.note, announce),
        clock or SystemClock(),
        dialogue,
    )


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Session":
    """A session that runs SQL, for Python.

    Args:
        url: a target's base URL, which ends in /v4 or /v4beta; without it, `PATQL_URL`, else the embedded authority.
        token: the token to send to that target; without it the environment's or the stored one.
        path: the SQLite file of an embedded authority other than the user's own.

    Raises:
        PatqlError: USAGE or CREDENTIAL, where target and credential don't belong together.
    """
    choice = Choice(
        url=url,
        path=Path(path) if path is not None else None,
        token=Secret(token) if token is not None else None,
    )
    return open_session(config.read(os.environ), choice, _Log())


class _Log:
    """The Dialogue of a Python program: notes go to the logger `patql`, and nobody can be asked."""

    def note(self, message: str) -> None:
        """Log it."""
        import logging

        logging.getLogger("patql").warning(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is asked."""
        self.note(question)
        return otherwise
