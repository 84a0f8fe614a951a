"""Connections to the primary: how they are opened, how long they may take, and how they are kept for the next caller."""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import ConnParam, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from patql.kernel.errors import Code, PatqlError

T = TypeVar("T")

PATIENCE = 5
"""How long a connection, a verification or another short read may take, in seconds."""

LONG = 30
"""The same for reads of lists, which may have to count."""

_CONNECTIONS = 16  # for reading, at most


class StalledError(psycopg.OperationalError):
    """The server didn't answer in time; the connection is closed, since an answer may still come."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection whose every statement ends within `patience` seconds; None: whenever it does."""

    patience: float | None = PATIENCE

    def wait(
        self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        """Wait for the server, but not for one that has stalled, or that a broken network hides."""
        try:
            return super().wait(gen, interval, timeout or self.patience)
        except errors.OperationalError as error:
            if type(error).__name__ != "_WaitTimeout":  # a private class
                raise
            self.pgconn.finish()
            raise StalledError("no answer in time") from error


class Address:
    """Which database: a URL as libpq takes it (PostgreSQL documentation, "Connection URIs").

    Raises:
        PatqlError: USAGE where it can't be read.
    """

    def __init__(self, url: str) -> None:
        try:
            self._given = conninfo_to_dict(url)
        except (psycopg.Error, UnicodeError):
            raise PatqlError(  # not from it: it may quote the password
                Code.USAGE,
                "the database's URL can't be read",
                hint="it is written postgresql://USER@HOST:PORT/NAME; special characters in it as %XX",
            ) from None
        self.name = self._name()

    def parameters(self, **settings: str) -> str:
        """What to connect with: to the primary alone, with settings of the server's for the session."""
        given = dict(self._given)
        options = [str(given.pop("options", "") or "")]
        options += [f"-c {name}={value}" for name, value in settings.items()]
        usual: dict[str, ConnParam] = {
            "connect_timeout": PATIENCE,
            "application_name": "patql",
        }
        ours: dict[str, ConnParam] = {
            "target_session_attrs": "read-write",
            "client_encoding": "UTF8",
            "options": " ".join(options).strip(),
        }
        return make_conninfo("", **(usual | given | ours))

    def _name(self) -> str:
        given = self._given
        hosts = str(given.get("host") or given.get("hostaddr") or "").split(",")
        ports = str(given.get("port") or "").split(",")
        if len(ports) == 1:  # it is that of each host
            ports *= len(hosts)
        where = ",".join(map(_place, hosts, ports))
        return f"postgresql://{where}/{given.get('dbname') or ''}"


def _place(host: str, port: str) -> str:
    """A host as URLs have it: a folder of sockets has its slashes encoded, and no port is told of it."""
    if host.startswith("/"):
        return host.replace("/", "%2F")
    return f"{host}:{port}" if port else host


def connect(address: Address, **settings: str) -> Connection:
    """A connection to the primary, each statement of its own transaction unless one is begun.

    Raises:
        psycopg.Error: where there is no way to it.
    """
    return Connection.connect(address.parameters(**settings), autocommit=True)


class Pool:
    """Connections for reading; each thread takes one for as long as it needs it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle = list[Connection]()
        self._free = threading.BoundedSemaphore(_CONNECTIONS)

    def run(self, ask: Callable[[Connection], T], patience: float = PATIENCE) -> T:
        """What `ask` reads. Where a connection turns out to be broken, it asks again over a new one.

        Raises:
            psycopg.Error: what it raised.
        """
        if not self._free.acquire(timeout=PATIENCE):
            raise errors.TooManyConnections("all connections of this process are busy")
        try:
            connection = self._idle.pop() if self._idle else None
            if connection is not None:
                try:
                    return self._use(connection, ask, patience)
                except StalledError:
                    raise
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
                    self.close()  # the other idle ones are as old, and lost as it is
            return self._use(self._open(), ask, patience)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _use(
        self, connection: Connection, ask: Callable[[Connection], T], patience: float
    ) -> T:
        connection.patience = patience
        try:
            return ask(connection)
        finally:
            if not connection.closed:
                self._idle.append(connection)

    def _open(self) -> Connection:
        connection = connect(self._address, statement_timeout=f"{LONG}s")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection
