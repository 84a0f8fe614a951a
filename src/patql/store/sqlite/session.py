"""One write transaction after another over one connection."""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import apsw

from patql.authority.chain import Chain
from patql.store.sqlite.transaction import SqliteTransaction
from patql.store.writer import Again


class SqliteSession:
    """A session of a store's writer."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.transaction = SqliteTransaction(connection)
        self._begun = self._marked = self.transaction.chain.place

    def begin(self, *, several: bool = False) -> None:
        """Begin a transaction, with the write lock."""
        del several
        self.connection.execute("BEGIN IMMEDIATE")
        self.transaction.forget()
        self._begun = self.transaction.chain.place

    def mark(self) -> None:
        """What follows is one change."""
        self.connection.execute("SAVEPOINT change")
        self._marked = self.transaction.chain.place

    def keep(self) -> None:
        """The change since the mark is to be kept."""
        self.connection.execute("RELEASE change")

    def undo(self) -> bool:
        """Undo what the change since the mark did; False where SQLite has rolled everything back already."""
        if not self.connection.in_transaction:
            return False
        self.connection.execute("ROLLBACK TO change")
        self.connection.execute("RELEASE change")
        self.transaction.forget()
        self.transaction.chain.return_to(self._marked)
        return True

    def commit(self) -> None:
        """End the transaction; when this returns, its changes are durable."""
        if self.transaction.chain.place != self._begun:
            self.transaction.keep_head()
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction, however far it got, without its changes."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.transaction.chain = Chain()  # who knows what a failing disk has kept

    def again(self, error: BaseException) -> Again:
        """Nothing: there is one write transaction at a time, so none stands in the way of another."""
        del error
        return Again.NOTHING

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
