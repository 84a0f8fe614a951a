"""What a verification over HTTP costs: `/authorize`, against better-auth on Node and two Django packages on granian."""

import json
import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.authorize import PATH
from bench.peers_installed import SOURCES, node, python
from bench.serve import CONNECTIONS, serving, spent
from bench.serving import await_listener, compared, cores, free_port, on_core

from patql import Authority

TOKENS = 1_000
"""In each database; all are presented, in turns."""
REQUESTS = 20_000
FEWER = 3_000
"""How many requests a peer has in a round, which takes it longer."""
BAR = 1 / 15
STORAGES = {
    "deferred": "SQLite, updates deferred",
    "memory": "its process's memory, which a restart empties",
}
"""How better-auth keeps keys. What isn't kept is another thing, so that has no bar."""


class Served(NamedTuple):
    """A server to be measured, and what to ask it."""

    name: str
    pid: int
    port: int
    path: str
    secrets: list[str]
    bar: float | None = BAR

    def microseconds(self, count: int) -> float:
        """CPU of its process tree for each of so many requests, every one of which it must answer with 200."""
        secrets = self.secrets
        requests = [f"{self.path} {secrets[n % len(secrets)]}" for n in range(count)]
        return spent(self.pid, self.port, requests, CONNECTIONS)


def run(rounds: int) -> list[dict[str, Any]]:
    """CPU of each server's process tree, in turns; all on one core, the load from another."""
    client, server = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with on_core(server):
            ours = stack.enter_context(_patql(folder / "tokens.db"))
            peers = [
                *(stack.enter_context(_better_auth(folder, how)) for how in STORAGES),
                *stack.enter_context(_django(folder / "django.db")),
            ]
        with on_core(client):
            turns = [
                (
                    ours.microseconds(REQUESTS),
                    *(peer.microseconds(FEWER) for peer in peers),
                )
                for _ in range(rounds + 1)  # the first one fills caches
            ][1:]
    costs, *others = (list(column) for column in zip(*turns, strict=True))
    return [
        compared(
            f"{ours.name}, server process tree",
            peer.name,
            peer.bar,
            costs,
            times,
            "CPU µs a request",
        )
        for peer, times in zip(peers, others, strict=True)
    ]


@contextmanager
def _patql(path: Path) -> Generator[Served]:
    with Authority(path) as authority:
        secrets = [
            authority.issue(f"user-{n}", scopes="linodes:read_only").secret.reveal()
            for n in range(TOKENS)
        ]
    environment = {**os.environ, "PATQL_DB": f"sqlite:///{path}"}
    with serving("patql.faces.http.app:application", environment) as (pid, port):
        name = f"/authorize, a scope needed, {TOKENS:,} tokens"
        yield Served(name, pid, port, PATH, secrets)


@contextmanager
def _better_auth(folder: Path, storage: str) -> Generator[Served]:
    path = folder / f"better-auth-{storage}.db"
    with subprocess.Popen(
        ["node", "better_auth.mjs", path, str(TOKENS), storage],
        cwd=node(),
        env={**os.environ, "NODE_ENV": "production"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            made = json.loads(process.stdout.readline())
            name = f"better-auth verifyApiKey on node:http, permissions needed; keys in {STORAGES[storage]}"
            bar = None if storage == "memory" else BAR
            yield Served(name, process.pid, made["port"], "/", made["keys"], bar)
        finally:
            process.terminate()


@contextmanager
def _django(path: Path) -> Generator[list[Served]]:
    """Both Django packages, in one server."""
    environment = {**os.environ, "PEERS_DB": str(path)}
    made = subprocess.run(
        [python(), "django_calls.py", str(TOKENS)],
        cwd=SOURCES,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    tokens = json.loads(made.stdout)
    port = free_port()
    options = f"--interface wsgi --blocking-threads 1 --no-ws --log-level warning --port {port}"
    with subprocess.Popen(
        [python().parent / "granian", *options.split(" "), "django_site:application"],
        cwd=SOURCES,
        env=environment,
    ) as process:
        try:
            await_listener(("127.0.0.1", port))
            yield [
                Served(f"{name} on granian, no scope", process.pid, port, where, tokens[where[1:]])
                for name, where in (
                    ("django-rest-knox", "/knox"),
                    ("djangorestframework-api-key", "/api-key"),
                )
            ]  # fmt: skip
        finally:
            process.terminate()
