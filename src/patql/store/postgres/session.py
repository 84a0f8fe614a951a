"""One transaction after another over one connection to the primary, made anew when it breaks."""

from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from patql.authority.chain import Chain
from patql.kernel.errors import PatqlError
from patql.store.postgres.connection import Address, Connection, connect
from patql.store.postgres.failures import unavailable
from patql.store.postgres.transaction import PostgresTransaction
from patql.store.writer import Again

PATIENCE = 15
"""How long a statement of a change may take, in seconds, waiting for others' locks included."""

_SETTINGS = {
    "statement_timeout": "12s",
    "lock_timeout": "6s",
    # A process that is stopped in the midst of a change must not keep its locks from all others.
    "idle_in_transaction_session_timeout": "3s",
}
# What is acknowledged is on a disk, whatever the server's usual way; stronger promises than that stay as they are.
_DURABLE: LiteralString = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit', true) = 'off'
"""
_BEGIN: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BRIEF: LiteralString = "SET LOCAL lock_timeout = '100ms'"


class PostgresSession:
    """A session of a store's writer."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._several = self._warned = False
        self._use(connection)
        self._place = (0, b"")
        self._told = 0
        self.transaction = PostgresTransaction(connection)

    @classmethod
    def open(cls, address: Address) -> "PostgresSession":
        """A session over a new connection."""
        return cls(address, _open(address))

    def begin(self, *, several: bool = False, together: bool = False) -> None:
        """Begin a transaction, over a new connection where the last one broke meanwhile.

        Several changes lock rows in the order in which they happen to come, so two batches may well wait for each
        other, and PostgreSQL finds that out after a second. So they wait for a moment only, and are then run one by
        one: one change locks in an order that is every change's.
        """
        del together  # any change can be undone
        statement = f"{_BEGIN}; {_BRIEF}" if several else _BEGIN
        self._several = several
        try:
            if self._connection.closed:
                self._renew()
            self._connection.execute(statement)
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise
            self._renew()
            self._connection.execute(statement)
        self._place = self.transaction.chain.place

    def mark(self) -> None:
        """What follows is one change."""
        self._connection.execute("SAVEPOINT change")
        self.transaction.begin_change()
        self._told = len(self.transaction.told)

    def keep(self) -> None:
        """The change since the mark is to be kept."""
        self._connection.execute("RELEASE SAVEPOINT change")

    def undo(self) -> bool:
        """Undo what the change since the mark did; False where the connection, and with it all, is lost."""
        status = self._connection.info.transaction_status
        if status not in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            return False
        self._connection.execute(
            "ROLLBACK TO SAVEPOINT change; RELEASE SAVEPOINT change"
        )
        del self.transaction.told[self._told :]
        self.transaction.forget()
        return True

    def commit(self) -> None:
        """Write the audit's lines, and end the transaction.

        Raises:
            PatqlError: UNAVAILABLE where nobody knows whether the server has done so.
        """
        self.transaction.write_lines()
        self._end()
        self.transaction.told.clear()
        self._forget()

    def rollback(self) -> None:
        """End the transaction, however far it got, without its changes."""
        self.transaction.told.clear()
        self.transaction.forget()
        try:
            self._connection.rollback()
        except psycopg.Error:
            self._connection.close()
        if self._connection.closed:
            self.transaction.chain = Chain()  # who knows what has been kept
        else:
            self.transaction.chain.return_to(self._place)

    def again(self, error: BaseException) -> Again:
        """What to run again: all that another transaction stood in the way of, or a change that another was before."""
        if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
            return Again.BATCH
        if isinstance(error, errors.LockNotAvailable) and self._several:
            return Again.BATCH
        if isinstance(error, errors.UniqueViolation):
            return Again.CHANGE
        return Again.NOTHING

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _end(self) -> None:
        self._warned = False
        try:
            ended = self._connection.execute("COMMIT").statusmessage
        except psycopg.OperationalError as error:
            if not self._connection.closed and not _is_unknown(error):
                raise
            raise self._unknown("was lost") from error
        if self._warned:  # no standby has it yet, so that a fail-over could undo it
            raise self._unknown("waits for its standby")
        if ended != "COMMIT":
            raise errors.InFailedSqlTransaction("the transaction had failed")

    def _forget(self) -> None:
        """Delete answers whose time has come, after the change, in no transaction that others could wait for."""
        until, self.transaction.sealed_until = self.transaction.sealed_until, 0
        if until > 0:
            with suppress(psycopg.Error):  # the next change that keeps one tries again
                self._connection.execute(
                    "DELETE FROM sealed WHERE until <= %s", (until,)
                )

    def _unknown(self, what: str) -> PatqlError:
        self._connection.close()
        return unavailable(
            self._address.name,
            f"{what} at the end of a change: whether it was made is unknown",
        )

    def _renew(self) -> None:
        self._connection.close()
        self._use(_open(self._address))
        self.transaction.forget()
        self.transaction.connection = self._connection

    def _use(self, connection: Connection) -> None:
        connection.patience = PATIENCE
        connection.add_notice_handler(self._note)
        self._connection = connection

    def _note(self, told: errors.Diagnostic) -> None:
        self._warned = self._warned or told.severity_nonlocalized == "WARNING"


def _open(address: Address) -> Connection:
    connection = connect(address, **_SETTINGS)
    try:
        connection.execute(_DURABLE)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_unknown(error: psycopg.Error) -> bool:
    return isinstance(error, errors.StatementCompletionUnknown)
