"""Tokens in a PostgreSQL database, for any number of processes on any number of machines."""

import asyncio
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from patql.authority.chain import Line
from patql.authority.listing import Listing, Page, Stretch
from patql.authority.model import Entry, Event, Token, Use, User
from patql.authority.ports import Record, Transaction
from patql.store.anchors import Memory
from patql.store.postgres import schema
from patql.store.postgres.connection import LONG, PATIENCE, Address, Pool, connect
from patql.store.postgres.failures import OUTSIDE, fail, translated
from patql.store.postgres.lane import Lane
from patql.store.postgres.lists import Lists
from patql.store.postgres.queries import Queries
from patql.store.postgres.session import PostgresSession
from patql.store.postgres.transaction import PostgresTransaction
from patql.store.postgres.uses import keep as keep_uses
from patql.store.writer import Writer

T = TypeVar("T")


class PostgresStore:
    """A TokenStore over one PostgreSQL database, always at its primary.

    Threads share a pool of connections for reading, changes one more, and each event loop has one for verifications. A
    store must not be used in a process that was forked after it was opened: open one there.

    Args:
        url: where the database is, as libpq takes it; it must exist.
        make: whether to make the schema where there is none.

    Raises:
        PatqlError: USAGE for a URL that can't be read, SCHEMA where the schema isn't this version's, UNAVAILABLE where
            the database can't be reached, or there is no schema.
    """

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._address = Address(url)
        self._name = self._address.name
        self._pool = Pool(self._address)
        self._memory = Memory()
        self._lanes = dict[asyncio.AbstractEventLoop, Lane]()
        try:
            with translated(self._name):
                self._writer = self._open_writer(make=make)
        except BaseException:
            self._pool.close()
            raise

    inline = False

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        return self._read(lambda at: at.find(handle))

    async def find_async(self, handle: str) -> Record | None:
        """The same, together with all that are asked for at the same moment."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop) or self._open_lane(loop)
        try:
            return await lane.find(handle)
        except OUTSIDE as error:
            fail(error, self._name)

    def user(self, username: str) -> User | None:
        """The user of that name."""
        return self._read(lambda at: at.user(username))

    def owner(self, username: str) -> User | None:
        """The user of that name."""
        return self.user(username)

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        return self._read(lambda at: at.is_empty())

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        return self._read(lambda at: at.token(user, token_id, now))

    def page(self, user: str, listing: Listing, now: float) -> Page:
        """A stretch of the user's active tokens, read in one snapshot."""
        return self._read(lambda at: at.page(user, listing, now), LONG)

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        return self._read(lambda at: at.events(user, after, limit), LONG)

    def latest(self, user: str | None, offset: int, limit: int) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        return self._read(lambda at: at.latest(user, offset, limit), LONG)

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone."""
        return self._read(lambda at: at.about_tokens(user, listing), LONG)

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        return self._read(lambda at: at.event(event_id))

    def users(self, offset: int, limit: int) -> Stretch[User]:
        """A stretch of all users, by uid."""
        return self._read(lambda at: at.users(offset, limit), LONG)

    def entries(self, user: str | None, offset: int, limit: int) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        return self._read(lambda at: at.entries_of(user, offset, limit), LONG)

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        return self._read(lambda at: at.entry(token_id))

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        return self._all(lambda at: at.named_heads())

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        return self._all(lambda at: at.lines())

    def use(self, uses: Sequence[Use]) -> None:
        """Remember when tokens were last used, each at most once a minute, without waiting for another's change."""
        self._read(lambda at: keep_uses(at, uses))

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change as one transaction, together with those of other threads that wait."""
        with translated(self._name):
            return self._writer.run(change)

    @contextmanager
    def together(self) -> Generator[None]:
        """Changes that this thread writes inside are one transaction, which ends with the block."""
        with translated(self._name), self._writer.together():
            yield

    def close(self) -> None:
        """Close every connection."""
        for lane in tuple(self._lanes.values()):
            lane.close()
        self._lanes.clear()
        with translated(self._name):
            self._writer.close()
            self._pool.close()

    def _open_writer(self, *, make: bool) -> Writer[PostgresTransaction]:
        address = self._address
        if make and self._pool.run(lambda c: schema.version(c, address)) == 0:
            schema.migrate(address)
        self._pool.run(lambda c: schema.check(c, address))
        return Writer(PostgresSession.open(address))

    def _read(self, ask: Callable[[Lists], T], patience: float = PATIENCE) -> T:
        with translated(self._name):
            return self._pool.run(lambda c: ask(Lists(c, self._memory)), patience)

    def _all(self, ask: Callable[[Queries], Iterator[T]]) -> Iterator[T]:
        """What may take long, over a connection of its own."""
        with translated(self._name), connect(self._address) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.patience = None
            yield from ask(Queries(connection))

    def _open_lane(self, loop: asyncio.AbstractEventLoop) -> Lane:
        for other in [known for known in self._lanes if known.is_closed()]:
            self._lanes.pop(other).close()
        self._lanes[loop] = lane = Lane(self._address, loop)
        return lane
