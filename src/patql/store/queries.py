"""The questions to the database, each over one connection, which belongs to one thread at a time."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

from itertools import starmap

import apsw

from patql.authority.model import Event, Role, Token, User
from patql.authority.ports import Record

ACTIVE = (
    "revoked_at IS NULL AND disabled_at IS NULL AND (expiry IS NULL OR expiry > :now)"
)
"""The tokens that exist for their owner, at `:now` seconds since the epoch."""

TOKEN = "id, handle, label, scopes, created, expiry"  # noqa: S105  (columns, in the order of model.Token)

_FIND = (
    "SELECT digest, id, uid, username, scopes, expiry, revoked_at, disabled_at"
    " FROM token WHERE handle = ?"
)
_USER = "SELECT uid, username, email, restricted, role FROM user"
_NAMED = f"{_USER} WHERE username = ?"
_LARGEST = 2**63 - 1
_OWNERS = 1024  # users that are kept while nothing changes


class Queries:
    """Reads; whatever SQLite raises comes out as it is.

    Each statement is read to its end at once: an open one would keep its snapshot, and the next would see the past.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._find = connection.cursor().execute
        self._users = connection.cursor()
        self._owners = dict[str, User]()
        self._owners_version = -1

    def find(self, handle: str) -> Record | None:
        """The token with that handle, in whatever state."""
        row = self._find(_FIND, (handle,)).get
        return None if row is None else Record(*row)

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
        """The admin with the smallest uid."""
        query = f"{_USER} WHERE role = ? ORDER BY uid LIMIT 1"
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

    def is_active(self, token_id: int, now: float) -> bool:
        """Whether a token of that id exists, is neither revoked nor disabled, and hasn't expired."""
        query = f"SELECT 1 FROM token WHERE id = :id AND {ACTIVE}"
        return (
            self.connection.execute(query, {"id": token_id, "now": now}).get is not None
        )

    def events(self, user: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """Audit lines about a user, or about all, with ids greater than `after`, ascending."""
        about = (
            ""
            if user is None
            else "uid = (SELECT uid FROM user WHERE username = :user) AND"
        )
        query = (
            "SELECT id, at, action, username, token_id, actor, actor_token, detail"
            f" FROM event WHERE {about} id > :after ORDER BY id LIMIT :limit"
        )
        bound = {"user": user, "after": after, "limit": limit}
        rows = self.connection.execute(query, bound).fetchall()
        return tuple(starmap(Event, rows))


def _user(row: tuple[int, str, str, int, str] | None) -> User | None:
    if row is None:
        return None
    uid, username, email, restricted, role = row
    return User(uid, username, email, bool(restricted), Role(role))
