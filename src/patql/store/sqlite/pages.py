"""Pages of a user's tokens, each read in one snapshot."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from itertools import starmap

import apsw

from patql.authority.listing import Field, Listing, Page
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
            known = self._memory.get(uid, event or 0, now)
            if known is None:
                surveyed = _survey(connection, uid, event or 0, now)
                known = self._memory.keep(uid, surveyed)
            version = f"{known.version}-{known.count}"
            if listing.where is None and listing.order is Field.ID:
                tokens = _plain(connection, uid, known, listing, now)
                return Page(tokens, known.count, version)
            return _conditional(connection, uid, listing, now, version)
        finally:
            # Left open, it would show the past to whatever this thread reads next. A failing disk may have ended it.
            if connection.in_transaction:
                connection.execute("COMMIT")


def _survey(connection: apsw.Connection, uid: int, event: int, now: float) -> Anchors:
    count, until = connection.execute(
        f"SELECT count(*), min(expiry) {_MINE}", {"uid": uid, "now": now}
    ).get
    ids = list[int]()
    if count > anchors.STRETCH:
        step = f"SELECT id {_MINE} AND id > :last ORDER BY id LIMIT 1 OFFSET :skip"
        bound = {"uid": uid, "now": now, "last": 0, "skip": 0}
        while (found := connection.execute(step, bound).get) is not None:
            ids.append(found)
            bound |= {"last": found, "skip": anchors.STRETCH - 1}
    end = float("inf") if until is None else until
    return Anchors(event, now, end, count, tuple(ids))


def _plain(
    connection: apsw.Connection,
    uid: int,
    known: Anchors,
    listing: Listing,
    now: float,
) -> tuple[Token, ...]:
    """All tokens by id, from the nearest anchor on."""
    descending = listing.descending
    first, skip, size = known.place(
        listing.offset, listing.limit, descending=descending
    )
    if size == 0:
        return ()
    rows = connection.execute(
        f"SELECT {TOKEN} {_MINE} AND id >= :first ORDER BY id LIMIT :size OFFSET :skip",
        {"uid": uid, "now": now, "first": first, "size": size, "skip": skip},
    ).fetchall()
    tokens = tuple(starmap(Token, rows))
    return tokens[::-1] if descending else tokens


def _conditional(
    connection: apsw.Connection, uid: int, listing: Listing, now: float, version: str
) -> Page:
    # Bound by place: SQLite looks a name up among all others, which is slow for thousands of values.
    values: list[int | float | str] = [uid, now]

    def bind(value: int | str) -> str:
        values.append(value)
        return "?"

    matching = _MINE
    if listing.where is not None:
        matching += f" AND {conditions.where(listing.where, bind, dialect.TOKENS)}"
    results = connection.execute(f"SELECT count(*) {matching}", values).get
    rows = connection.execute(
        f"SELECT {TOKEN} {matching} ORDER BY {conditions.order(listing, dialect.TOKENS)}"
        " LIMIT ? OFFSET ?",
        [*values, listing.limit, listing.offset],
    ).fetchall()
    return Page(tuple(starmap(Token, rows)), results, version)
