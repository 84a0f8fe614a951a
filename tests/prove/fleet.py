"""The processes that share one database, each a door for clients."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.postgres import free_port
from tests.prove.wire import Pool
from tests.prove.wording import Api, Product, Wording

PATQL_SERVE = ("-m", "patql", "serve")
"""The command that serves, after the interpreter."""

_ROOT = Path(__file__).parents[2]
_START = 60.0  # seconds
_POLL = 0.05


class Server:
    """A process that can be killed, paused and started again on its port.

    Args:
        name: what reports call it.
        command: how to start it, after the interpreter; `{port}` stands for its port.
        wording: how it is spoken to.
        folder: where its log goes.
        environ: variables beyond ours.
        trusts: whether it does what it is asked for without a token, too.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        wording: Wording,
        folder: Path,
        environ: dict[str, str],
        *,
        trusts: bool = False,
    ) -> None:
        self.name = name
        self.trusts = trusts
        self.wording = wording
        self.log = folder / f"{name}.log"
        self.paused = False
        self._port = free_port()
        self._command = [part.format(port=self._port) for part in command]
        self._environ = os.environ | {"PATQL_DATA_DIR": str(folder)} | environ
        self.pool = Pool(self._port, wording.parse)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has been started, and not been killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it; it takes connections once it `listens`."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                env=self._environ,
            )

    def listens(self) -> bool:
        """Whether it takes connections; one that has ended by itself, since its database was away, is started again."""
        assert self._process is not None
        if self._process.poll() is not None:
            self.start()
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it at once, wherever it is (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Have it end (SIGTERM)."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Stop its clockwork wherever it is (SIGSTOP)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self.paused = False

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(_START)
        self._process = None
        self.paused = False


def served(
    name: str,
    folder: Path,
    database: str,
    admin: str,
    command: Sequence[str] = PATQL_SERVE,
) -> Server:
    """`patql serve`, or what another command makes of it; `admin` is the secret of one."""
    options = ["--port", "{port}", "--db", database]
    return Server(name, [*command, *options], Api(admin), folder, {})


def product(name: str, folder: Path, database: str) -> Server:
    """A product that has the authority in process."""
    command = ["-m", "tests.prove.product", "{port}"]
    return Server(name, command, Product(), folder, {"PATQL_DB": database}, trusts=True)


async def until_listening(server: Server) -> None:
    """Return once a server takes connections.

    Raises:
        AssertionError: with its log, where that takes too long.
    """
    deadline = time.monotonic() + _START
    while not server.listens():
        assert time.monotonic() < deadline, server.log.read_text()[-2000:]
        await asyncio.sleep(_POLL)
