"""Tokens in a SQLite file, for one machine and any number of processes on it."""

import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from patql.authority.chain import Line
from patql.authority.listing import Listing, Page, Stretch
from patql.authority.model import Entry, Event, Token, Use, User
from patql.authority.ports import Record, Transaction
from patql.kernel.clock import Clock, SystemClock
from patql.store.sqlite import file, schema
from patql.store.sqlite.connection import connect, use_wal
from patql.store.sqlite.counter import Counter
from patql.store.sqlite.failures import OUTSIDE, fail, translated
from patql.store.sqlite.pages import Pages
from patql.store.sqlite.queries import Queries
from patql.store.sqlite.session import SqliteSession
from patql.store.writer import Writer

T = TypeVar("T")


class SqliteStore:
    """A TokenStore over one SQLite database in WAL mode.

    Each thread that reads has a connection of its own; changes share one. A store must not be used in a process that
    was forked after it was opened: open one there.

    Args:
        path: the file, made where it doesn't exist, for its owner alone; its folder must exist.
        timeout: how long to wait for another process that writes, in seconds.
        clock: where the present comes from.

    Raises:
        PatqlError: EXPOSED where others can read the file, SCHEMA where it is newer than this version of PatQL or
            something else's, UNAVAILABLE where it can't be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self._path = os.path.abspath(path)  # noqa: PTH100  (resolves no link, and `:memory:` is a file here too)
        self._timeout = timeout
        self._readers = weakref.WeakSet[apsw.Connection]()
        self._opening = threading.Lock()
        self._thread = _Thread()
        self._pages = Pages()
        file.ensure(Path(self._path))
        with translated(self._path):
            self._writer = Writer(SqliteSession(self._open_writer()))
            self._counter = Counter(self._path)
        self._file = file.Opened(self._path, clock or SystemClock())

    inline = True

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        self._file.check()
        try:  # here and for a user and a change, once for each request: `translated` costs as much as half a look
            return (self._thread.finds or self._open_reads()).find(handle)
        except OUTSIDE as error:
            fail(error, self._path)

    async def find_async(self, handle: str) -> Record | None:
        """The same: it waits for nothing but this machine's disk."""
        return self.find(handle)

    def user(self, username: str) -> User | None:
        """The user of that name."""
        try:
            return self._reads().user(username)
        except OUTSIDE as error:
            fail(error, self._path)

    def owner(self, username: str) -> User | None:
        """The user of that name, at least as of this thread's last read."""
        try:
            return self._reads().owner(username)
        except OUTSIDE as error:
            fail(error, self._path)

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        with translated(self._path):
            return self._reads().is_empty()

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        with translated(self._path):
            return self._reads().token(user, token_id, now)

    def page(self, user: str, listing: Listing, now: float) -> Page:
        """A stretch of the user's active tokens, read in one snapshot."""
        with translated(self._path):
            return self._pages.read(self._reads().connection, user, listing, now)

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        with translated(self._path):
            return self._reads().events(user, after, limit)

    def latest(self, user: str | None, offset: int, limit: int) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        with translated(self._path):
            return self._reads().latest(user, offset, limit)

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone."""
        with translated(self._path):
            return self._reads().about_tokens(user, listing)

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        with translated(self._path):
            return self._reads().event(event_id)

    def users(self, offset: int, limit: int) -> Stretch[User]:
        """A stretch of all users, by uid."""
        with translated(self._path):
            return self._reads().users(offset, limit)

    def entries(self, user: str | None, offset: int, limit: int) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        with translated(self._path):
            return self._reads().entries_of(user, offset, limit)

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        with translated(self._path):
            return self._reads().entry(token_id)

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        with translated(self._path):
            yield from self._reads().named_heads()

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        with translated(self._path):
            yield from self._reads().lines()

    def use(self, uses: Sequence[Use]) -> None:
        """Remember when tokens were last used, each at most once a minute."""
        with translated(self._path):
            self._writer.run(lambda at: at.use(uses))

    @contextmanager
    def together(self) -> Generator[None]:
        """Changes that this thread writes inside are one transaction, which ends with the block.

        So are the tokens that it finds: what one change has revoked isn't good for the next.
        """
        thread = self._thread
        self._file.check()
        with translated(self._path), self._writer.together():
            thread.finds = self._writer.session.transaction
            try:
                yield
            finally:
                thread.finds = thread.queries

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change as one transaction, together with those of other threads that wait."""
        self._file.check()
        try:
            return self._writer.run(change)
        except OUTSIDE as error:
            fail(error, self._path)

    def close(self) -> None:
        """Close every connection."""
        with translated(self._path):
            self._writer.close()
            with self._opening:
                for connection in tuple(self._readers):
                    connection.close()
                self._counter.close()

    def _reads(self) -> Queries:
        self._file.check()
        return self._thread.queries or self._open_reads()

    def _open_writer(self) -> apsw.Connection:
        connection = connect(self._path, self._timeout)
        try:
            schema.version(connection, self._path)  # before anything is written to it
            use_wal(connection, self._path)
            schema.migrate(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_reads(self) -> Queries:
        """This thread's connection; it goes with the thread, or with close()."""
        connection = connect(self._path, self._timeout)
        with self._opening:
            self._readers.add(connection)
        self._thread.queries = queries = Queries(connection, self._counter.read)
        if self._thread.finds is None:
            self._thread.finds = queries
        return queries


class _Thread(threading.local):
    queries: Queries | None = None
    finds: Queries | None = None
