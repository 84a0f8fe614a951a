"""The questions to the database, each over one connection, which belongs to one thread at a time."""

import math
from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Any

from psycopg.abc import Params

from patql.authority.chain import Line
from patql.authority.model import Entry, Event, Role, Token, User
from patql.authority.ports import Record
from patql.store.postgres.connection import Connection

ACTIVE = "revoked_at IS NULL AND disabled_at IS NULL AND (expiry IS NULL OR expiry > %(now)s)"
"""The tokens that exist for their owner, at `now` seconds since the epoch, rounded down."""

TOKEN = "id, handle, label, scopes, created, expiry"  # noqa: S105  (columns, in the order of model.Token)
RECORD = "digest, id, uid, username, scopes, expiry, revoked_at, disabled_at"
"""Columns, in the order of ports.Record."""

USER = "uid, username, email, restricted, role, created, suspended_at, removed_at"
EVENT = (
    "id, at, action, username, token_id, actor, actor_token, detail, writer, sequence"
)
ENTRY = (
    "id, token.handle, label, scopes, created, expiry, username, parent, revoked_at, disabled_at,"
    " at, address"
)
"""Columns, in the order that `as_entry` takes."""

ENTRIES = "token LEFT JOIN token_use ON token_use.handle = token.handle"
_FIND = f"SELECT {RECORD} FROM token WHERE handle = %s"
LARGEST = 2**63 - 1
"""Of the integers that the database holds."""

_LINES = 2000  # of the audit, read at once

Row = tuple[Any, ...]


class Queries:
    """Reads; whatever PostgreSQL raises comes out as it is."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def rows(self, query: str, values: Params = ()) -> list[Row]:
        """A query's rows."""
        return self.connection.execute(query.encode(), values, binary=True).fetchall()

    def row(self, query: str, values: Params = ()) -> Row | None:
        """A query's first row."""
        return self.connection.execute(query.encode(), values, binary=True).fetchone()

    def value(self, query: str, values: Params = ()) -> int:
        """A query's only value."""
        row = self.row(query, values)
        return int(row[0]) if row else 0

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        row = self.row(_FIND, (handle,))
        return None if row is None else Record(*row)

    def user(self, username: str) -> User | None:
        """The user of that name."""
        return self._user(username)

    def first_admin(self) -> User | None:
        """The active admin with the smallest uid."""
        row = self.row(
            f"SELECT {USER} FROM users WHERE role = %s AND suspended_at IS NULL"
            " AND removed_at IS NULL ORDER BY uid LIMIT 1",
            (Role.ADMIN.value,),
        )
        return None if row is None else as_user(row)

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        return self.row("SELECT 1 FROM users LIMIT 1") is None

    def token(self, user: str, token_id: int, now: float) -> Token | None:
        """The user's active token of that id."""
        if "\0" in user or abs(token_id) > LARGEST:
            return None
        row = self.row(
            f"SELECT {TOKEN} FROM token WHERE id = %(id)s AND username = %(user)s AND {ACTIVE}",
            {"id": token_id, "user": user, "now": math.floor(now)},
        )
        return None if row is None else Token(*row)

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        if abs(token_id) > LARGEST:
            return None
        row = self.row(f"SELECT {ENTRY} FROM {ENTRIES} WHERE id = %s", (token_id,))
        return None if row is None else as_entry(row)

    def entries_by_handle(self, handles: Sequence[str]) -> list[Entry]:
        """The tokens with those handles, by id."""
        query = f"SELECT {ENTRY} FROM {ENTRIES} WHERE token.handle = ANY(%s::text[]) ORDER BY id"
        return list(map(as_entry, self.rows(query, (list(handles),))))

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        if user is not None and "\0" in user:
            return ()
        about = "" if user is None else "username = %(user)s AND"
        rows = self.rows(
            f"SELECT {EVENT} FROM event WHERE {about} id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"user": user, "after": after, "limit": limit},
        )
        return tuple(starmap(Event, rows))

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        if abs(event_id) > LARGEST:
            return None
        row = self.row(f"SELECT {EVENT} FROM event WHERE id = %s", (event_id,))
        return None if row is None else Event(*row)

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        for (heads,) in self.rows("SELECT heads FROM event WHERE heads IS NOT NULL"):
            yield heads

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        query = (
            f"SELECT {EVENT}, previous, heads, hash FROM event"
            " WHERE (writer, sequence) > (%s, %s) ORDER BY writer, sequence LIMIT %s"
        )
        writer, sequence = "", 0
        with self.connection.transaction():
            while rows := self.rows(query, (writer, sequence, _LINES)):
                for *event, previous, heads, digest in rows:
                    yield Line(Event(*event), previous, heads, digest)
                *_, writer, sequence, _, _, _ = rows[-1]

    def _user(self, username: str, lock: str = "") -> User | None:
        if "\0" in username:
            return None
        row = self.row(
            f"SELECT {USER} FROM users WHERE username = %s {lock}", (username,)
        )
        return None if row is None else as_user(row)


def as_entry(row: Row) -> Entry:
    """A row of all columns of an entry."""
    return Entry(Token(*row[:6]), *row[6:])


def as_event(row: Row) -> Event:
    """A row of all columns of an event."""
    return Event(*row)


def as_user(row: Row) -> User:
    """A row of `USER`."""
    uid, username, email, restricted, role, *instants = row
    return User(uid, username, email, restricted, Role(role), *instants)
