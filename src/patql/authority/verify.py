"""The token path: from a presented secret to a verdict."""

from collections.abc import Sequence

from patql.authority import scopes, tokens
from patql.authority.model import Denied, Granted, Reason
from patql.authority.ports import Record, TokenStore
from patql.authority.tokens import Parsed
from patql.kernel.clock import Clock
from patql.kernel.secrets import Secret, same

Presented = str | bytes | Secret | Parsed
"""A secret, or what is left of one that was well-formed and has been read before."""

_UNKNOWN = Denied(Reason.UNKNOWN)
_REVOKED = Denied(Reason.REVOKED)
_EXPIRED = Denied(Reason.EXPIRED)


def verify(
    presented: Presented,
    needs: str | Sequence[str],
    store: TokenStore,
    clock: Clock,
) -> Granted | Denied:
    """Whether a presented secret is good for the needed scopes, now.

    A token that isn't well-formed never reaches the store; for any other, the store is read once, every time.
    """
    parsed = presented if isinstance(presented, Parsed) else _parse(presented)
    if parsed is None:
        return _UNKNOWN
    needed = needs if isinstance(needs, str) else " ".join(needs)
    return decide(parsed, store.find(parsed.handle), needed, clock.now())


async def verify_async(
    presented: Presented,
    needs: str | Sequence[str],
    store: TokenStore,
    clock: Clock,
) -> Granted | Denied:
    """The same, where the store is asked without blocking an event loop."""
    parsed = _parse(presented)
    if parsed is None:
        return _UNKNOWN
    needed = needs if isinstance(needs, str) else " ".join(needs)
    return decide(parsed, await store.find_async(parsed.handle), needed, clock.now())


def identify(presented: Presented, store: TokenStore) -> int | None:
    """The id of the token that this is, in whatever state; None where it is none."""
    parsed = _parse(presented)
    record = store.find(parsed.handle) if parsed else None
    if parsed is None or record is None or not same(record.digest, parsed.digest):
        return None
    return record.token_id


def decide(
    parsed: Parsed, record: Record | None, needed: str, now: float
) -> Granted | Denied:
    """The verdict on a token, given what the store has under its handle.

    "No such handle" and "wrong secret" are one answer, and nothing of a token's state is told before its secret
    matched. A token expires at its expiry, not after it.
    """
    if record is None or not same(record.digest, parsed.digest):
        return _UNKNOWN
    if record.revoked_at is not None or record.disabled_at is not None:
        return _REVOKED
    expiry = record.expiry
    if expiry is not None and expiry <= now:
        return _EXPIRED
    granted = Granted(
        record.user,
        record.uid,
        record.token_id,
        record.scopes,
        expiry,
        parsed.handle,
    )
    if needed and not scopes.covers(record.scopes, needed):
        return Denied(Reason.INSUFFICIENT_SCOPE, granted)
    return granted


def _parse(presented: Presented) -> Parsed | None:
    if isinstance(presented, Parsed):
        return presented
    if isinstance(presented, Secret):
        presented = presented.reveal()
    return tokens.parse(presented)
