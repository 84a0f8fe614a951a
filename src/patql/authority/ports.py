"""What the authority needs of a store. A contract suite holds every store to it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from patql.authority.listing import Listing, Page
from patql.authority.model import Event, Role, Token, User

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, gc=False):
    """All that a verification needs to know of a token, read as one row.

    Attributes:
        digest: SHA-256 of the whole token, 32 bytes.
        token_id: the token's id.
        uid: the owner's id.
        user: the owner's username.
        scopes: canonical.
        expiry: seconds since the epoch, None for never.
        revoked_at: seconds since the epoch, None for a token that wasn't revoked.
        disabled_at: since when its owner is suspended, in seconds since the epoch.
    """

    digest: bytes
    token_id: int
    uid: int
    user: str
    scopes: str
    expiry: int | None
    revoked_at: int | None
    disabled_at: int | None


class NewToken(msgspec.Struct, frozen=True):
    """A row to be: a token's public part, its digest, its owner, and the id of the token that created it."""

    token: Token
    digest: bytes
    owner: User
    parent: int | None


class Transaction(Protocol):
    """The store as one change sees it: alone, and all or nothing."""

    def user(self, username: str) -> User | None:
        """The user of that name."""
        ...

    def first_admin(self) -> User | None:
        """The admin with the smallest uid."""
        ...

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        ...

    def add_user(
        self, username: str, email: str, role: Role, *, restricted: bool, at: int
    ) -> User:
        """A new user; the name must be free."""
        ...

    def next_token_id(self) -> int:
        """An id that no token has or had."""
        ...

    def add_token(self, new: NewToken) -> bool:
        """Keep a new token; False, and nothing kept, where its handle is taken."""
        ...

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        ...

    def is_active(self, token_id: int, now: float) -> bool:
        """Whether a token of that id exists, is neither revoked nor disabled, and hasn't expired."""
        ...

    def rename(self, token_id: int, label: str) -> None:
        """Give a token another label."""
        ...

    def revoke(self, token_id: int, at: int) -> None:
        """Mark a token as revoked; the row stays."""
        ...

    def audit(self, event: Event, uid: int) -> None:
        """Append a line about that user to the audit; the event's own id is ignored and given by the store."""
        ...


class TokenStore(Protocol):
    """Where users, tokens and audit are kept. Methods may be called from any thread.

    Every read sees all changes that were acknowledged, in any process, before it began. Every method raises
    PatqlError: UNAVAILABLE where the store can't be reached, is full, read-only or damaged; INVALID for text that
    isn't Unicode (half a surrogate pair).
    """

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        ...

    def user(self, username: str) -> User | None:
        """The user of that name."""
        ...

    def owner(self, username: str) -> User | None:
        """The user of that name, at least as of the last read that the calling thread made."""
        ...

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        ...

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        ...

    def page(self, user: str, listing: Listing, now: float) -> Page:
        """A stretch of the user's active tokens, read in one snapshot; an unknown user has none.

        The condition's size has been checked (`listing.check_size`).
        """
        ...

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        ...

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change as one transaction; when this returns, it is durable and every later read sees it.

        The change may run in another thread. Where it raises, nothing of it is kept and the exception comes out here.
        """
        ...

    def close(self) -> None:
        """Let go of connections. No other method may be running or be called afterwards."""
        ...
