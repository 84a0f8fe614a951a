"""What the authority knows: users, tokens, and verdicts about a presented secret."""

from enum import StrEnum

import msgspec

from patql.kernel.secrets import Secret


class Role(StrEnum):
    """What a user may do beyond their own tokens; scopes never give a role."""

    USER = "user"
    VERIFIER = "verifier"
    ADMIN = "admin"


class UserState(StrEnum):
    """Whether a user's tokens are good: suspended ones can come back, removed ones can't."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class User(msgspec.Struct, frozen=True):
    """A user. `username` is any non-empty string, unique, and never changes; neither it nor `uid` is ever reused.

    `created`, `suspended_at` and `removed_at` are in seconds since the epoch, UTC.
    """

    uid: int
    username: str
    email: str
    restricted: bool
    role: Role
    created: int = 0
    suspended_at: int | None = None
    removed_at: int | None = None

    @property
    def state(self) -> UserState:
        """Whether the user's tokens are good."""
        if self.removed_at is not None:
            return UserState.REMOVED
        return UserState.ACTIVE if self.suspended_at is None else UserState.SUSPENDED


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


class TokenState(StrEnum):
    """What has become of a token; the first that applies, in the order revoked, expired, suspended."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A token as an administrator sees it, in whatever state. Instants are in seconds since the epoch, UTC.

    Attributes:
        token: its public part.
        user: the owner's username.
        parent: the id of the token that created it; None for the trusted call and for a user that a product vouched for.
        revoked_at: None for a token that wasn't revoked.
        disabled_at: since when its owner is suspended or removed.
        last_used: to about a minute; None for never.
        last_used_from: the address that it was then used from.
    """

    token: Token
    user: str
    parent: int | None
    revoked_at: int | None
    disabled_at: int | None
    last_used: int | None = None
    last_used_from: str | None = None

    def state(self, now: float) -> TokenState:
        """What has become of it by then (seconds since the epoch)."""
        if self.revoked_at is not None:
            return TokenState.REVOKED
        if self.token.expiry is not None and self.token.expiry <= now:
            return TokenState.EXPIRED
        return TokenState.ACTIVE if self.disabled_at is None else TokenState.SUSPENDED


class Use(msgspec.Struct, frozen=True, gc=False):
    """That a token was used: its handle, when (seconds since the epoch), and from which address."""

    handle: str
    at: int
    address: str


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
        token_id: the token's id; None where there is none, since a product vouches for its user.
        scopes: as given at creation.
        expiry: seconds since the epoch, UTC; None until revoked.
        handle: the token's first 16 characters, which are public; empty where there is no token.
    """

    user: str
    uid: int
    token_id: int | None
    scopes: str
    expiry: int | None
    handle: str = ""

    def __bool__(self) -> bool:
        return True


class Denied(msgspec.Struct, frozen=True, gc=False):
    """The secret is refused; falsy. `granted` is what the token does give, for INSUFFICIENT_SCOPE only."""

    reason: Reason
    granted: Granted | None = None

    def __bool__(self) -> bool:
        return False


TOKEN_ACTIONS = ("token_create", "token_update", "token_delete")
"""The actions of events that the owner of a token sees."""


class Event(msgspec.Struct, frozen=True):
    """One line of the audit: who did what to which token, and when (seconds since the epoch, UTC).

    `actor` is the username that acted and `actor_token` the token it acted with, both None for the trusted call.
    `writer` and `sequence` are its place in the chain of the process that wrote it (`authority.chain`). A line to be
    written has no `id` and no place yet.
    """

    id: int
    at: int
    action: str
    user: str
    token_id: int | None
    actor: str | None
    actor_token: int | None
    detail: str
    writer: str = ""
    sequence: int = 0
