"""The questions to the database, each over one connection, which belongs to one thread at a time."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap
from typing import Any, TypeVar

from psycopg.abc import Params

from patql.authority.chain import Line
from patql.authority.listing import Field, Listing, Page, Stretch
from patql.authority.model import TOKEN_ACTIONS, Entry, Event, Role, Token, User
from patql.authority.ports import Record
from patql.store import anchors as places
from patql.store import conditions
from patql.store.anchors import Anchors, Memory
from patql.store.conditions import Dialect
from patql.store.postgres import dialect
from patql.store.postgres.connection import Connection

ACTIVE = "revoked_at IS NULL AND disabled_at IS NULL AND (expiry IS NULL OR expiry > %(now)s)"
"""The tokens that exist for their owner, at `now` seconds since the epoch, rounded down."""

TOKEN = "id, handle, label, scopes, created, expiry"  # noqa: S105  (columns, in the order of model.Token)
RECORD = "digest, id, uid, username, scopes, expiry, revoked_at, disabled_at"
"""Columns, in the order of ports.Record."""

USER = "uid, username, email, restricted, role, created, suspended_at, removed_at"
_EVENT = (
    "id, at, action, username, token_id, actor, actor_token, detail, writer, sequence"
)
_ENTRY = (
    "id, token.handle, label, scopes, created, expiry, username, parent, revoked_at, disabled_at,"
    " at, address"
)
_ENTRIES = "token LEFT JOIN token_use ON token_use.handle = token.handle"
_FIND = f"SELECT {RECORD} FROM token WHERE handle = %s"
_VERSION = "SELECT coalesce(sum(changes), 0)::bigint FROM change WHERE username = %s"
_CHANGES_OF_ALL = ""  # no user's name
_LARGEST = 2**63 - 1
_LINES = 2000  # of the audit, read at once

Row = tuple[Any, ...]
T = TypeVar("T")


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
        if "\0" in user or abs(token_id) > _LARGEST:
            return None
        row = self.row(
            f"SELECT {TOKEN} FROM token WHERE id = %(id)s AND username = %(user)s AND {ACTIVE}",
            {"id": token_id, "user": user, "now": math.floor(now)},
        )
        return None if row is None else Token(*row)

    def page(self, user: str, listing: Listing, now: float, memory: Memory) -> Page:
        """A stretch of the user's active tokens, read in one snapshot; an unknown user has none."""
        if "\0" in user:
            return Page((), 0, "0-0")
        with self._snapshot(user) as version:
            row = self.row("SELECT uid FROM users WHERE username = %s", (user,))
            if row is None:
                return Page((), 0, "0-0")
            mine = _List("token", "id", f"uid = %(uid)s AND {ACTIVE}", "min(expiry)")
            bound = {"uid": row[0], "now": math.floor(now)}
            key = ("active", row[0])
            anchors = self._anchors(mine, bound, key, version, now, memory)
            told = f"{version}-{anchors.count}"
            if listing.where is None and listing.order is Field.ID:
                rows = self._stretch(
                    mine,
                    TOKEN,
                    bound,
                    anchors,
                    listing.offset,
                    listing.limit,
                    descending=listing.descending,
                )
                return Page(tuple(starmap(Token, rows)), anchors.count, told)
            where = mine.where % {"uid": "%s", "now": "%s"}
            values: list[int | str] = [bound["uid"], bound["now"]]
            found, results = self._matching(
                TOKEN, f"token WHERE {where}", values, listing, dialect.TOKENS
            )
        return Page(tuple(starmap(Token, found)), results, told)

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone."""
        if "\0" in user:
            return Stretch((), 0, "0")
        with self._snapshot(user) as version:
            values: list[int | str] = [user, *TOKEN_ACTIONS]
            places = ", ".join(["%s"] * len(TOKEN_ACTIONS))
            rows, results = self._matching(
                _EVENT,
                f"event WHERE username = %s AND action IN ({places})",
                values,
                listing,
                dialect.EVENTS,
            )
        return Stretch(tuple(starmap(Event, rows)), results, str(version))

    def users(self, offset: int, limit: int, memory: Memory) -> Stretch[User]:
        """A stretch of all users, by uid."""
        everybody = _List("users", "uid", "TRUE")
        return self._listed(
            everybody, USER, None, offset, limit, memory, as_user, descending=False
        )

    def entries_of(
        self, user: str | None, offset: int, limit: int, memory: Memory
    ) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        mine = "uid = (SELECT uid FROM users WHERE username = %(user)s)"
        tokens = _List("token", "id", "TRUE" if user is None else mine, source=_ENTRIES)
        return self._listed(
            tokens, _ENTRY, user, offset, limit, memory, as_entry, descending=False
        )

    def latest(
        self, user: str | None, offset: int, limit: int, memory: Memory
    ) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        about = "TRUE" if user is None else "username = %(user)s"
        lines = _List("event", "id", about)
        return self._listed(
            lines, _EVENT, user, offset, limit, memory, as_event, descending=True
        )

    def entry(self, token_id: int) -> Entry | None:
        """The token of that id, in whatever state."""
        if abs(token_id) > _LARGEST:
            return None
        row = self.row(f"SELECT {_ENTRY} FROM {_ENTRIES} WHERE id = %s", (token_id,))
        return None if row is None else as_entry(row)

    def entries_by_handle(self, handles: Sequence[str]) -> list[Entry]:
        """The tokens with those handles, by id."""
        query = f"SELECT {_ENTRY} FROM {_ENTRIES} WHERE token.handle = ANY(%s::text[]) ORDER BY id"
        return list(map(as_entry, self.rows(query, (list(handles),))))

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        if user is not None and "\0" in user:
            return ()
        about = "" if user is None else "username = %(user)s AND"
        rows = self.rows(
            f"SELECT {_EVENT} FROM event WHERE {about} id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"user": user, "after": after, "limit": limit},
        )
        return tuple(starmap(Event, rows))

    def event(self, event_id: int) -> Event | None:
        """The audit line of that id."""
        if abs(event_id) > _LARGEST:
            return None
        row = self.row(f"SELECT {_EVENT} FROM event WHERE id = %s", (event_id,))
        return None if row is None else Event(*row)

    def named_heads(self) -> Iterator[str]:
        """What the first lines of the audit's chains say of heads."""
        for (heads,) in self.rows("SELECT heads FROM event WHERE heads IS NOT NULL"):
            yield heads

    def lines(self) -> Iterator[Line]:
        """All lines of the audit as they are kept, by writer and number, in one snapshot."""
        query = (
            f"SELECT {_EVENT}, previous, heads, hash FROM event"
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

    @contextmanager
    def _snapshot(self, user: str | None) -> Generator[int]:
        """Several reads that see the same; gives the number of the last change of a user, or of all."""
        with self.connection.transaction():
            yield self.value(_VERSION, (user or _CHANGES_OF_ALL,))

    def _listed(
        self,
        rows_of: "_List",
        columns: str,
        user: str | None,
        offset: int,
        limit: int,
        memory: Memory,
        made: Callable[[Row], T],
        *,
        descending: bool,
    ) -> Stretch[T]:
        if user is not None and "\0" in user:
            return Stretch((), 0, "0")
        bound: dict[str, int | str | None] = {"user": user}
        with self._snapshot(user) as version:
            key = (rows_of.table, user)
            anchors = self._anchors(rows_of, bound, key, version, 0, memory)
            rows = self._stretch(
                rows_of, columns, bound, anchors, offset, limit, descending=descending
            )
        return Stretch(tuple(map(made, rows)), anchors.count, str(version))

    def _anchors(
        self,
        rows_of: "_List",
        bound: dict[str, Any],
        key: tuple[str, Any],
        version: int,
        now: float,
        memory: Memory,
    ) -> Anchors:
        known = memory.get(key, version, now)
        if known is not None:
            return known
        matching = f"FROM {rows_of.table} WHERE {rows_of.where}"
        row = self.row(f"SELECT count(*), {rows_of.until} {matching}", bound)
        count, until = row or (0, None)
        ids = list[int]()
        if count > places.STRETCH:
            numbered = f"SELECT {rows_of.id}, row_number() OVER (ORDER BY {rows_of.id}) AS place {matching}"
            found = self.rows(
                f"SELECT {rows_of.id} FROM ({numbered}) AS numbered"
                f" WHERE mod(place, {places.STRETCH}) = 1 ORDER BY {rows_of.id}",
                bound,
            )
            ids = [one for (one,) in found]
        end = math.inf if until is None else until
        return memory.keep(key, Anchors(version, now, end, count, tuple(ids)))

    def _stretch(
        self,
        rows_of: "_List",
        columns: str,
        bound: dict[str, Any],
        anchors: Anchors,
        offset: int,
        limit: int,
        *,
        descending: bool,
    ) -> list[Row]:
        first, skip, size = anchors.place(offset, limit, descending=descending)
        if size == 0:
            return []
        rows = self.rows(
            f"SELECT {columns} FROM {rows_of.source or rows_of.table}"
            f" WHERE {rows_of.where} AND {rows_of.id} >= %(first)s"
            f" ORDER BY {rows_of.id} LIMIT %(size)s OFFSET %(skip)s",
            bound | {"first": first, "size": size, "skip": skip},
        )
        return rows[::-1] if descending else rows

    def _matching(
        self,
        columns: str,
        matching: str,
        values: list[int | str],
        listing: Listing,
        said: Dialect,
    ) -> tuple[list[Row], int]:
        """Rows that meet a listing's condition, and how many do in all."""

        def bind(value: int | str) -> str:
            values.append(value)
            return "%s"

        if listing.where is not None:
            condition = conditions.where(listing.where, bind, said)
            matching += f" AND {condition}"
        results = self.value(f"SELECT count(*) FROM {matching}", values)
        order = conditions.order(listing, said)
        stretch = [min(listing.limit, _LARGEST), min(listing.offset, _LARGEST)]
        rows = self.rows(
            f"SELECT {columns} FROM {matching} ORDER BY {order} LIMIT %s OFFSET %s",
            [*values, *stretch],
        )
        return rows, results


class _List:
    """Rows in the order of their ids: of which table, which of them, and when the first ceases to be one.

    `source` is where its columns come from, if not from the table alone.
    """

    def __init__(
        self,
        table: str,
        id: str,  # noqa: A002  (the column's name)
        where: str,
        until: str = "NULL",
        source: str = "",
    ) -> None:
        self.table = table
        self.id = id
        self.where = where
        self.until = until
        self.source = source


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
