"""The audit of a database, as lines that a history can be held against."""

from collections.abc import Iterator

import msgspec
from tests.prove.history import Act, Line

from patql.authority.authority import Authority

_ACTS = {
    "token_create": Act.ISSUE,
    "token_update": Act.RENAME,
    "token_delete": Act.REVOKE,
}
_STRETCH = 5000


class _Detail(msgspec.Struct):
    label: str = ""


def lines(authority: Authority) -> Iterator[Line]:
    """All lines about tokens, oldest first."""
    last = 0
    while events := authority.events(after=last, limit=_STRETCH):
        for event in events:
            if event.token_id is not None:
                detail = msgspec.json.decode(event.detail, type=_Detail)
                act = _ACTS[event.action]
                yield Line(act, event.token_id, event.actor_token, detail.label)
        last = events[-1].id
