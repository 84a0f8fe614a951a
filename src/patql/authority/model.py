"""What the authority knows: users, tokens, and verdicts about a presented secret."""

from enum import StrEnum

import msgspec

from patql.kernel.secrets import Secret


class Role(StrEnum):
    """What a user may do beyond their own tokens; scopes never give a role."""

    USER = "user"
    VERIFIER = "verifier"
    ADMIN = "admin"


class User(msgspec.Struct, frozen=True):
    """A user. `username` is any non-empty string, unique, and never changes; `uid` is never reused."""

    uid: int
    username: str
    email: str
    restricted: bool
    role: Role


class Token(msgspec.Struct, frozen=True, gc=False):
    """An active token as its owner may see it: never the secret.

    Attributes:
        id: unique, never reused.
        shown: the first 16 characters of the token: its public handle.
        label: for display only.
        scopes: as given at creation; `*` is every scope, `""` none.
        created: seconds since the epoch, UTC.
        expiry: seconds since the epoch, UTC; None until revoked.
    """

    id: int
    shown: str
    label: str
    scopes: str
    created: int
    expiry: int | None


class Issued(msgspec.Struct, frozen=True):
    """A token at its birth: the only time its secret is to be had; `note` says where less was granted than asked."""

    token: Token
    secret: Secret
    note: str | None = None


class Reason(StrEnum):
    """Why a presented secret was refused. Only UNKNOWN says nothing of whether the token exists."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INSUFFICIENT_SCOPE = "insufficient scope"


class Granted(msgspec.Struct, frozen=True, gc=False):
    """The secret is good: whose it is, which token, and what it may do.

    Attributes:
        user: the owner's username.
        uid: the owner's id.
        token_id: the token's id.
        scopes: as given at creation.
        expiry: seconds since the epoch, UTC; None until revoked.
    """

    user: str
    uid: int
    token_id: int
    scopes: str
    expiry: int | None

    def __bool__(self) -> bool:
        return True


class Denied(msgspec.Struct, frozen=True, gc=False):
    """The secret is refused; falsy. `granted` is what the token does give, for INSUFFICIENT_SCOPE only."""

    reason: Reason
    granted: Granted | None = None

    def __bool__(self) -> bool:
        return False


class Event(msgspec.Struct, frozen=True):
    """One line of the audit: who did what to which token, and when (seconds since the epoch, UTC).

    `actor` is the username that acted and `actor_token` the token it acted with, both None for the trusted call.
    """

    id: int
    at: int
    action: str
    user: str
    token_id: int | None
    actor: str | None
    actor_token: int | None
    detail: str
