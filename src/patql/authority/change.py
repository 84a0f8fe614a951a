"""Changes to tokens that there are: renamed and revoked, each with its audit line in the same transaction."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from patql.authority import acting as acts
from patql.authority.model import Entry, Granted, Token, TokenState
from patql.authority.ports import Transaction
from patql.kernel.errors import Code, InvalidRequestError, Problem

_LIVING = frozenset({TokenState.ACTIVE, TokenState.SUSPENDED})
NOT_FOUND = "Not found"


def rename(
    at: Transaction,
    user: str,
    labels: Mapping[int, str],
    acting: Granted | None,
    now: float,
    *,
    every: str | None = None,
) -> tuple[Token, ...]:
    """Give the user's active tokens of those ids other labels; the others are passed over, or refused as by `revoke`."""
    acts.check(at, acting, now)
    found = _active(at, user, tuple(labels), now)
    if every is not None:
        _check_every(labels, found, every)
    at.rename({entry.token.id: labels[entry.token.id] for entry in found})
    at.audit(
        [
            acts.event(
                "token_update",
                user,
                entry.token.id,
                acting,
                now,
                {"label": labels[entry.token.id], "was": entry.token.label},
            )
            for entry in found
        ]
    )
    return tuple(replace(e.token, label=labels[e.token.id]) for e in found)


def revoke(
    at: Transaction,
    user: str,
    token_ids: Sequence[int],
    acting: Granted | None,
    now: float,
    *,
    cascade: bool = False,
    every: str | None = None,
) -> tuple[int, ...]:
    """Revoke the user's active tokens of those ids; the others are passed over.

    Args:
        at: the transaction.
        user: whose tokens.
        token_ids: which.
        acting: who revokes.
        now: the instant.
        cascade: also all tokens that were created with one of them, with one of those, and so on.
        every: the name by which a refusal calls the one at a place, `ids[{}]`; where it is omitted, none is refused.

    Raises:
        InvalidRequestError: INVALID_TOKEN; NOT_FOUND, naming each that isn't there, before anything is changed.
    """
    acts.check(at, acting, now)
    found = _active(at, user, token_ids, now)
    if every is not None:
        _check_every(token_ids, found, every)
    return strike(at, found, acting, now, cascade=cascade)


def strike(
    at: Transaction,
    found: Sequence[Entry],
    acting: Granted | None,
    now: float,
    *,
    cascade: bool = False,
) -> tuple[int, ...]:
    """Revoke tokens, and their descendants where asked to; the ids of all that were good until now, or suspended."""
    struck, seen = list[int](), {entry.token.id for entry in found}
    while found:
        living = [entry for entry in found if entry.state(now) in _LIVING]
        # Before their children are looked for: from now on, they create no more.
        at.revoke([entry.token.id for entry in living], int(now))
        at.audit(
            [
                acts.event(
                    "token_delete",
                    entry.user,
                    entry.token.id,
                    acting,
                    now,
                    {"label": entry.token.label, "scopes": entry.token.scopes},
                )
                for entry in living
            ]
        )
        struck += [entry.token.id for entry in living]
        below = at.children([entry.token.id for entry in found]) if cascade else []
        found = at.entries([child for child in below if child not in seen])
        seen.update(below)
    return tuple(struck)


def _check_every(asked: Iterable[int], found: Iterable[Entry], name: str) -> None:
    there = {entry.token.id for entry in found}
    problems = [
        Problem(NOT_FOUND, name.format(number))
        for number, token_id in enumerate(asked)
        if token_id not in there
    ]
    if problems:
        raise InvalidRequestError(*problems, code=Code.NOT_FOUND)


def _active(
    at: Transaction, user: str, token_ids: Sequence[int], now: float
) -> list[Entry]:
    """In the order of the ids."""
    found = {
        entry.token.id: entry
        for entry in at.entries(token_ids)
        if entry.user == user and entry.state(now) is TokenState.ACTIVE
    }
    return [found[one] for one in dict.fromkeys(token_ids) if one in found]
