"""The process that has workers: it starts them, replaces those that end or hang, and all of them at SIGHUP.

At SIGHUP a new worker is started for each; once it serves, the old one takes no more connections, finishes what it has, and
ends. All of them accept from the same sockets, which this process keeps open, so no connection is refused meanwhile.
"""

import signal
import socket
from types import FrameType

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess


class Supervisor(Multiprocess):
    """uvicorn's, except that it obeys at once where it is told to stop, in the midst of a restart too."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit.set()
