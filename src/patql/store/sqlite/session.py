"""One write transaction after another over one connection.

No change has a savepoint: that costs each a tenth of its time, and none fails once it has written anything, unless the disk
does or we made a mistake. Then the whole transaction is undone, and its other changes are made anew.
"""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import apsw

from patql.authority.chain import Chain
from patql.authority.ports import UndoneError
from patql.store.sqlite.transaction import SqliteTransaction
from patql.store.writer import Again


class SqliteSession:
    """A session of a store's writer."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.transaction = SqliteTransaction(connection)
        self._begun = self.transaction.chain.place
        self._version = -1
        self._alone = True
        self._ending = False
        self._marked = 0, self._begun

    def begin(self, *, several: bool = False, together: bool = False) -> None:
        """Begin a transaction, with the write lock."""
        self._begun = self.transaction.chain.place
        self._alone = not (several or together)
        self._ending = False
        self.connection.execute("BEGIN IMMEDIATE")
        # Counted up by every commit, of this connection or another: since its own last one there was none.
        if self.connection.data_version() != self._version:
            self.transaction.forget()

    def mark(self) -> None:
        """What follows is one change."""
        chain = self.transaction.chain
        self._marked = self.connection.total_changes(), (chain.sequence, chain.hash)

    def keep(self) -> None:
        """The change since the mark is to be kept."""

    def undo(self) -> bool:
        """Undo what the change since the mark did, which is nothing, as a rule; False where all is undone, or has to be.

        Raises:
            UndoneError: where there were others.
        """
        if not self.connection.in_transaction:
            return False
        changes, place = self._marked
        if self.connection.total_changes() == changes:
            self.transaction.forget()
            self.transaction.chain.return_to(place)
            return True
        if self._alone:
            return False
        raise UndoneError

    def commit(self) -> None:
        """End the transaction; when this returns, its changes are durable."""
        if self.transaction.chain.place != self._begun:
            self.transaction.keep_head()
        self._ending = True
        self.connection.execute("COMMIT")
        self._version = self.connection.data_version()

    def rollback(self) -> None:
        """End the transaction, however far it got, without its changes."""
        self.transaction.forget()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        if self._ending:  # who knows what a failing disk has kept
            self.transaction.chain = Chain()
        else:
            self.transaction.chain.return_to(self._begun)

    def again(self, error: BaseException) -> Again:
        """Nothing: there is one write transaction at a time, so none stands in the way of another."""
        del error
        return Again.NOTHING

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
