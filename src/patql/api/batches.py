"""`/patql/batch`: many tokens created, renamed or revoked by one request, all or none.

    POST    {"tokens": [{"label": "ci", "scopes": "linodes:read_only", "expiry": null}, …]}
    PUT     {"tokens": [{"id": 12, "label": "ci-2"}, …]}
    DELETE  {"ids": [12, 13, …], "cascade": false}

A field that is wrong is named as in `tokens[3].label`.
"""

from typing import cast

import msgspec

from patql.api import bodies, headers, idempotency, tokens
from patql.api.routes import Answer
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Granted
from patql.authority.text import label_problems
from patql.kernel.errors import InvalidRequestError, Problem
from patql.kernel.http import Request


class Many(msgspec.Struct, gc=False):
    """Tokens on the wire, in the order of the request."""

    tokens: list[tokens.View]


class Revoked(msgspec.Struct, gc=False):
    """The ids of the tokens that were revoked on the wire, with those of their descendants where asked for."""

    revoked: tuple[int, ...]


_encode = msgspec.json.Encoder().encode


class Batches:
    """The operations on many tokens of the one who asks.

    Args:
        authority: keeps the tokens.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def create(self, granted: Granted, request: Request, _item: str) -> Answer:
        """New tokens, whole."""
        repeat = idempotency.replay(granted, request)
        unreadable: list[Problem] = []
        asked = bodies.entries(bodies.parse(request), "tokens")
        wanted = [
            _wanted(entry, f"tokens[{number}]", unreadable)
            for number, entry in enumerate(asked)
        ]
        try:
            made = self._authority.issue_many(
                granted.user, wanted, acting=granted, repeat=repeat
            )
        except InvalidRequestError as error:
            raise bodies.joined(unreadable, error) from None
        note = next((one.note for one in made if one.note), None)
        views = [tokens.view(one.token, one.secret.reveal()) for one in made]
        return Answer(_encode(Many(views)), headers=headers.note(note) if note else [])

    def update(self, granted: Granted, request: Request, _item: str) -> Answer:
        """Rename tokens."""
        repeat = idempotency.replay(granted, request)
        problems: list[Problem] = []
        labels: dict[int, str] = {}
        asked = bodies.entries(bodies.parse(request), "tokens")
        for number, entry in enumerate(asked):
            _label(entry, f"tokens[{number}]", labels, problems)
        if problems:
            raise InvalidRequestError(*problems)
        renamed = self._authority.rename_many(
            granted.user, labels, acting=granted, repeat=repeat
        )
        views = [tokens.view(token, token.shown) for token in renamed]
        return Answer(_encode(Many(views)))

    def delete(self, granted: Granted, request: Request, _item: str) -> Answer:
        """Revoke tokens; once this has returned, nobody accepts any of them."""
        repeat = idempotency.replay(granted, request)
        problems: list[Problem] = []
        members = bodies.parse(request)
        ids = [
            token_id
            for number, entry in enumerate(bodies.entries(members, "ids"))
            if (token_id := _id(entry, f"ids[{number}]", problems)) is not None
        ]
        cascade = members.get("cascade", False)
        if not isinstance(cascade, bool):
            problems.append(Problem("Must be true or false", "cascade"))
        if problems:
            raise InvalidRequestError(*problems)
        revoked = self._authority.revoke_many(
            granted.user, ids, cascade=cascade is True, acting=granted, repeat=repeat
        )
        return Answer(_encode(Revoked(revoked)))


def _wanted(entry: object, place: str, problems: list[Problem]) -> Wanted:
    """What an entry asks for; a token that no authority makes, where it can't be read."""
    members = _members(entry, place, problems)
    if members is None:
        return Wanted(label="")
    own: list[Problem] = []
    read = bodies.token(members, own)
    problems += [Problem(p.reason, f"{place}.{p.field}") for p in own]
    return Wanted(read.label, read.scopes, read.expiry)


def _label(
    entry: object, place: str, labels: dict[int, str], problems: list[Problem]
) -> None:
    """Add what an entry says to `labels`, or what is wrong with it to `problems`."""
    members = _members(entry, place, problems)
    if members is None:
        return
    token_id = _id(members.get("id"), f"{place}.id", problems)
    if token_id in labels:
        problems.append(Problem("Is there twice", f"{place}.id"))
    label = members.get("label")
    if not isinstance(label, str):
        problems.append(Problem("Must be a string", f"{place}.label"))
        return
    problems += label_problems(label, f"{place}.label")
    if token_id is not None:
        labels[token_id] = label


def _members(
    entry: object, place: str, problems: list[Problem]
) -> dict[str, object] | None:
    if isinstance(entry, dict):
        return cast("dict[str, object]", entry)
    problems.append(Problem("Must be an object", place))
    return None


def _id(value: object, place: str, problems: list[Problem]) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    problems.append(Problem("Must be an integer of at least 1", place))
    return None
