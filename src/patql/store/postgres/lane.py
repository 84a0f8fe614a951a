"""Verifications on an event loop: those that wait at the same moment share one round trip to the primary.

A verification must see all that was acknowledged before it began, so it never joins a query that is under way: it
waits for the next one, which begins after it arrived. While one query is under way, the next one's tokens gather.

One connection does this, over libpq's own asynchronous calls: psycopg's cursors cost a verification more than the rest
of it.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterable

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

from patql.authority.ports import Record
from patql.store.postgres.connection import PATIENCE, Address, StalledError
from patql.store.postgres.queries import RECORD

_LARGEST = 500  # tokens in one query
_PREPARE = f"PREPARE find (text[]) AS SELECT handle, {RECORD} FROM token WHERE handle = ANY($1)"
_HANDLE = re.compile("[0-9A-Za-z_]+")

Waiter = tuple[str, "asyncio.Future[Record | None]"]


class Lane:
    """One event loop's connection for verifications. All methods are called on that loop, or after its end."""

    def __init__(self, address: Address, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._address = address
        self._waiting = deque[Waiter]()
        self._asked: list[Waiter] = []
        self._results: list[PGresult] = []
        self._connection: psycopg.AsyncConnection | None = None
        self._socket = -1
        self._connecting: asyncio.Task[None] | None = None
        self._answered = False  # has the connection ever
        self._scheduled = False
        self._deadline: asyncio.TimerHandle | None = None

    async def find(self, handle: str) -> Record | None:
        """The token with that handle, read by a query that begins after this was called.

        Raises:
            psycopg.Error: the query came to nothing.
        """
        if not _HANDLE.fullmatch(handle):
            return None
        future: asyncio.Future[Record | None] = self.loop.create_future()
        self._waiting.append((handle, future))
        self._schedule()
        return await future

    def close(self) -> None:
        """Close the connection; whoever still waits is told so."""
        if self.loop.is_closed():
            if self._connection is not None:
                self._connection.pgconn.finish()
            return
        if self._connecting is not None:
            self._connecting.cancel()
        self._disconnect()
        self._fail(psycopg.OperationalError("the store is closed"))

    def _schedule(self) -> None:
        """Ask soon: together with all that arrive in this turn of the loop."""
        if not (self._scheduled or self._asked or self._connecting):
            self._scheduled = True
            self.loop.call_soon(self._ask)

    def _ask(self) -> None:
        self._scheduled = False
        if self._asked or self._connecting:
            return
        if self._connection is None and self._waiting:
            self._connecting = self.loop.create_task(self._connect())
            return
        while self._waiting and len(self._asked) < _LARGEST:
            handle, future = self._waiting.popleft()
            if not future.done():  # else its caller was cancelled
                self._asked.append((handle, future))
        if self._asked and self._connection is not None:
            self._send(self._connection)

    def _send(self, connection: psycopg.AsyncConnection) -> None:
        self._deadline = self.loop.call_later(PATIENCE, self._stalled)
        array = f"{{{','.join({handle for handle, _ in self._asked})}}}"
        try:
            connection.pgconn.send_query_prepared(
                b"find", [array.encode()], result_format=Format.BINARY
            )
            self._flush()
        except psycopg.OperationalError as error:
            self._broken(error)

    def _flush(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            unsent = connection.pgconn.flush()
        except psycopg.OperationalError as error:
            self._broken(error)
            return
        if unsent:
            self.loop.add_writer(self._socket, self._flush)
        else:
            self.loop.remove_writer(self._socket)

    def _read(self) -> None:
        """Take what the server has sent: an answer, or the end of the connection."""
        connection = self._connection
        if connection is None:
            return
        pgconn = connection.pgconn
        try:
            pgconn.consume_input()
            while self._asked and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._finish(pgconn.status)
                else:
                    self._results.append(result)
        except psycopg.OperationalError as error:
            self._broken(error)

    def _finish(self, status: int) -> None:
        """The answer is complete: hand it out, and ask what has gathered meanwhile."""
        results, self._results = self._results, []
        failed = [r for r in results if r.status != ExecStatus.TUPLES_OK]
        if failed:
            error = errors.error_from_result(failed[0])
            ended = status == ConnStatus.BAD or (error.sqlstate or "")[:3] == "57P"
            self._broken(error, again=ended)
            return
        self._answered = True
        asked = self._settled()
        found = {handle: record for r in results for handle, record in _records(r)}
        for handle, future in asked:
            if not future.done():
                future.set_result(found.get(handle))
        self._ask()

    def _stalled(self) -> None:
        self._broken(StalledError("no answer in time"), again=False)

    def _broken(self, error: psycopg.Error, *, again: bool = True) -> None:
        """The connection is of no more use. What it was asked for is asked once more where it had worked before."""
        again = again and self._answered
        self._disconnect()
        if again:
            self._waiting.extendleft(reversed(self._settled()))
        else:
            self._fail(error)
        if self._waiting:
            self._schedule()

    def _fail(self, error: psycopg.Error) -> None:
        waiting = [*self._settled(), *self._waiting]
        self._waiting.clear()
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)

    def _settled(self) -> list[Waiter]:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._results.clear()
        asked, self._asked = self._asked, []
        return asked

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._answered = False
        if connection is not None:
            self.loop.remove_reader(self._socket)
            self.loop.remove_writer(self._socket)
            connection.pgconn.finish()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(2 * PATIENCE):
                connection = await _open(self._address)
        except (psycopg.Error, TimeoutError) as error:
            self._connecting = None
            told = error if isinstance(error, psycopg.Error) else StalledError()
            self._fail(told)
            return
        except BaseException:
            self._connecting = None
            raise
        self._connecting = None
        self._connection = connection
        self._socket = connection.pgconn.socket
        self.loop.add_reader(self._socket, self._read)
        self._ask()


async def _open(address: Address) -> psycopg.AsyncConnection:
    parameters = address.parameters(statement_timeout=f"{PATIENCE}s")
    connection = await psycopg.AsyncConnection.connect(parameters, autocommit=True)
    try:
        await connection.execute(_PREPARE.encode())
        connection.pgconn.nonblocking = 1
    except BaseException:
        connection.pgconn.finish()
        raise
    return connection


def _records(result: PGresult) -> Iterable[tuple[str, Record]]:
    for row in range(result.ntuples):
        handle, digest, token_id, uid, user, scopes, *instants = (
            result.get_value(row, column) for column in range(result.nfields)
        )
        expiry, revoked_at, disabled_at = map(_integer, instants)
        yield (
            (handle or b"").decode(),
            Record(
                digest or b"",
                _integer(token_id) or 0,
                _integer(uid) or 0,
                (user or b"").decode(),
                (scopes or b"").decode(),
                expiry,
                revoked_at,
                disabled_at,
            ),
        )


def _integer(value: bytes | None) -> int | None:
    """A bigint as it is sent in binary."""
    return None if value is None else int.from_bytes(value, "big", signed=True)
