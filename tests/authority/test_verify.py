"""Every way that a verification can end."""

import string
from binascii import crc32
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import pytest

from patql.authority import tokens
from patql.authority import verify as module
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason
from patql.authority.ports import Record, TokenStore
from patql.authority.tokens import Parsed
from patql.authority.verify import decide, verify
from patql.kernel.clock import ManualClock
from patql.kernel.secrets import Secret

NOW = 1_800_000_000

_PARSED = Parsed("pql_0123456789AB", b"d" * 32)
_GOOD = Record(
    _PARSED.digest, 7, 3, "alice", "linodes:read_write", NOW + 10, None, None
)
_GRANTED = Granted("alice", 3, 7, "linodes:read_write", NOW + 10, _PARSED.handle)


def _but(**changes: object) -> Record:
    return msgspec.structs.replace(_GOOD, **changes)


@pytest.mark.parametrize(
    ("record", "needed", "now", "verdict"),
    [
        (_GOOD, "", NOW, _GRANTED),
        (_GOOD, "linodes:read_only", NOW, _GRANTED),
        (_GOOD, "", NOW + 9.999, _GRANTED),
        (
            _but(expiry=None),
            "",
            2e12,
            Granted("alice", 3, 7, "linodes:read_write", None, _PARSED.handle),
        ),
        (None, "", NOW, Denied(Reason.UNKNOWN)),
        (_but(digest=b"x" * 32), "", NOW, Denied(Reason.UNKNOWN)),
        (_GOOD, "", NOW + 10, Denied(Reason.EXPIRED)),
        (_but(revoked_at=NOW), "", NOW, Denied(Reason.REVOKED)),
        (_but(revoked_at=NOW + 99), "", NOW, Denied(Reason.REVOKED)),
        (_but(disabled_at=NOW), "", NOW, Denied(Reason.REVOKED)),
        (_but(revoked_at=NOW), "", NOW + 10, Denied(Reason.REVOKED)),
        (_GOOD, "domains:read_only", NOW, Denied(Reason.INSUFFICIENT_SCOPE, _GRANTED)),
        (_GOOD, "*", NOW, Denied(Reason.INSUFFICIENT_SCOPE, _GRANTED)),
        # nothing of a token's state is told to whoever lacks its secret
        (_but(digest=b"x" * 32, revoked_at=NOW), "", NOW, Denied(Reason.UNKNOWN)),
        (_but(digest=b"x" * 32), "", NOW + 10, Denied(Reason.UNKNOWN)),
        (_but(digest=b"x" * 32), "domains:read_only", NOW, Denied(Reason.UNKNOWN)),
        # an expired or revoked token's scopes aren't told
        (_GOOD, "domains:read_only", NOW + 10, Denied(Reason.EXPIRED)),
    ],
)
def test_decide(
    record: Record | None, needed: str, now: float, verdict: object
) -> None:
    """The verdict on a token, given what the store has."""
    decided = decide(_PARSED, record, needed, now)
    assert decided == verdict
    assert bool(decided) is isinstance(verdict, Granted)


def test_digests_compare_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict hangs on the one comparison whose time tells nothing."""
    compared = list[tuple[bytes, bytes]]()

    def same(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return False

    monkeypatch.setattr(module, "same", same)
    assert decide(_PARSED, _GOOD, "", NOW) == Denied(Reason.UNKNOWN)
    assert compared == [(_PARSED.digest, _PARSED.digest)]


class _NoStore:
    """A store that must not be reached."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        pytest.fail(f"the store was asked: {name}")


def test_a_wrong_checksum_never_reaches_the_store() -> None:
    """A mistyped or random string is refused by arithmetic alone."""
    text = tokens.mint("pql_")[1].reveal()
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    store = _NoStore()
    verdict = verify(wrong, (), cast("TokenStore", store), ManualClock(NOW))
    assert verdict == Denied(Reason.UNKNOWN)


def test_every_form_of_a_secret_and_of_needs(authority: Authority) -> None:
    """A secret may be text, bytes or wrapped; needs may be one string, with spaces or commas, or several."""
    issued = authority.issue("alice", scopes="linodes:read_write domains:read_only")
    text = issued.secret.reveal()
    forms: Sequence[str | bytes | Secret] = (text, text.encode(), issued.secret)
    needs: Sequence[str | Sequence[str]] = (
        (),
        "",
        "linodes:read_only",
        "linodes:read_only domains:read_only",
        "linodes:read_only,domains:read_only",
        ["linodes:read_write", "domains:read_only"],
    )
    for form in forms:
        for need in needs:
            assert authority.verify(form, need)
        assert not authority.verify(form, ["linodes:read_only", "domains:read_write"])


def test_strict(authority: Authority, clock: ManualClock) -> None:
    """A verification sees a revocation and an expiry at once: it reads the row and the clock each time."""
    revoked = authority.issue("alice", label="a")
    expiring = authority.issue("alice", label="b", expiry=NOW + 60)
    assert authority.verify(revoked.secret)
    assert authority.verify(expiring.secret)
    authority.revoke("alice", revoked.token.id)
    assert authority.verify(revoked.secret) == Denied(Reason.REVOKED)
    clock.advance(60)
    assert authority.verify(expiring.secret) == Denied(Reason.EXPIRED)


def test_unknown_handle_and_wrong_secret_are_one_answer(authority: Authority) -> None:
    """A well-formed token of a known handle with another secret is as unknown as one that never was."""
    issued = authority.issue("alice")
    other = tokens.mint("pql_")[1].reveal()
    body = issued.token.shown + other[16:-6]
    forged = body + _base62(crc32(body.encode()))
    assert tokens.parse(forged) is not None
    assert authority.verify(forged) == authority.verify(other) == Denied(Reason.UNKNOWN)


def _base62(number: int) -> str:
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    return "".join(digits[number // 62**place % 62] for place in range(5, -1, -1))
