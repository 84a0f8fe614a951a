"""One more statement of a session over the embedded authority: what the engine itself takes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from bench.serving import compared

from patql import config, connect
from patql.api.api import Api
from patql.compose import Authority, open_api, open_authority
from patql.compose.authority import DATABASE
from patql.engine.session import Session
from patql.kernel.http import Request

TOKENS = 500
STATEMENTS = 200
"""How many of each make a round, of which the median counts."""
QUERY = "SELECT id, label FROM linode.profile.tokens WHERE id = {}"


class Row(msgspec.Struct):
    """What is asked for of a token."""

    id: int
    label: str


def run(rounds: int) -> list[dict[str, Any]]:
    """A row by its id, another each time, against the API called as a function and the same columns decoded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, DATABASE)
        with Authority(path) as authority:
            root = authority.issue("bench", label="root", scopes="*").secret.reveal()
            for number in range(1, TOKENS):
                authority.issue("bench", label=f"token {number}", scopes="*")
        settings = config.read({"PATQL_DATA_DIR": folder})
        api = open_api(open_authority(settings), settings)
        with connect(path=path, token=root) as session:
            times = [_round(session, api, root) for _ in range(rounds + 1)][1:]
        api.close()
    return [
        compared(
            f"a warm statement in process, `{QUERY.format('…')}`",
            "api.handle + msgspec decode",
            None,
            [ours for ours, _ in times],
            [theirs for _, theirs in times],
            "CPU ms",
        )
    ]


def _round(session: Session, api: Api, token: str) -> tuple[float, float]:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    decode = msgspec.json.Decoder(Row).decode

    def by_sql(number: int) -> None:
        (result,) = session.run(QUERY.format(number))
        ((found, _),) = result.rows()
        assert found == number

    def by_hand(number: int) -> None:
        request = Request("GET", f"/v4/profile/tokens/{number}", headers=headers)
        assert decode(api.handle(request).body).id == number

    numbers = [1 + n % TOKENS for n in range(STATEMENTS)]
    times = [(_spent(by_sql, n), _spent(by_hand, n)) for n in numbers]
    ours, theirs = zip(*times, strict=True)
    return median(ours), median(theirs)


def _spent(work: Callable[[int], None], number: int) -> float:
    begun = time.process_time_ns()
    work(number)
    return (time.process_time_ns() - begun) / 1e6
