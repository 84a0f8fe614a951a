"""Stretches of lists, each read in one snapshot."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from itertools import starmap
from typing import TypeVar

import msgspec

from patql.authority.listing import Condition, Field, Listing, Page, Stretch
from patql.authority.model import TOKEN_ACTIONS, Entry, Event, Token, User
from patql.store import anchors, conditions
from patql.store.anchors import Anchors, Memory
from patql.store.conditions import Dialect
from patql.store.postgres import dialect
from patql.store.postgres.connection import Connection
from patql.store.postgres.queries import (
    ACTIVE,
    ENTRIES,
    ENTRY,
    EVENT,
    LARGEST,
    TOKEN,
    USER,
    Queries,
    Row,
    as_entry,
    as_event,
    as_user,
)

T = TypeVar("T")

_VERSION = "SELECT coalesce(sum(changes), 0)::bigint FROM change WHERE username = %s"
_CHANGES_OF_ALL = ""  # no user's name
_ACTIVE = "uid = %s AND " + ACTIVE.replace("%(now)s", "%s")
_ABOUT_TOKENS = f"username = %s AND action IN {TOKEN_ACTIONS}"
_MINE = "uid = (SELECT uid FROM users WHERE username = %s)"

Value = int | str


class _List(msgspec.Struct, frozen=True):
    """Some rows of a table, by their ids.

    Attributes:
        table: its name.
        where: which rows.
        values: what is bound in `where`.
        key: what the list is known by at any instant.
        id: the column of their ids.
        until: the instant from which they may be others, though nothing changes.
        source: where the columns come from, if not from the table alone.
    """

    table: str
    where: str
    values: tuple[Value, ...]
    key: bytes
    id: str = "id"
    until: str = "NULL"
    source: str = ""

    @property
    def matching(self) -> str:
        """`FROM … WHERE …`."""
        return f"FROM {self.source or self.table} WHERE {self.where}"


class Lists(Queries):
    """Reads of lists; a memory keeps where their stretches begin."""

    def __init__(self, connection: Connection, memory: Memory) -> None:
        super().__init__(connection)
        self._memory = memory

    def page(self, user: str, listing: Listing, now: float) -> Page:
        """A stretch of the user's active tokens; an unknown user has none."""
        if "\0" in user:
            return Page((), 0, "0-0")
        with self._snapshot(user) as version:
            row = self.row("SELECT uid FROM users WHERE username = %s", (user,))
            if row is None:
                return Page((), 0, "0-0")
            bound = (row[0], math.floor(now))
            every = _active(bound, None)
            whole = self._anchors(every, version, now)
            told = f"{version}-{whole.count}"
            rows, results = self._listed(
                _active(bound, listing.where),
                TOKEN,
                listing,
                dialect.TOKENS,
                version,
                now,
            )
        return Page(tuple(starmap(Token, rows)), results, told)

    def about_tokens(self, user: str, listing: Listing) -> Stretch[Event]:
        """A stretch of the audit lines about a user's tokens, of `model.TOKEN_ACTIONS` alone."""
        if "\0" in user:
            return Stretch((), 0, "0")
        lines = _where(
            "event", _ABOUT_TOKENS, (user,), listing.where, dialect.EVENTS, (user,)
        )
        with self._snapshot(user) as version:
            rows, results = self._listed(
                lines, EVENT, listing, dialect.EVENTS, version, 0
            )
        return Stretch(tuple(map(as_event, rows)), results, str(version))

    def users(self, offset: int, limit: int) -> Stretch[User]:
        """A stretch of all users, by uid."""
        everybody = _List("users", "TRUE", (), b"users", id="uid")
        return self._all(everybody, USER, None, offset, limit, as_user)

    def entries_of(self, user: str | None, offset: int, limit: int) -> Stretch[Entry]:
        """A stretch of the tokens of a user, or of all, in whatever state, by id."""
        tokens = _about(user, "token", _MINE, source=ENTRIES)
        return self._all(tokens, ENTRY, user, offset, limit, as_entry)

    def latest(self, user: str | None, offset: int, limit: int) -> Stretch[Event]:
        """A stretch of the audit lines about a user, or about all, newest first."""
        lines = _about(user, "event", "username = %s")
        return self._all(lines, EVENT, user, offset, limit, as_event, descending=True)

    @contextmanager
    def _snapshot(self, user: str | None) -> Generator[int]:
        """Several reads that see the same; gives the number of the last change of a user, or of all."""
        with self.connection.transaction():
            yield self.value(_VERSION, (user or _CHANGES_OF_ALL,))

    def _all(
        self,
        rows_of: _List,
        columns: str,
        user: str | None,
        offset: int,
        limit: int,
        made: Callable[[Row], T],
        *,
        descending: bool = False,
    ) -> Stretch[T]:
        if user is not None and "\0" in user:
            return Stretch((), 0, "0")
        listing = Listing(limit=limit, offset=offset, descending=descending)
        with self._snapshot(user) as version:
            known = self._anchors(rows_of, version, 0)
            rows = self._by_id(rows_of, columns, known, listing)
        return Stretch(tuple(map(made, rows)), known.count, str(version))

    def _listed(
        self,
        rows_of: _List,
        columns: str,
        listing: Listing,
        said: Dialect,
        version: int,
        now: float,
    ) -> tuple[list[Row], int]:
        """The rows of a stretch in its order, and how many there are in all."""
        if listing.order is Field.ID:
            known = self._anchors(rows_of, version, now)
            return self._by_id(rows_of, columns, known, listing), known.count
        results = self.value(f"SELECT count(*) {rows_of.matching}", rows_of.values)
        order = conditions.order(listing, said)
        stretch = (min(listing.limit, LARGEST), min(listing.offset, LARGEST))
        rows = self.rows(
            f"SELECT {columns} {rows_of.matching} ORDER BY {order} LIMIT %s OFFSET %s",
            (*rows_of.values, *stretch),
        )
        return rows, results

    def _anchors(self, rows_of: _List, version: int, now: float) -> Anchors:
        known = self._memory.get(rows_of.key, version, now)
        if known is not None:
            return known
        matching = f"FROM {rows_of.table} WHERE {rows_of.where}"
        row = self.row(f"SELECT count(*), {rows_of.until} {matching}", rows_of.values)
        count, until = row or (0, None)
        ids = list[int]()
        if count > anchors.STRETCH:
            places = f"row_number() OVER (ORDER BY {rows_of.id}) AS place"
            found = self.rows(
                f"SELECT {rows_of.id} FROM (SELECT {rows_of.id}, {places} {matching}) AS placed"
                f" WHERE mod(place, {anchors.STRETCH}) = 1 ORDER BY {rows_of.id}",
                rows_of.values,
            )
            ids = [one for (one,) in found]
        end = math.inf if until is None else until
        surveyed = Anchors(version, now, end, count, tuple(ids))
        return self._memory.keep(rows_of.key, surveyed)

    def _by_id(
        self, rows_of: _List, columns: str, known: Anchors, listing: Listing
    ) -> list[Row]:
        """Rows by id, from the nearest anchor on."""
        descending = listing.descending
        first, skip, size = known.place(
            listing.offset, listing.limit, descending=descending
        )
        if size == 0:
            return []
        rows = self.rows(
            f"SELECT {columns} {rows_of.matching} AND {rows_of.id} >= %s"
            f" ORDER BY {rows_of.id} LIMIT %s OFFSET %s",
            (*rows_of.values, first, size, skip),
        )
        return rows[::-1] if descending else rows


def _about(user: str | None, table: str, mine: str, *, source: str = "") -> _List:
    """The rows of a table about a user, or all."""
    if user is None:
        return _List(table, "TRUE", (), table.encode(), source=source)
    return _List(table, mine, (user,), _digest(table, user), source=source)


def _active(bound: tuple[int, int], where: Condition | None) -> _List:
    """The tokens of a uid that are active at an instant, and meet a condition."""
    matching = _where("token", _ACTIVE, bound, where, dialect.TOKENS, bound[:1])
    return msgspec.structs.replace(matching, until="min(expiry)")


def _where(
    table: str,
    rows: str,
    bound: tuple[Value, ...],
    where: Condition | None,
    said: Dialect,
    key: tuple[Value, ...],
) -> _List:
    """Some rows of a table that meet a condition; `key` is what the rows without it are known by."""
    values = list[Value]()

    def bind(value: Value) -> str:
        values.append(value)
        return "%s"

    if where is not None:
        rows += f" AND {conditions.where(where, bind, said)}"
    told = _digest(table, rows, key, values)
    return _List(table, rows, (*bound, *values), told)


def _digest(*parts: object) -> bytes:
    """A key that stays short, however long a condition is."""
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
