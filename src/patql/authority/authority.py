"""The authority: what a product, the API and the command line ask for tokens."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from patql.authority import issue
from patql.authority.listing import Listing, Page, check_size
from patql.authority.model import Denied, Event, Granted, Issued, Role, Token, User
from patql.authority.policy import Policy
from patql.authority.ports import TokenStore, Transaction
from patql.authority.verify import verify
from patql.kernel.clock import Clock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError, Problem
from patql.kernel.secrets import Secret

_ALL = Listing(limit=2**62)
_EVENTS = 1000
_DEFAULT = Policy()


class Authority:
    """Issues, lists, renames, revokes and verifies tokens. Safe to use from many threads.

    A change has happened, durably and for every process, when its method returns. Where `acting` is given, the change
    is bounded by that token, which is checked again inside the change's transaction; without, the caller is trusted.

    Every method raises PatqlError: UNAVAILABLE where the store can't be used; methods that change something also
    INVALID_TOKEN where the acting token isn't active any more.

    Args:
        store: where tokens are kept.
        clock: where the present comes from.
        policy: the settings.
    """

    def __init__(
        self, store: TokenStore, clock: Clock, policy: Policy = _DEFAULT
    ) -> None:
        self.policy = policy
        self._store = store
        self._clock = clock

    def verify(
        self, secret: str | bytes | Secret, needs: str | Sequence[str] = ()
    ) -> Granted | Denied:
        """Whether a secret is good, now, for all the scopes that are needed (none: for any token).

        The verdict is truthy if granted. A scope that doesn't exist is one that only `*` covers.
        """
        return verify(secret, needs, self._store, self._clock)

    def issue(
        self,
        user: str,
        *,
        label: str | None = None,
        scopes: str | None = None,
        expiry: datetime | int | None = None,
        acting: Granted | None = None,
    ) -> Issued:
        """A new token; the only time that its secret is to be had.

        Args:
            user: whose it will be: any non-empty string, created on first use. The first user of all is an admin.
            label: 1 to 100 characters; `token-<id>` where omitted.
            scopes: with spaces or commas between, `""` for none. Omitted or `*`: the acting token's own, and `*`
                without one.
            expiry: seconds since the epoch, or a datetime (UTC, where it has no zone), to the second; None for never.
            acting: the token that creates it, whose scopes must cover the new one's.

        Raises:
            InvalidRequestError: with all that is wrong with the request at once.
        """
        now = self._clock.now()
        _check_username(user)
        wanted = issue.draft(label, scopes, expiry, acting, self.policy, now)
        return self._store.write(
            lambda at: issue.create(at, user, wanted, acting, self.policy, now)
        )

    def found(self, user: str) -> Issued | None:
        """The first user, an admin, and their token `root` with every scope; None where there are users already.

        However many processes ask at the same time, one of them is answered with a token.
        """
        now = self._clock.now()
        _check_username(user)
        wanted = issue.draft("root", None, None, None, self.policy, now)

        def change(at: Transaction) -> Issued | None:
            if not at.is_empty():
                return None
            return issue.create(at, user, wanted, None, self.policy, now)

        return self._store.write(change)

    def list(self, user: str) -> tuple[Token, ...]:
        """The user's active tokens, by id."""
        return self.page(user, _ALL).tokens

    def page(self, user: str, listing: Listing) -> Page:
        """A stretch of the user's active tokens.

        Raises:
            InvalidRequestError: for a condition with more tests or nesting than can be run.
        """
        if listing.where is not None:
            check_size(listing.where)
        return self._store.page(user, listing, self._clock.now())

    def get(self, user: str, token_id: int) -> Token | None:
        """The user's active token of that id; None where there is none."""
        return self._store.token(user, token_id, self._clock.now())

    def rename(
        self, user: str, token_id: int, label: str, *, acting: Granted | None = None
    ) -> Token | None:
        """Give the user's active token another label; None where there is no such token.

        Raises:
            InvalidRequestError: for a label that isn't 1 to 100 characters.
        """
        problems = issue.label_problems(label)
        if problems:
            raise InvalidRequestError(*problems)
        now = self._clock.now()
        return self._store.write(
            lambda at: issue.rename(at, user, token_id, label, acting, now)
        )

    def revoke(
        self, user: str, token_id: int, *, acting: Granted | None = None
    ) -> bool:
        """Revoke the user's active token; False where there is no such token.

        When this has returned, no verification that begins afterwards, in any process, accepts the token. Tokens that
        it created stay.
        """
        now = self._clock.now()
        return self._store.write(
            lambda at: issue.revoke(at, user, token_id, acting, now)
        )

    def add_user(
        self,
        username: str,
        *,
        email: str | None = None,
        restricted: bool = False,
        role: Role | None = None,
    ) -> User:
        """A new user; without a role an ordinary one, but the first of all is an admin.

        Raises:
            InvalidRequestError: where the name is empty or taken, or the first user is to be anything but an admin.
        """
        now = self._clock.now()
        address = email or ""
        _check_username(username)
        problems = issue.text_problems(address, "email")
        if problems:
            raise InvalidRequestError(*problems)
        return self._store.write(
            lambda at: issue.add_user(
                at, username, now=now, email=address, restricted=restricted, role=role
            )
        )

    def user(self, username: str) -> User | None:
        """The user of that name; None where there is none."""
        return self._store.user(username)

    def owner(self, granted: Granted) -> User | None:
        """The user whose token this thread has just verified, at least as of then; cheaper than `user`."""
        return self._store.owner(granted.user)

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        return self._store.is_empty()

    def recover(self, user: str | None = None) -> Issued:
        """A new token with scopes `*`, for whoever can write the store and has lost every token.

        Args:
            user: an existing user; the first admin where omitted.

        Raises:
            PatqlError: NOT_FOUND where there is no such user.
        """
        now = self._clock.now()
        wanted = issue.draft(None, None, None, None, self.policy, now)

        def change(at: Transaction) -> Issued:
            owner = at.first_admin() if user is None else at.user(user)
            if owner is None:
                raise PatqlError(
                    Code.NOT_FOUND,
                    f"there is no user {user!r}" if user else "there are no users yet",
                )
            return issue.create(
                at, owner.username, wanted, None, self.policy, now, "token_recover"
            )

        return self._store.write(change)

    def events(
        self, user: str | None = None, *, after: int = 0, limit: int = _EVENTS
    ) -> tuple[Event, ...]:
        """Audit lines about a user, or about all: at most `limit` with ids greater than `after`, oldest first."""
        return self._store.events(user, after, limit)

    def close(self) -> None:
        """Let go of the store's connections; the authority can't be used afterwards."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_username(username: str) -> None:
    problems = issue.text_problems(username, "username")
    if not username:
        problems = [Problem("Must not be empty", "username")]
    if problems:
        raise InvalidRequestError(*problems)
