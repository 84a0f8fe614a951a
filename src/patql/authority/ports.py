"""What the authority needs of a store. A contract suite holds every store to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import msgspec

from patql.authority.chain import Line
from patql.authority.listing import Listing, Page, Stretch
from patql.authority.model import Entry, Event, Role, Token, Use, User

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


class Sealed(msgspec.Struct, frozen=True):
    """The answer to a batch as it is kept for a while, readable only to whoever sent the batch.

    Attributes:
        request: SHA-256 of what was asked for, 32 bytes.
        answer: encrypted.
        until: when it is forgotten, in seconds since the epoch.
    """

    request: bytes
    answer: bytes
    until: int


class UndoneError(Exception):
    """What was done together is undone, since one change failed midway; each is still to be made by itself."""


class Transaction(Protocol):
    """The store as one change sees it: alone as far as the rows that it looked at go, and all or nothing."""

    def user(self, username: str) -> User | None:
        """The user of that name, who stays as they are until the change is made."""
        ...

    def first_admin(self) -> User | None:
        """The active admin with the smallest uid."""
        ...

    def is_only_admin(self, uid: int) -> bool:
        """Whether no other user is an active admin, which stays so until the change is made."""
        ...

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        ...

    def add_user(
        self, username: str, email: str, role: Role, *, restricted: bool, at: int
    ) -> User:
        """A new user; the name must be free."""
        ...

    def change_user(self, user: User) -> None:
        """Give the user of that uid another email, role, and instants of suspension and removal."""
        ...

    def disable(self, uid: int, at: int | None) -> None:
        """Say of each of a user's tokens since when it is disabled; None: it isn't."""
        ...

    def next_token_ids(self, count: int) -> Sequence[int]:
        """So many ids that no token has or had, ascending."""
        ...

    def add_tokens(self, tokens: Sequence[NewToken]) -> frozenset[str]:
        """Keep new tokens, except those whose handles are taken; those handles."""
        ...

    def entries(self, token_ids: Sequence[int]) -> list[Entry]:
        """The tokens of those ids, in whatever state, which stay as they are until the change is made."""
        ...

    def children(self, token_ids: Sequence[int]) -> list[int]:
        """The ids of the tokens that those tokens created."""
        ...

    def is_active(self, token_id: int, now: float) -> bool:
        """Whether a token of that id is neither revoked, disabled nor expired; it stays so until the change is made."""
        ...

    def rename(self, labels: Mapping[int, str]) -> None:
        """Give tokens, by their ids, other labels."""
        ...

    def revoke(self, token_ids: Sequence[int], at: int) -> None:
        """Mark tokens as revoked; the rows stay."""
        ...

    def sealed(self, key: bytes) -> Sealed | None:
        """The answer that is kept under a key (32 bytes), however old."""
        ...

    def seal(self, key: bytes, sealed: Sealed, now: float) -> None:
        """Keep an answer in place of one that is older, and forget those whose time has come."""
        ...

    def audit(self, events: Sequence[Event]) -> None:
        """Append lines to the audit, in that order, in this process's chain; the store gives their ids."""
        ...


class TokenStore(Protocol):
    """Where users, tokens and audit are kept. Methods may be called from any thread.

    Every read sees all changes that were acknowledged, in any process, before it began. Every method raises
    PatqlError: UNAVAILABLE where the store can't be reached, is full, read-only or damaged; INVALID for text that
    the store can't hold (half a surrogate pair).
    """

    inline: bool
    """Whether `find` waits for nothing but this machine's disk, so that an event loop may call it."""

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        ...

    async def find_async(self, handle: str) -> Record | None:
        """The same on an event loop, which it doesn't block."""
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

    def users(self, offset: int, limit: int) -> Stretch[User]:
        """A stretch of all users, by uid."""
        ...

    def entries(self, user: str | None, offset: int, limit: int) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        ...

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        ...

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        ...

    def latest(self, user: str | None, offset: int, limit: int) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        ...

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone.

        The condition's size has been checked (`listing.check_size`).
        """
        ...

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        ...

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        ...

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        ...

    def use(self, uses: Sequence[Use]) -> None:
        """Remember when tokens were last used, each at most once a minute, without waiting for whoever changes it."""
        ...

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change as one transaction; when this returns, it is durable and every later read sees it.

        The change may run in another thread, and more than once. Where it raises, nothing of it is kept and the
        exception comes out here.
        """
        ...

    def together(self) -> AbstractContextManager[None]:
        """Changes that this thread writes inside are one transaction, which ends with the block.

        A change that raises is undone alone. Where the block raises, or the transaction fails, nothing is kept of any.

        Raises:
            UndoneError: at the end, where a change failed midway and couldn't be undone alone.
        """
        ...

    def close(self) -> None:
        """Let go of connections. No other method may be running or be called afterwards."""
        ...
