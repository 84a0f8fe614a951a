"""The nemesis does all that it is there for, to real processes and real wires, and lets everything recover."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import Cluster
from tests.prove import nemesis
from tests.prove.fleet import Server, until_listening
from tests.prove.nemesis import Nemesis
from tests.prove.proxy import Fault, Proxy
from tests.prove.wording import Product

pytestmark = pytest.mark.slow

# Takes connections, and does nothing else.
_IDLE = (
    "import socket, sys, time;"
    "s = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=99);"
    "time.sleep(999)"
)


class Watched(Server):
    """A process whose state is looked at whenever something was done to it."""

    seen: Counter[str]

    def _state(self) -> str:
        text = Path(f"/proc/{self.pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0]

    def kill(self) -> None:
        before = self.pid
        super().kill()
        self.seen["killed"] += not Path(f"/proc/{before}").exists()

    def pause(self) -> None:
        super().pause()
        while self._state() != "T":  # stopped
            pass
        self.seen["paused"] += 1


class Wire(Proxy):
    """A wire that tells of its faults."""

    seen: Counter[str]

    def set(self, fault: Fault | None) -> None:
        super().set(fault)
        self.seen["mended" if fault is None else fault] += 1


class Crashing:
    """Stands for a PostgreSQL, which others crash for real."""

    seen: Counter[str]

    def restart(self) -> None:
        self.seen["PostgreSQL crashed"] += 1


@pytest.mark.parametrize("on_postgres", [False, True])
def test_every_deed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on_postgres: bool
) -> None:
    """SIGKILL and SIGSTOP; on PostgreSQL stalls, lost answers, cuts and crashes too; afterwards all run again."""
    for name in ("_REST", "_PAUSE", "_DOWN"):
        monkeypatch.setattr(nemesis, name, (0.0, 0.01))
    monkeypatch.setattr(nemesis, "_RESTARTS", 0.3)
    seen = Counter[str]()
    wanted = {"killed", "paused"}
    if on_postgres:
        wanted |= {*Fault, "PostgreSQL crashed"}
    servers: list[Server] = []
    for number in range(3):
        command = ["-c", _IDLE, "{port}"]
        watched = Watched(f"s{number}", command, Product(), tmp_path, {})
        watched.seen = seen
        servers.append(watched)

    async def run() -> Nemesis:
        wires: dict[str, Proxy] = {}
        for server in servers if on_postgres else ():
            wire = Wire(1)
            wire.seen = seen
            wires[server.name] = wire
        crashing: Any = Crashing()
        crashing.seen = seen
        cluster: Cluster | None = crashing if on_postgres else None
        for server in servers:
            await until_listening(server)
        made = Nemesis(random.Random(7), servers, wires, cluster)
        async with asyncio.timeout(60):
            await made.run(lambda: wanted <= seen.keys())
        assert all(wire.fault is None for wire in wires.values())
        return made

    for server in servers:
        server.start()
    try:
        made = asyncio.run(run())
        assert all(server.listens() and not server.paused for server in servers)
    finally:
        for server in servers:
            server.kill()
    assert made.done.keys() == wanted
    for deed in wanted:
        assert made.done[deed] <= seen[deed]
