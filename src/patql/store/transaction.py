"""The changes that a transaction can make; begin and commit are the writer's business."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from patql.authority.model import Event, Role, User
from patql.authority.ports import NewToken
from patql.store.queries import Queries


class SqliteTransaction(Queries):
    """A connection inside a transaction that has the write lock."""

    def add_user(
        self, username: str, email: str, role: Role, *, restricted: bool, at: int
    ) -> User:
        """A new user; the name must be free."""
        self.connection.execute(
            "INSERT INTO user (username, email, restricted, role, created) VALUES (?, ?, ?, ?, ?)",
            (username, email, restricted, role.value, at),
        )
        uid = self.connection.last_insert_rowid()
        return User(uid, username, email, restricted, role)

    def next_token_id(self) -> int:
        """An id that no token has or had: rows are never deleted."""
        query = "SELECT coalesce(max(id), 0) + 1 FROM token"
        return int(self.connection.execute(query).get)

    def add_token(self, new: NewToken) -> bool:
        """Keep a new token; False, and nothing kept, where its handle is taken."""
        token, owner = new.token, new.owner
        self.connection.execute(
            "INSERT INTO token (handle, digest, id, uid, username, label, scopes, created, expiry, parent)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (handle) DO NOTHING",
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
        return self.connection.changes() == 1

    def rename(self, token_id: int, label: str) -> None:
        """Give a token another label."""
        self.connection.execute(
            "UPDATE token SET label = ? WHERE id = ?", (label, token_id)
        )

    def revoke(self, token_id: int, at: int) -> None:
        """Mark a token as revoked; the row stays."""
        self.connection.execute(
            "UPDATE token SET revoked_at = ? WHERE id = ?", (at, token_id)
        )

    def audit(self, event: Event, uid: int) -> None:
        """Append a line about that user to the audit."""
        self.connection.execute(
            "INSERT INTO event (at, action, uid, username, token_id, actor, actor_token, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.at,
                event.action,
                uid,
                event.user,
                event.token_id,
                event.actor,
                event.actor_token,
                event.detail,
            ),
        )
