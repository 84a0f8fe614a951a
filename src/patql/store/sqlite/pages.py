"""Pages of a user's tokens, each read in one snapshot.

The default order would cost a walk from the first token to the page's, and another to count. So for a user with many
tokens the ids at which stretches of the listing begin are kept in memory, with the count. They hold exactly as long
as nothing can have changed: until the user's next audit event, which is read in the same snapshot, or until the next
expiry.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from itertools import starmap

import apsw
import msgspec

from patql.authority.listing import Field, Listing, Page
from patql.authority.model import Token
from patql.store.sqlite import conditions
from patql.store.sqlite.queries import ACTIVE, TOKEN

_STRETCH = 500  # tokens between two anchors; a page of the API at its longest
_USERS = 256  # users whose anchors are kept at most

_MINE = f"FROM token INDEXED BY token_listing WHERE uid = :uid AND {ACTIVE}"
_LAST_EVENT = """
SELECT uid, (SELECT max(id) FROM event WHERE event.username = user.username)
FROM user WHERE username = ?
"""


class Anchors(msgspec.Struct, frozen=True):
    """Where stretches of a user's active tokens begin.

    Attributes:
        event: the id of the user's last audit event when they were read.
        since: the instant at which they were read, in seconds since the epoch.
        until: the instant at which the next token expires.
        count: the number of active tokens.
        ids: the id of each `_STRETCH`th token, from the first on; empty for a user with few.
    """

    event: int
    since: float
    until: float
    count: int
    ids: tuple[int, ...]

    def hold(self, event: int, now: float) -> bool:
        """Whether they are still exact."""
        return self.event == event and self.since <= now < self.until


class Pages:
    """Reads pages; shared by threads, each of which brings its own connection."""

    def __init__(self) -> None:
        self._anchors = dict[int, Anchors]()

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
            anchors = self._current(connection, uid, event or 0, now)
            version = f"{anchors.event}-{anchors.count}"
            if listing.where is None and listing.order is Field.ID:
                tokens = _plain(connection, uid, anchors, listing, now)
                return Page(tokens, anchors.count, version)
            return _conditional(connection, uid, listing, now, version)
        finally:
            # Left open, it would show the past to whatever this thread reads next. A failing disk may have ended it.
            if connection.in_transaction:
                connection.execute("COMMIT")

    def _current(
        self, connection: apsw.Connection, uid: int, event: int, now: float
    ) -> Anchors:
        known = self._anchors.get(uid)
        if known is not None and known.hold(event, now):
            return known
        anchors = _survey(connection, uid, event, now)
        if anchors.ids:
            if len(self._anchors) >= _USERS:
                self._anchors.clear()
            self._anchors[uid] = anchors
        else:
            self._anchors.pop(uid, None)
        return anchors


def _survey(connection: apsw.Connection, uid: int, event: int, now: float) -> Anchors:
    count, until = connection.execute(
        f"SELECT count(*), min(expiry) {_MINE}", {"uid": uid, "now": now}
    ).get
    ids = list[int]()
    if count > _STRETCH:
        step = f"SELECT id {_MINE} AND id > :last ORDER BY id LIMIT 1 OFFSET :skip"
        bound = {"uid": uid, "now": now, "last": 0, "skip": 0}
        while (found := connection.execute(step, bound).get) is not None:
            ids.append(found)
            bound |= {"last": found, "skip": _STRETCH - 1}
    end = float("inf") if until is None else until
    return Anchors(event, now, end, count, tuple(ids))


def _plain(
    connection: apsw.Connection,
    uid: int,
    anchors: Anchors,
    listing: Listing,
    now: float,
) -> tuple[Token, ...]:
    """All tokens by id, from the nearest anchor on."""
    size = max(0, min(listing.limit, anchors.count - listing.offset))
    offset = listing.offset
    if listing.descending:
        offset = anchors.count - listing.offset - size
    if size == 0:
        return ()
    first, skip = 0, offset
    if anchors.ids:
        stretch, skip = divmod(offset, _STRETCH)
        first = anchors.ids[stretch]
    rows = connection.execute(
        f"SELECT {TOKEN} {_MINE} AND id >= :first ORDER BY id LIMIT :size OFFSET :skip",
        {"uid": uid, "now": now, "first": first, "size": size, "skip": skip},
    ).fetchall()
    tokens = tuple(starmap(Token, rows))
    return tokens[::-1] if listing.descending else tokens


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
        matching += f" AND {conditions.where(listing.where, bind)}"
    results = connection.execute(f"SELECT count(*) {matching}", values).get
    rows = connection.execute(
        f"SELECT {TOKEN} {matching} ORDER BY {conditions.order(listing)}"
        " LIMIT ? OFFSET ?",
        [*values, listing.limit, listing.offset],
    ).fetchall()
    return Page(tuple(starmap(Token, rows)), results, version)
