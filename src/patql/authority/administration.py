"""What only an admin does: all users, all their tokens, the audit. Without an acting token the caller is trusted."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from patql.authority import acting as acts
from patql.authority import chain, change, users
from patql.authority.chain import Head, Report
from patql.authority.listing import Stretch
from patql.authority.model import Entry, Event, Granted, Role, User
from patql.authority.ports import TokenStore, Transaction
from patql.authority.text import check_username, text_problems
from patql.kernel.clock import Clock
from patql.kernel.errors import InvalidRequestError

T = TypeVar("T")


class Administration:
    """All users, all their tokens, and the audit.

    A change has happened, durably and for every process, when its method returns. Where `acting` is given it must be an
    admin's, which is checked inside the change's transaction; for what only reads, the caller checks
    (`acting.require_admin`).

    Every method raises PatqlError: UNAVAILABLE where the store can't be used. Those that change something also raise
    FORBIDDEN where the acting user isn't an admin, INVALID_TOKEN where the acting token isn't active any more, and
    INVALID where an authority would be left without an active admin.

    Args:
        store: where tokens are kept.
        clock: where the present comes from.
    """

    def __init__(self, store: TokenStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def now(self) -> float:
        """The present, by which tokens have expired or haven't, in seconds since the epoch."""
        return self._clock.now()

    def users(self, offset: int = 0, limit: int = 100) -> Stretch[User]:
        """A stretch of all users, by uid."""
        return self._store.users(offset, limit)

    def add(
        self,
        username: str,
        *,
        email: str | None = None,
        restricted: bool = False,
        role: Role | None = None,
        acting: Granted | None = None,
    ) -> User:
        """A new user; without a role an ordinary one, but the first of all is an admin.

        Raises:
            InvalidRequestError: where the name is empty or taken, or the first user is to be anything but an admin.
        """
        check_username(username)
        _check_email(email)

        def make(at: Transaction, now: float) -> User:
            return users.add(
                at,
                username,
                now=now,
                email=email or "",
                restricted=restricted,
                role=users.first_role(at, role),
                acting=acting,
            )

        return self._change(make, acting)

    def change(
        self,
        username: str,
        *,
        email: str | None = None,
        role: Role | None = None,
        suspended: bool | None = None,
        acting: Granted | None = None,
    ) -> User | None:
        """Give a user another email or role, suspend or resume them; what is None stays. None: there is no such user.

        When a suspension has returned, no verification that begins afterwards, in any process, accepts a token of
        theirs; resuming them makes their tokens good again.
        """
        _check_email(email)

        def make(at: Transaction, now: float) -> User | None:
            user = users.change(
                at, username, now=now, email=email, role=role, acting=acting
            )
            if suspended is None:
                return user
            alter = users.suspend if suspended else users.resume
            return alter(at, username, acting, now)

        return self._change(make, acting)

    def remove(self, username: str, *, acting: Granted | None = None) -> User | None:
        """Remove a user; their tokens are refused from then on. The name stays taken; the audit keeps all.

        None: there is no such user.
        """
        return self._change(
            lambda at, now: users.remove(at, username, acting, now), acting
        )

    def tokens(
        self, user: str | None = None, offset: int = 0, limit: int = 100
    ) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        return self._store.entries(user, offset, limit)

    def token(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state; None where there never was one."""
        return self._store.entry(token_id)

    def revoke(
        self,
        token_ids: Sequence[int],
        *,
        cascade: bool = False,
        acting: Granted | None = None,
    ) -> tuple[int, ...]:
        """Revoke anybody's tokens; the ids of those that were good until now, or suspended.

        Args:
            token_ids: which; ids of no token are passed over.
            cascade: also all tokens that were created with one of them, with one of those, and so on.
            acting: an admin's token.
        """

        def make(at: Transaction, now: float) -> tuple[int, ...]:
            found = at.entries(tuple(dict.fromkeys(token_ids)))
            return change.strike(at, found, acting, now, cascade=cascade)

        return self._change(make, acting)

    def events(
        self, user: str | None = None, offset: int = 0, limit: int = 100
    ) -> Stretch[Event]:
        """A stretch of the audit's lines about a user, or about all, newest first."""
        return self._store.latest(user, offset, limit)

    def event(self, event_id: int) -> Event | None:
        """The audit's line of that id; None where there is none."""
        return self._store.event(event_id)

    def examine(self, kept: Iterable[Head] = ()) -> Report:
        """Whether any line of the audit was altered, removed or moved since it was written.

        Args:
            kept: the heads of an earlier report, kept where nobody who writes the store reaches them: only by these
                it shows that lines were cut off a chain's end.
        """
        named = tuple(self._store.named_heads())
        return chain.examine(named, self._store.lines(), kept)

    def _change(
        self, make: Callable[[Transaction, float], T], acting: Granted | None
    ) -> T:
        now = self._clock.now()

        def run(at: Transaction) -> T:
            acts.check_admin(at, acting, now)
            return make(at, now)

        return self._store.write(run)


def _check_email(email: str | None) -> None:
    problems = text_problems(email or "", "email")
    if problems:
        raise InvalidRequestError(*problems)
