"""What the workers of one host share."""

import socket
from dataclasses import dataclass, field

from patql.faces.http import limits, metrics
from patql.faces.http.memory import Memory


def _memory(workers: int) -> Memory:
    made = Memory(limits.SIZE + metrics.size(workers))
    limits.make_key(made)
    return made


@dataclass
class Host:
    """Made by the first process, and sent to each worker that it starts.

    Attributes:
        workers: how many processes there are at once.
        admin: the socket that those listen on who ask how the service is; None for none.
        memory: what they count in.
    """

    workers: int = 1
    admin: socket.socket | None = None
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = _memory(self.workers)
