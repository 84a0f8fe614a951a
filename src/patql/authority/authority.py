"""The authority: what a product, the API and the command line ask for tokens."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from patql.authority import acting as acts
from patql.authority import change, issue, replay, users, verify
from patql.authority.administration import Administration
from patql.authority.issue import Wanted
from patql.authority.listing import Listing, Page, Stretch, check_size
from patql.authority.model import (
    TOKEN_ACTIONS,
    Denied,
    Event,
    Granted,
    Issued,
    Role,
    Token,
    Use,
    User,
)
from patql.authority.policy import Policy
from patql.authority.ports import TokenStore, Transaction
from patql.authority.replay import Replay
from patql.authority.text import check_username, label_problems
from patql.authority.verify import Presented
from patql.kernel.clock import Clock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.kernel.secrets import Secret

T = TypeVar("T")

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
        self.admin = Administration(store, clock)
        self._store = store
        self._clock = clock

    @property
    def inline(self) -> bool:
        """Whether reads wait for nothing but this machine's disk, so that an event loop may make them."""
        return self._store.inline

    def verify(
        self, secret: Presented, needs: str | Sequence[str] = ()
    ) -> Granted | Denied:
        """Whether a secret is good, now, for all the scopes that are needed (none: for any token).

        The verdict is truthy if granted. A scope that doesn't exist is one that only `*` covers.
        """
        return verify.verify(secret, needs, self._store, self._clock)

    async def verify_async(
        self, secret: Presented, needs: str | Sequence[str] = ()
    ) -> Granted | Denied:
        """The same on an event loop, which it doesn't block."""
        return await verify.verify_async(secret, needs, self._store, self._clock)

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
            user: whose it will be: any non-empty string, created on first use, as an ordinary user.
            label: 1 to 100 characters; `token-<id>` where omitted.
            scopes: with spaces or commas between, `""` for none. Omitted or `*`: the acting token's own, and `*`
                without one.
            expiry: seconds since the epoch, or a datetime (UTC, where it has no zone), to the second; None for never.
            acting: the token that creates it, whose scopes must cover the new one's.

        Raises:
            InvalidRequestError: with all that is wrong with the request at once.
        """
        now = self._clock.now()
        check_username(user)
        wanted = Wanted(label, scopes, expiry)
        drafted = (issue.draft(wanted, acting, self.policy, now),)
        return self._store.write(
            lambda at: issue.create(at, user, drafted, acting, self.policy, now)
        )[0]

    def issue_many(
        self,
        user: str,
        wanted: Sequence[Wanted],
        *,
        acting: Granted | None = None,
        repeat: Replay | None = None,
    ) -> tuple[Issued, ...]:
        """New tokens, all or none, in the order of what is asked for.

        Args:
            user: whose they will be.
            wanted: as the arguments of `issue`.
            acting: as with `issue`.
            repeat: by which the same call can be repeated; it then answers the same and changes nothing.

        Raises:
            InvalidRequestError: with all that is wrong with any of them; a field is named as in `tokens[3].label`.
            PatqlError: CONFLICT where another call has used the key.
        """
        now = self._clock.now()
        check_username(user)
        drafted = issue.drafts(wanted, acting, self.policy, now)
        return self._once(
            lambda at: issue.create(at, user, drafted, acting, self.policy, now),
            repeat,
            tuple[Issued, ...],
            acting,
        )

    def found(self, user: str) -> Issued | None:
        """The first user, an admin, and their token `root` with every scope; None where there are users already.

        However many processes ask at the same time, one of them is answered with a token.
        """
        now = self._clock.now()
        check_username(user)
        drafted = (issue.draft(Wanted("root"), None, self.policy, now),)

        def make(at: Transaction) -> Issued | None:
            if not at.is_empty():
                return None
            users.add(at, user, role=Role.ADMIN, now=now)
            return issue.create(at, user, drafted, None, self.policy, now)[0]

        return self._store.write(make)

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
        problems = label_problems(label)
        if problems:
            raise InvalidRequestError(*problems)
        now = self._clock.now()
        labels = {token_id: label}
        renamed = self._store.write(
            lambda at: change.rename(at, user, labels, acting, now)
        )
        return renamed[0] if renamed else None

    def rename_many(
        self,
        user: str,
        labels: Mapping[int, str],
        *,
        acting: Granted | None = None,
        repeat: Replay | None = None,
    ) -> tuple[Token, ...]:
        """Give active tokens, by their ids, other labels, all or none; `repeat` as with `issue_many`.

        Raises:
            InvalidRequestError: for labels that aren't 1 to 100 characters; NOT_FOUND where there is no such token. A
                field is named as in `tokens[3].label`.
        """
        problems = [
            problem
            for number, label in enumerate(labels.values())
            for problem in label_problems(label, f"tokens[{number}].label")
        ]
        if problems:
            raise InvalidRequestError(*problems)
        now = self._clock.now()
        return self._once(
            lambda at: change.rename(
                at, user, labels, acting, now, every="tokens[{}].id"
            ),
            repeat,
            tuple[Token, ...],
            acting,
        )

    def revoke(
        self,
        user: str,
        token_id: int,
        *,
        cascade: bool = False,
        acting: Granted | None = None,
    ) -> bool:
        """Revoke the user's active token; False where there is no such token.

        When this has returned, no verification that begins afterwards, in any process, accepts the token. Tokens that
        it created stay, but with `cascade` go too, and those that they created.
        """
        now = self._clock.now()
        revoked = self._store.write(
            lambda at: change.revoke(
                at, user, (token_id,), acting, now, cascade=cascade
            )
        )
        return bool(revoked)

    def revoke_many(
        self,
        user: str,
        token_ids: Sequence[int],
        *,
        cascade: bool = False,
        acting: Granted | None = None,
        repeat: Replay | None = None,
    ) -> tuple[int, ...]:
        """Revoke active tokens, all or none; the ids of all that were. `cascade` and `repeat` as above.

        Raises:
            InvalidRequestError: NOT_FOUND where there is no such token; a field is named as in `ids[3]`.
        """
        now = self._clock.now()
        return self._once(
            lambda at: change.revoke(
                at, user, token_ids, acting, now, cascade=cascade, every="ids[{}]"
            ),
            repeat,
            tuple[int, ...],
            acting,
        )

    def revoke_presented(self, secret: str | bytes | Secret) -> bool:
        """Revoke the token that this is, whosever it is: who has it may (RFC 7009). False where it wasn't good.

        A suspended token is revoked too, an expired one is left as it is.
        """
        token_id = verify.identify(secret, self._store)
        if token_id is None:
            return False
        now = self._clock.now()
        revoked = self._store.write(
            lambda at: change.strike(at, at.entries((token_id,)), None, now)
        )
        return bool(revoked)

    def use(self, uses: Sequence[Use]) -> None:
        """Remember when tokens were last used; each at most once a minute, whatever is told."""
        self._store.use(uses)

    def add_user(
        self,
        username: str,
        *,
        email: str | None = None,
        restricted: bool = False,
        role: Role | None = None,
    ) -> User:
        """A new user, as `Administration.add`."""
        return self.admin.add(username, email=email, restricted=restricted, role=role)

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
        drafted = (issue.draft(Wanted(), None, self.policy, now),)

        def make(at: Transaction) -> Issued:
            owner = at.first_admin() if user is None else at.user(user)
            if owner is None:
                raise PatqlError(
                    Code.NOT_FOUND,
                    f"there is no user {user!r}" if user else "there is no admin",
                )
            name = owner.username
            return issue.create(
                at, name, drafted, None, self.policy, now, "token_recover"
            )[0]

        return self._store.write(make)

    def events(
        self, user: str | None = None, *, after: int = 0, limit: int = _EVENTS
    ) -> tuple[Event, ...]:
        """Audit lines about a user, or about all: at most `limit` with ids greater than `after`, oldest first."""
        return self._store.events(user, after, limit)

    def token_events(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of what happened to a user's tokens: created, renamed, revoked.

        Raises:
            InvalidRequestError: as `page`.
        """
        if listing.where is not None:
            check_size(listing.where)
        return self._store.about_tokens(user, listing)

    def token_event(self, user: str, event_id: int) -> Event | None:
        """The one of these with that id; None where there is none."""
        event = self._store.event(event_id)
        if event is None or event.user != user or event.action not in TOKEN_ACTIONS:
            return None
        return event

    def together(self) -> AbstractContextManager[None]:
        """Changes that this thread makes inside become durable together, at the end, and none before.

        Their methods return before; who is told of them only afterwards is told the truth. What the end raises,
        PatqlError UNAVAILABLE where the store can't be used, says that nothing of any of them was kept; UndoneError
        that each is still to be made by itself, since one failed midway.
        """
        return self._store.together()

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

    def _once(
        self,
        make: Callable[[Transaction], T],
        asked: Replay | None,
        kind: type[T],
        acting: Granted | None,
    ) -> T:
        """Run a change, unless it is one that was run not long ago."""
        if asked is None:
            return self._store.write(make)
        now = self._clock.now()

        def answered(at: Transaction) -> bytes:
            acts.check(at, acting, now)
            return replay.answer(at, asked, now, lambda: replay.encode(make(at)))

        return replay.decode(self._store.write(answered), kind)
