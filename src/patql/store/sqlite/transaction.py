"""The changes that a transaction can make; begin and commit are the writer's business."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import cast

import apsw
from msgspec.structs import astuple

from patql.authority.chain import Chain, Head
from patql.authority.model import Entry, Event, Role, Use, User
from patql.authority.ports import NewToken, Record, Sealed
from patql.store.sqlite.queries import ENTRY, Queries, as_entry, as_list

_ADD = """
INSERT INTO token (handle, digest, id, uid, username, label, scopes, created, expiry, parent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (handle) DO NOTHING
"""
_ACTIVE = "SELECT expiry FROM token WHERE id = ? AND revoked_at IS NULL AND disabled_at IS NULL"
_KEPT = 1024  # tokens that are kept while none changes
_ADD_LINE = f"INSERT INTO event VALUES ({', '.join('?' * 13)})"
_USE = """
INSERT INTO token_use VALUES (?, ?, ?)
ON CONFLICT (handle) DO UPDATE SET at = excluded.at, address = excluded.address
WHERE excluded.at >= token_use.at + 60
"""
_KEEP_HEAD = """
INSERT INTO head VALUES (?, ?, ?)
ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
"""


class SqliteTransaction(Queries):
    """A connection inside a transaction that has the write lock, and the chain that its audit lines continue."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.chain = Chain()
        # Cursors that stay: making one costs a tenth of what it then does.
        self._add_token = connection.cursor().execute
        self._add_line = connection.cursor().execute
        self._last_token: int | None = None
        self._last_event: int | None = None
        self._seen = dict[str, User]()
        self._found = dict[str, Record]()
        self._expiries = dict[int, int | None]()

    def forget(self) -> None:
        """What was read of the database may hold no more: somebody else has changed it, or a change failed."""
        self._last_token = self._last_event = None
        self._seen.clear()
        self._forget_tokens()

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state; within a transaction, looked up once while no token changes."""
        if not self.connection.in_transaction:
            return super().find(handle)
        record = self._found.get(handle)
        if record is None:
            record = super().find(handle)
            if record is not None and len(self._found) < _KEPT:
                self._found[handle] = record
        return record

    def is_active(self, token_id: int, now: float) -> bool:
        """Whether a token of that id exists, is neither revoked nor disabled, and hasn't expired; looked up likewise."""
        if token_id not in self._expiries:
            row = self.connection.execute(_ACTIVE, (token_id,)).fetchone()
            if row is None:
                return False
            if len(self._expiries) >= _KEPT:
                self._expiries.clear()
            self._expiries[token_id] = row[0]
        expiry = self._expiries[token_id]
        return expiry is None or expiry > now

    def user(self, username: str) -> User | None:
        """The user of that name; looked up once, unless a user was changed since."""
        user = self._seen.get(username)
        if user is None:
            user = super().user(username)
            if user is not None:
                self._seen[username] = user
        return user

    def add_user(
        self, username: str, email: str, role: Role, *, restricted: bool, at: int
    ) -> User:
        """A new user; the name must be free."""
        self.connection.execute(
            "INSERT INTO user (username, email, restricted, role, created) VALUES (?, ?, ?, ?, ?)",
            (username, email, restricted, role.value, at),
        )
        uid = self.connection.last_insert_rowid()
        return User(uid, username, email, restricted, role, at)

    def change_user(self, user: User) -> None:
        """Give the user of that uid another email, role, and instants of suspension and removal."""
        self._seen.clear()
        self.connection.execute(
            "UPDATE user SET email = ?, role = ?, suspended_at = ?, removed_at = ? WHERE uid = ?",
            (
                user.email,
                user.role.value,
                user.suspended_at,
                user.removed_at,
                user.uid,
            ),
        )

    def is_only_admin(self, uid: int) -> bool:
        """Whether no other user is an active admin."""
        query = (
            "SELECT 1 FROM user WHERE role = ? AND uid <> ?"
            " AND suspended_at IS NULL AND removed_at IS NULL"
        )
        return self.connection.execute(query, (Role.ADMIN.value, uid)).get is None

    def disable(self, uid: int, at: int | None) -> None:
        """Say of each of a user's tokens since when it is disabled; None: it isn't."""
        self._forget_tokens()
        self.connection.execute(
            "UPDATE token SET disabled_at = ? WHERE uid = ?", (at, uid)
        )

    def next_token_ids(self, count: int) -> Sequence[int]:
        """So many ids that no token has or had: rows are never deleted."""
        last = self._last_token
        if last is None:
            last = self._last("token")
        self._last_token = last + count
        return range(last + 1, last + count + 1)

    def add_tokens(self, tokens: Sequence[NewToken]) -> frozenset[str]:
        """Keep new tokens, except those whose handles are taken; those handles."""
        taken = set[str]()
        for new in tokens:
            token, owner = new.token, new.owner
            self._add_token(
                _ADD,
                (
                    token.shown,
                    new.digest,
                    token.id,
                    owner.uid,
                    owner.username,
                    token.label,
                    token.scopes,
                    token.created,
                    token.expiry,
                    new.parent,
                ),
            )
            if self.connection.changes() == 0:
                taken.add(token.shown)
        return frozenset(taken)

    def entries(self, token_ids: Sequence[int]) -> list[Entry]:
        """The tokens of those ids, in whatever state."""
        query = f"{ENTRY} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        rows = self.connection.execute(query, (as_list(token_ids),)).fetchall()
        return list(map(as_entry, rows))

    def children(self, token_ids: Sequence[int]) -> list[int]:
        """The ids of the tokens that those tokens created."""
        query = "SELECT id FROM token WHERE parent IN (SELECT value FROM json_each(?))"
        rows = self.connection.execute(query, (as_list(token_ids),)).fetchall()
        return [cast("int", token_id) for (token_id,) in rows]

    def rename(self, labels: Mapping[int, str]) -> None:
        """Give tokens, by their ids, other labels."""
        self.connection.executemany(
            "UPDATE token SET label = ? WHERE id = ?",
            [(label, token_id) for token_id, label in labels.items()],
        )

    def revoke(self, token_ids: Sequence[int], at: int) -> None:
        """Mark tokens as revoked; the rows stay."""
        self._forget_tokens()
        self.connection.executemany(
            "UPDATE token SET revoked_at = ? WHERE id = ?",
            [(at, token_id) for token_id in token_ids],
        )

    def sealed(self, key: bytes) -> Sealed | None:
        """The answer that is kept under a key, however old."""
        query = "SELECT request, answer, until FROM sealed WHERE key = ?"
        row = self.connection.execute(query, (key,)).get
        return None if row is None else Sealed(*row)

    def seal(self, key: bytes, sealed: Sealed, now: float) -> None:
        """Keep an answer in place of one that is older, and forget those whose time has come."""
        self.connection.execute("DELETE FROM sealed WHERE until <= ?", (now,))
        self.connection.execute(
            "INSERT INTO sealed VALUES (?, ?, ?, ?)", (key, *astuple(sealed))
        )

    def use(self, uses: Sequence[Use]) -> None:
        """Remember when tokens were last used; what is less than a minute newer than the last is passed over."""
        self.connection.executemany(_USE, map(astuple, uses))

    def audit(self, events: Sequence[Event]) -> None:
        """Append lines to the audit, in that order, in this process's chain."""
        if not events:
            return
        heads = self._take_heads() if self.chain.sequence == 0 else ()
        last = self._last_event
        if last is None:
            last = self._last("event")
        self._last_event = last + len(events)
        for number, event in enumerate(events, last + 1):
            line = self.chain.append(event, number, heads)
            row = (*astuple(line.event), line.previous, line.heads, line.hash)
            self._add_line(_ADD_LINE, row)

    def keep_head(self) -> None:
        """Say where this process's chain ends, so that the next one to begin names it."""
        head = (self.chain.writer, self.chain.sequence, self.chain.hash.hex())
        self.connection.execute(_KEEP_HEAD, head)

    def _forget_tokens(self) -> None:
        self._found.clear()
        self._expiries.clear()

    def _last(self, table: str) -> int:
        query = f"SELECT coalesce(max(id), 0) FROM {table}"
        return int(self.connection.execute(query).get)

    def _take_heads(self) -> list[Head]:
        """The heads that no chain has named; the one that begins does so."""
        query = "DELETE FROM head RETURNING writer, sequence, hash"
        return list(starmap(Head, self.connection.execute(query).fetchall()))
