"""The audit of a database, as lines that a history can be held against."""

from collections.abc import Iterator

import msgspec
from tests.prove.history import Act, Line

from patql.authority.authority import Authority

_ACTS = {
    "token_create": Act.ISSUE,
    "token_update": Act.RENAME,
    "token_delete": Act.REVOKE,
    "user_suspend": Act.SUSPEND,
    "user_remove": Act.SUSPEND,
    "user_resume": Act.RESUME,
}
_STRETCH = 5000


class _Detail(msgspec.Struct):
    label: str = ""


def lines(authority: Authority) -> Iterator[Line]:
    """All lines, oldest first, but those of users made."""
    last = 0
    while events := authority.events(after=last, limit=_STRETCH):
        for event in events:
            if event.action != "user_create":
                detail = msgspec.json.decode(event.detail, type=_Detail)
                label = detail.label if event.token_id else event.user
                act, target = _ACTS[event.action], event.token_id or 0
                yield Line(act, target, event.actor_token, label)
        last = events[-1].id
