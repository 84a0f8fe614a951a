"""The sockets of a client, to be shut down: pyreqwest lets a request that nobody waits for any more run on to its end.

A client keeps its sockets alive after a time that is its own, in seconds; by this they are told from all others of the
process. They are idle for a shorter time than that, so it does nothing else. A request whose server's name is still
being looked up has no socket yet.
"""

import os
import stat
import sys
from contextlib import suppress
from itertools import count

_serial = count()


class Mark:
    """What one client's sockets are known by.

    Attributes:
        seconds: their keepalive time.
    """

    def __init__(self) -> None:
        self.seconds = 20_000 + next(_serial) % 10_000

    def shut_down(self) -> None:
        """Close the connections of all sockets with this mark, so that whoever is at their other end sees it at once.

        A descriptor is duplicated before it is looked at: its number may be another file's the next moment.
        """
        for name in os.listdir("/dev/fd"):  # noqa: PTH208  (their names are numbers)
            with suppress(OSError):  # closed meanwhile
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    self._shut_down(os.dup(int(name)))

    def _shut_down(self, descriptor: int) -> None:
        import socket

        if sys.platform == "darwin":
            idle = socket.TCP_KEEPALIVE
        else:
            idle = socket.TCP_KEEPIDLE
        with socket.socket(fileno=descriptor) as found, suppress(OSError):
            if found.getsockopt(socket.IPPROTO_TCP, idle) == self.seconds:
                found.shutdown(socket.SHUT_RDWR)
