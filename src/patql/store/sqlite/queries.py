"""The questions to the database, each over one connection, which belongs to one thread at a time."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import starmap
from typing import Any

import apsw
import msgspec

from patql.authority.chain import Line
from patql.authority.listing import Listing, Stretch
from patql.authority.model import TOKEN_ACTIONS, Entry, Event, Role, Token, User
from patql.authority.ports import Record
from patql.store import conditions
from patql.store.sqlite import dialect
from patql.store.sqlite.counter import is_whole

ACTIVE = (
    "revoked_at IS NULL AND disabled_at IS NULL AND (expiry IS NULL OR expiry > :now)"
)
"""The tokens that exist for their owner, at `:now` seconds since the epoch."""

TOKEN = "id, handle, label, scopes, created, expiry"  # noqa: S105  (columns, in the order of model.Token)

_FIND = (
    "SELECT digest, id, uid, username, scopes, expiry, revoked_at, disabled_at"
    " FROM token WHERE handle = ?"
)
ENTRY = (
    "SELECT id, handle, label, scopes, created, expiry, username, parent, revoked_at, disabled_at,"
    " at, address FROM token LEFT JOIN token_use USING (handle)"
)
_USER = "SELECT uid, username, email, restricted, role, created, suspended_at, removed_at FROM user"
_EVENT = (
    "SELECT id, at, action, username, token_id, actor, actor_token, detail, writer, sequence"
    " FROM event"
)
# Whatever else happens to a user is rare, and has an index of its own: so one of all lines tells where a page begins.
_ABOUT_TOKENS = (
    "FROM event WHERE username = ? AND id NOT IN"
    f" (SELECT id FROM event WHERE username = ? AND action NOT IN {TOKEN_ACTIONS})"
)
_LAST_ABOUT = "SELECT coalesce(max(id), 0) FROM event WHERE username = ?"
_NAMED = f"{_USER} WHERE username = ?"
_LARGEST = 2**63 - 1
_RECORDS = 10_000  # tokens that are kept while nothing changes
_OWNERS = 1024  # users that are kept while nothing changes


class Queries:
    """Reads; whatever SQLite raises comes out as it is.

    Each statement is read to its end at once: an open one would keep its snapshot, and the next would see the past.
    """

    def __init__(
        self, connection: apsw.Connection, counter: Callable[[], bytes] = bytes
    ) -> None:
        self.connection = connection
        self._count = counter
        self._counted: bytes | None = None
        self._records = dict[str, Record]()
        self._find = connection.cursor().execute
        self._users = connection.cursor()
        self._owners = dict[str, User]()
        self._owners_version = -1

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state.

        A row that was read is good for as long as the database's change counter is what it was before and after that:
        the read would begin by finding it unchanged.
        """
        counted = self._count()
        if counted == self._counted:
            record = self._records.get(handle)
            if record is not None:
                return record
        row = self._find(_FIND, (handle,)).get
        if row is None:
            return None
        record = Record(*row)
        if is_whole(counted) and self._count() == counted:
            self._keep(counted, record, handle)
        return record

    def _keep(self, counted: bytes, record: Record, handle: str) -> None:
        if counted != self._counted or len(self._records) >= _RECORDS:
            self._counted = counted
            self._records.clear()
        self._records[handle] = record

    def user(self, username: str) -> User | None:
        """The user of that name."""
        return _user(self._users.execute(_NAMED, (username,)).get)

    def owner(self, username: str) -> User | None:
        """The user of that name, at least as of this connection's last read.

        SQLite counts the data version up where a read finds that anything has changed. So as long as it is the same,
        the last read saw the very database that a user was read from before.
        """
        version = self.connection.data_version()
        if version != self._owners_version or len(self._owners) >= _OWNERS:
            self._owners.clear()
            self._owners_version = version
        owner = self._owners.get(username)
        if owner is None:
            owner = self.user(username)
            if owner is not None and self.connection.data_version() == version:
                self._owners[username] = owner
        return owner

    def first_admin(self) -> User | None:
        """The active admin with the smallest uid."""
        query = (
            f"{_USER} WHERE role = ? AND suspended_at IS NULL AND removed_at IS NULL"
            " ORDER BY uid LIMIT 1"
        )
        return _user(self.connection.execute(query, (Role.ADMIN.value,)).get)

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        return self.connection.execute("SELECT 1 FROM user LIMIT 1").get is None

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        if abs(token_id) > _LARGEST:
            return None
        query = f"SELECT {TOKEN} FROM token WHERE id = :id AND username = :user AND {ACTIVE}"
        row = self.connection.execute(
            query, {"id": token_id, "user": user, "now": now}
        ).get
        return None if row is None else Token(*row)

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        about = "" if user is None else "username = :user AND"
        query = f"{_EVENT} WHERE {about} id > :after ORDER BY id LIMIT :limit"
        bound = {"user": user, "after": after, "limit": limit}
        rows = self.connection.execute(query, bound).fetchall()
        return tuple(starmap(Event, rows))

    def latest(self, user: str | None, offset: int, limit: int) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        with self._snapshot() as last_event:
            # Lines are numbered without gaps, and never deleted.
            results, where, skip = last_event, "id <= :last - :offset", 0
            if user is not None:
                query = "SELECT count(*) FROM event WHERE username = ?"
                results = self.connection.execute(query, (user,)).get
                where, skip = "username = :user", offset
            rows = self.connection.execute(
                f"{_EVENT} WHERE {where} ORDER BY id DESC LIMIT :limit OFFSET :skip",
                {
                    "user": user,
                    "last": last_event,
                    "offset": offset,
                    "limit": limit,
                    "skip": skip,
                },
            ).fetchall()
        return Stretch(tuple(starmap(Event, rows)), results, str(last_event))

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone."""
        values: list[int | str] = [user, user]

        def bind(value: int | str) -> str:
            values.append(value)
            return "?"

        matching = _ABOUT_TOKENS
        if listing.where is not None:
            condition = conditions.where(listing.where, bind, dialect.EVENTS)
            matching += f" AND {condition}"
        order = conditions.order(listing, dialect.EVENTS)
        with self._snapshot():
            last = self.connection.execute(_LAST_ABOUT, (user,)).get
            results = self.connection.execute(f"SELECT count(*) {matching}", values).get
            rows = self.connection.execute(
                f"{_EVENT.replace(' FROM event', '')} {matching} ORDER BY {order} LIMIT ? OFFSET ?",
                [*values, listing.limit, listing.offset],
            ).fetchall()
        return Stretch(tuple(starmap(Event, rows)), results, str(last))

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        if abs(event_id) > _LARGEST:
            return None
        row = self.connection.execute(f"{_EVENT} WHERE id = ?", (event_id,)).get
        return None if row is None else Event(*row)

    def users(self, offset: int, limit: int) -> Stretch[User]:
        """A stretch of all users, by uid."""
        with self._snapshot() as last_event:
            results = self.connection.execute("SELECT count(*) FROM user").get
            query = f"{_USER} ORDER BY uid LIMIT ? OFFSET ?"
            rows = self.connection.execute(query, (limit, offset)).fetchall()
        return Stretch(tuple(map(_as_user, rows)), results, str(last_event))

    def entries_of(self, user: str | None, offset: int, limit: int) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        with self._snapshot() as last_event:
            # Tokens are numbered without gaps, and never deleted.
            count, where = "coalesce(max(id), 0) FROM token", "id > :offset"
            skip = 0
            if user is not None:
                mine = "uid = (SELECT uid FROM user WHERE username = :user)"
                count, where, skip = f"count(*) FROM token WHERE {mine}", mine, offset
            bound = {"user": user, "offset": offset, "limit": limit, "skip": skip}
            results = self.connection.execute(f"SELECT {count}", bound).get
            rows = self.connection.execute(
                f"{ENTRY} WHERE {where} ORDER BY id LIMIT :limit OFFSET :skip", bound
            ).fetchall()
        entries = tuple(map(as_entry, rows))
        return Stretch(entries, results, str(last_event))

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        if abs(token_id) > _LARGEST:
            return None
        row = self.connection.execute(f"{ENTRY} WHERE id = ?", (token_id,)).get
        return None if row is None else as_entry(row)

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        query = "SELECT heads FROM event WHERE heads IS NOT NULL"
        for (heads,) in self.connection.execute(query):
            yield heads

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        columns = _EVENT.replace(" FROM", ", previous, heads, hash FROM")
        query = f"{columns} ORDER BY writer, sequence"
        for *event, previous, heads, digest in self.connection.execute(query):
            yield Line(Event(*event), previous, heads, digest)

    @contextmanager
    def _snapshot(self) -> Generator[int]:
        """Several reads that see the same; gives the number of the last audit line, which every change writes."""
        try:
            self.connection.execute("BEGIN")
            query = "SELECT coalesce(max(id), 0) FROM event"
            yield int(self.connection.execute(query).get)
        finally:
            # Left open, it would show the past to whatever this thread reads next. A failing disk may have ended it.
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")


def as_list(token_ids: Iterable[int]) -> str:
    """Ids as SQLite's json_each takes them; what no id can be is left out."""
    possible = [one for one in token_ids if abs(one) <= _LARGEST]
    return msgspec.json.encode(possible).decode()


def as_entry(row: tuple[Any, ...]) -> Entry:
    """A row of `ENTRY`."""
    return Entry(Token(*row[:6]), *row[6:])


def _user(row: tuple[Any, ...] | None) -> User | None:
    return None if row is None else _as_user(row)


def _as_user(row: tuple[Any, ...]) -> User:
    uid, username, email, restricted, role, *instants = row
    return User(uid, username, email, bool(restricted), Role(role), *instants)
