"""Pages of a user's tokens, each read in one snapshot."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from hashlib import sha256
from itertools import starmap

import apsw
import msgspec

from patql.authority.listing import Condition, Field, Listing, Page
from patql.authority.model import Token
from patql.store import anchors, conditions
from patql.store.anchors import Anchors, Memory
from patql.store.sqlite import dialect
from patql.store.sqlite.queries import ACTIVE, TOKEN

_MINE = f"FROM token INDEXED BY token_listing WHERE uid = :uid AND {ACTIVE}"
_LAST_EVENT = """
SELECT uid, (SELECT max(id) FROM event WHERE event.username = user.username)
FROM user WHERE username = ?
"""


class Pages:
    """Reads pages; shared by threads, each of which brings its own connection."""

    def __init__(self) -> None:
        self._memory = Memory()

    def read(
        self, connection: apsw.Connection, user: str, listing: Listing, now: float
    ) -> Page:
        """A stretch of the user's active tokens; an unknown user has none."""
        try:
            connection.execute("BEGIN")
            row = connection.execute(_LAST_EVENT, (user,)).get
            if row is None:
                return Page((), 0, "0-0")
            uid, event = row
            everything = _matching(None, uid, now)
            whole = self._anchors(connection, everything, event or 0, now)
            version = f"{whole.version}-{whole.count}"
            matching = _matching(listing.where, uid, now)
            if listing.order is not Field.ID:
                return _ordered(connection, matching, listing, version)
            known = whole
            if listing.where is not None:
                known = self._anchors(connection, matching, event or 0, now)
            tokens = _by_id(connection, matching, known, listing)
            return Page(tokens, known.count, version)
        finally:
            # Left open, it would show the past to whatever this thread reads next. A failing disk may have ended it.
            if connection.in_transaction:
                connection.execute("COMMIT")

    def _anchors(
        self, connection: apsw.Connection, matching: "_Matching", event: int, now: float
    ) -> Anchors:
        known = self._memory.get(matching.key, event, now)
        if known is not None:
            return known
        surveyed = _survey(connection, matching, event, now)
        return self._memory.keep(matching.key, surveyed)


class _Matching(msgspec.Struct, frozen=True):
    """The rows that meet a condition: `FROM … WHERE …`, and the values bound in it.

    They are bound by place: SQLite looks a name up among all others, which is slow for thousands of values.
    """

    rows: str
    values: list[int | float | str]

    @property
    def key(self) -> bytes:
        """What they are known by at any instant; a digest, since a condition may be long."""
        uid, _, *others = self.values
        return sha256(repr((self.rows, uid, others)).encode()).digest()


def _matching(where: Condition | None, uid: int, now: float) -> _Matching:
    values: list[int | float | str] = [uid, now]

    def bind(value: int | str) -> str:
        values.append(value)
        return "?"

    if where is None:
        return _Matching(_MINE, values)
    return _Matching(
        f"{_MINE} AND {conditions.where(where, bind, dialect.TOKENS)}", values
    )


def _survey(
    connection: apsw.Connection, matching: _Matching, event: int, now: float
) -> Anchors:
    rows, values = matching.rows, matching.values
    count, until = connection.execute(
        f"SELECT count(*), min(expiry) {rows}", values
    ).get
    ids = list[int]()
    if count > anchors.STRETCH:
        step = f"SELECT id {rows} AND id > ? ORDER BY id LIMIT 1 OFFSET ?"
        last, skip = 0, 0
        while (
            found := connection.execute(step, [*values, last, skip]).get
        ) is not None:
            ids.append(found)
            last, skip = found, anchors.STRETCH - 1
    end = float("inf") if until is None else until
    return Anchors(event, now, end, count, tuple(ids))


def _by_id(
    connection: apsw.Connection, matching: _Matching, known: Anchors, listing: Listing
) -> tuple[Token, ...]:
    """Tokens by id, from the nearest anchor on."""
    descending = listing.descending
    first, skip, size = known.place(
        listing.offset, listing.limit, descending=descending
    )
    if size == 0:
        return ()
    rows = connection.execute(
        f"SELECT {TOKEN} {matching.rows} AND id >= ? ORDER BY id LIMIT ? OFFSET ?",
        [*matching.values, first, size, skip],
    ).fetchall()
    tokens = tuple(starmap(Token, rows))
    return tokens[::-1] if descending else tokens


def _ordered(
    connection: apsw.Connection, matching: _Matching, listing: Listing, version: str
) -> Page:
    """Tokens in another order, of which no anchors are kept."""
    count = f"SELECT count(*) {matching.rows}"
    results = connection.execute(count, matching.values).get
    order = conditions.order(listing, dialect.TOKENS)
    rows = connection.execute(
        f"SELECT {TOKEN} {matching.rows} ORDER BY {order} LIMIT ? OFFSET ?",
        [*matching.values, listing.limit, listing.offset],
    ).fetchall()
    return Page(tuple(starmap(Token, rows)), results, version)
