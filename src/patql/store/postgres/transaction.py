"""The changes that a transaction can make, with the locks that hold what they looked at; begin and commit are the session's.

Locks are taken row by row, by the key that rows are distributed by, since a PostgreSQL that spreads them over machines
locks rows of one of them at a time.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import starmap

from msgspec.structs import astuple

from patql.authority.chain import Chain, Head
from patql.authority.model import Entry, Event, Role, User
from patql.authority.ports import NewToken, Sealed
from patql.store.postgres.connection import Connection
from patql.store.postgres.queries import ACTIVE, USER, Queries, as_user

_ADD = """
INSERT INTO token (handle, digest, id, uid, username, label, label_folded, scopes, created, expiry, parent)
SELECT * FROM unnest(%s::text[], %s::bytea[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (handle) DO NOTHING RETURNING handle
"""
_ADD_LINES = """
INSERT INTO event (id, at, action, username, token_id, actor, actor_token, detail, writer, sequence, previous, heads, hash)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[],
    %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::bytea[])
"""
_COUNT = """
INSERT INTO change (username, shard, changes)
SELECT name, %s, count FROM unnest(%s::text[], %s::bigint[]) AS told (name, count)
ON CONFLICT (username, shard) DO UPDATE SET changes = change.changes + excluded.changes
"""
_KEEP_HEAD = """
INSERT INTO head (writer, sequence, hash) VALUES (%s, %s, %s)
ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
"""
_LARGEST = 2**63 - 1
_SHARDS = 16
_HANDLES = 50_000  # of tokens whose ids were asked for; neither ever changes


class PostgresTransaction(Queries):
    """A connection inside a transaction, and the chain that its audit lines continue."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.chain = Chain()
        self.told = list[Event]()
        """What the audit is to say of this transaction, which is written at its end, all at once."""
        self.sealed_until = 0
        """Up to when answers that were kept can be forgotten; 0 where none has been kept since that was done."""
        self._was_empty = False
        self._absent = set[str]()
        self._handles = dict[int, str]()
        self._shard = random.randrange(_SHARDS)  # noqa: S311  (no secret)

    def begin_change(self) -> None:
        """What the last change saw says nothing to the next one."""
        self._was_empty = False
        self._absent.clear()

    def forget(self) -> None:
        """What was seen in a transaction that came to nothing may never have been."""
        self._handles.clear()

    def user(self, username: str) -> User | None:
        """The user of that name, who stays as they are until the change is made.

        What isn't there can't be locked. So a user who wasn't there isn't, even if another transaction adds them
        meanwhile: whoever then adds them too fails on that, and begins again.
        """
        found = None
        if username not in self._absent:
            found = self._user(username, "FOR SHARE")
        if found is None:
            self._absent.add(username)
        return found

    def is_empty(self) -> bool:
        """Whether there are no users yet."""
        self._was_empty = super().is_empty()
        return self._was_empty

    def is_only_admin(self, uid: int) -> bool:
        """Whether no other user is an active admin; one that is stays so until the change is made."""
        others = (
            "FROM users WHERE role = 'admin' AND suspended_at IS NULL"
            " AND removed_at IS NULL"
        )
        names = self.rows(f"SELECT username {others} AND uid <> %s", (uid,))
        lock = f"SELECT 1 {others} AND username = %s FOR SHARE"
        return not any(self.row(lock, name) for name in sorted(names))

    def add_user(
        self, username: str, email: str, role: Role, *, restricted: bool, at: int
    ) -> User:
        """A new user; the name must be free."""
        if self._was_empty:  # to us: where it is to others too, one of us founds
            self.connection.execute("INSERT INTO founding (place) VALUES (1)")
            self._was_empty = False
        row = self.row(
            "INSERT INTO users (uid, username, email, restricted, role, created)"
            f" VALUES (nextval('user_id'), %s, %s, %s, %s, %s) RETURNING {USER}",
            (username, email, restricted, role.value, at),
        )
        self._absent.discard(username)
        return as_user(row or ())

    def change_user(self, user: User) -> None:
        """Give the user of that uid another email, role, and instants of suspension and removal."""
        self.connection.execute(
            "UPDATE users SET email = %s, role = %s, suspended_at = %s, removed_at = %s WHERE username = %s",
            (
                user.email,
                user.role.value,
                user.suspended_at,
                user.removed_at,
                user.username,
            ),
        )

    def disable(self, uid: int, at: int | None) -> None:
        """Say of each of a user's tokens since when it is disabled; None: it isn't."""
        self.connection.execute(
            "UPDATE token SET disabled_at = %s WHERE uid = %s", (at, uid)
        )

    def next_token_ids(self, count: int) -> Sequence[int]:
        """So many ids that no token has or had, ascending."""
        return self._next("token_id", count)

    def add_tokens(self, tokens: Sequence[NewToken]) -> frozenset[str]:
        """Keep new tokens, except those whose handles are taken; those handles."""
        rows = [
            (
                new.token.shown,
                new.digest,
                new.token.id,
                new.owner.uid,
                new.owner.username,
                new.token.label,
                new.token.label.casefold(),
                new.token.scopes,
                new.token.created,
                new.token.expiry,
                new.parent,
            )
            for new in tokens
        ]
        if not rows:
            return frozenset()
        kept = {handle for (handle,) in self.rows(_ADD, _columns(rows))}
        self._remember({row[2]: row[0] for row in rows if row[0] in kept})
        return frozenset(row[0] for row in rows) - kept

    def entries(self, token_ids: Sequence[int]) -> list[Entry]:
        """The tokens of those ids, in whatever state, which stay as they are until the change is made."""
        handles = sorted(self._handles_of(token_ids))
        if not handles:
            return []
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "SELECT 1 FROM token WHERE handle = %s FOR UPDATE",
                [(handle,) for handle in handles],
            )
        return self.entries_by_handle(handles)

    def children(self, token_ids: Sequence[int]) -> list[int]:
        """The ids of the tokens that those tokens created."""
        query = "SELECT id FROM token WHERE parent = ANY(%s::bigint[])"
        return [one for (one,) in self.rows(query, (list(token_ids),))]

    def is_active(self, token_id: int, now: float) -> bool:
        """Whether a token of that id is neither revoked, disabled nor expired; it stays so until the change is made."""
        query = f"SELECT 1 FROM token WHERE handle = %(handle)s AND {ACTIVE} FOR SHARE"
        return any(
            self.row(query, {"handle": handle, "now": math.floor(now)})
            for handle in self._handles_of((token_id,))
        )

    def rename(self, labels: Mapping[int, str]) -> None:
        """Give tokens, by their ids, other labels."""
        self._handles_of(tuple(labels))
        rows = [
            (label, label.casefold(), self._handles[token_id])
            for token_id, label in labels.items()
            if token_id in self._handles
        ]
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE token SET label = %s, label_folded = %s WHERE handle = %s", rows
            )

    def revoke(self, token_ids: Sequence[int], at: int) -> None:
        """Mark tokens as revoked; the rows stay."""
        self.connection.execute(
            "UPDATE token SET revoked_at = %s WHERE handle = ANY(%s::text[])",
            (at, self._handles_of(token_ids)),
        )

    def sealed(self, key: bytes) -> Sealed | None:
        """The answer that is kept under a key, however old."""
        row = self.row(
            "SELECT request, answer, until FROM sealed WHERE key = %s", (key,)
        )
        return None if row is None else Sealed(*row)

    def seal(self, key: bytes, sealed: Sealed, now: float) -> None:
        """Keep an answer in place of one that is older; others whose time has come are forgotten after the change."""
        self.connection.execute(
            "DELETE FROM sealed WHERE key = %s AND until <= %s", (key, math.floor(now))
        )
        self.connection.execute(
            "INSERT INTO sealed (key, request, answer, until) VALUES (%s, %s, %s, %s)",
            (key, *astuple(sealed)),
        )
        self.sealed_until = math.floor(now)

    def audit(self, events: Sequence[Event]) -> None:
        """Append lines to the audit, in that order, in this process's chain."""
        self.told += events

    def write_lines(self) -> None:
        """Write the audit's lines, count the changes that they tell of, and keep the chain's end."""
        if not self.told:
            return
        heads = self._take_heads() if self.chain.sequence == 0 else ()
        ids = self._next("event_id", len(self.told))
        lines = [
            self.chain.append(event, number, heads)
            for number, event in zip(ids, self.told, strict=True)
        ]
        rows = [(*astuple(x.event), x.previous, x.heads, x.hash) for x in lines]
        changes = Counter(event.user for event in self.told)
        counts = sorted((changes | {"": len(rows)}).items())
        head = (self.chain.writer, self.chain.sequence, self.chain.hash.hex())
        with self.connection.pipeline():
            self.connection.execute(_ADD_LINES, _columns(rows))
            self.connection.execute(_KEEP_HEAD, head)
            # At the end: others with this shard wait from here on.
            self.connection.execute(_COUNT, (self._shard, *_columns(counts)))

    def _take_heads(self) -> list[Head]:
        """The heads that no chain has named; the one that begins does so."""
        query = "DELETE FROM head RETURNING writer, sequence, hash"
        return list(starmap(Head, self.rows(query)))

    def _next(self, sequence: str, count: int) -> list[int]:
        query = f"SELECT nextval('{sequence}') FROM generate_series(1, %s)"
        return sorted(one for (one,) in self.rows(query, (count,)))

    def _handles_of(self, token_ids: Sequence[int]) -> list[str]:
        """The handles of the tokens that there are."""
        unknown = [
            one
            for one in token_ids
            if one not in self._handles and abs(one) <= _LARGEST
        ]
        if unknown:
            query = "SELECT id, handle FROM token WHERE id = ANY(%s::bigint[])"
            self._remember(dict(self.rows(query, (unknown,))))
        found = dict.fromkeys(one for one in token_ids if one in self._handles)
        return [self._handles[one] for one in found]

    def _remember(self, handles: Mapping[int, str]) -> None:
        if len(self._handles) > _HANDLES:
            self._handles.clear()
        self._handles |= handles


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows as arrays, one a column."""
    return [list(column) for column in zip(*rows, strict=True)]
