"""What is there before a run begins: a database, its users, and a root token for each."""

import os
import subprocess
import sys
from pathlib import Path

from tests.prove.history import TRUSTED, Act, Operation, Outcome
from tests.prove.recorder import Recorder
from tests.prove.tokens import Known

from patql import config
from patql.authority.authority import Authority
from patql.authority.model import Token
from patql.compose import open_authority

FOUNDER = "founder"
"""The first user of all, an admin."""
FOUNDERS_TOKEN = 1
"""The id of the first token of all."""

_USERS = 8
_SETTING_UP = -1  # the number of the client that it counts as


def make(database: str, folder: Path) -> str:
    """Make a database, with its first user, as an operator does; that admin's token."""
    key = folder / "root.token"
    command = ["init", "--db", database, "--user", FOUNDER, "--secrets-to", str(key)]
    subprocess.run(
        [sys.executable, "-m", "patql", *command],
        check=True,
        capture_output=True,
        env=os.environ | {"PATQL_DATA_DIR": str(folder)},
    )
    return key.read_text().strip()


def opened(database: str, folder: Path) -> Authority:
    """The authority over a database, in this process."""
    return open_authority(
        config.read({"PATQL_DB": database, "PATQL_DATA_DIR": str(folder)})
    )


def roots(authority: Authority, recorder: Recorder) -> list[Known]:
    """A token for each user, written down as operations; the founder's too, which nobody uses."""
    (first,) = authority.list(FOUNDER)
    _note(recorder, first, FOUNDER)
    made = list[Known]()
    for number in range(_USERS):
        user = f"user-{number}"
        issued = authority.issue(user, label=f"root-{number}")
        _note(recorder, issued.token, user)
        made.append(Known(issued.token.id, issued.secret.reveal(), user))
    return made


def _note(recorder: Recorder, token: Token, user: str) -> None:
    now = recorder.now()
    issue = Operation(
        _SETTING_UP, "here", Act.ISSUE, TRUSTED, token.id, now, now, Outcome.DONE
    )
    issue.label, issue.handle, issue.user = token.label, token.shown, user
    recorder.history.append(issue)
