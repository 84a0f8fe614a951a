"""What nginx's auth_request costs with `/authorize` behind it, against a constant: CPU of both servers."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.authorize import PATH
from bench.serve import CONNECTIONS, cpu, spent
from bench.serving import ROOT, await_listener, compared, cores, free_port, on_core

from patql import Authority

TOKENS = 1_000
REQUESTS = 30_000
BAR = 1.5
FILE = b"x" * 200
"""What is asked for."""
ENDLESS = 1_000_000_000
"""Requests that one connection may carry."""
CONFIGURATION = """
daemon off;
user root;  # who isn't root runs all of it anyway
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests {endless};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_pass_request_body off;
    proxy_pass_request_headers off;
    proxy_set_header Connection "";
    proxy_set_header Content-Length "";
    proxy_set_header Host $host;
    proxy_set_header Authorization $http_authorization;
    proxy_set_header X-Forwarded-For $remote_addr;
    upstream authority {{ server unix:{folder}/patql.sock; keepalive 64; keepalive_requests {endless}; }}
    upstream constant {{ server unix:{folder}/constant.sock; keepalive 64; keepalive_requests {endless}; }}
    server {{
        listen unix:{folder}/constant.sock;
        return 204;
    }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location /checked/ {{ auth_request /_authorize; }}
        location /constant/ {{ auth_request /_constant; }}
        location = /_authorize {{ internal; proxy_pass http://authority{path}; }}
        location = /_constant {{ internal; proxy_pass http://constant/; }}
    }}
}}
"""


class Servers(NamedTuple):
    """Two process ids, and where nginx listens."""

    patql: int
    nginx: int
    port: int


def run(rounds: int) -> list[dict[str, Any]]:
    """A small file asked for, with either behind auth_request, in turns; on one core, the load from another."""
    client, server = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secrets = _fill(folder / "tokens.db")
        for path in ("checked", "constant"):
            (folder / "files" / path).mkdir(parents=True)
            (folder / "files" / path / "file").write_bytes(FILE)
        with on_core(server), _servers(folder) as servers, on_core(client):
            turns = [
                (
                    _spent(servers, "/checked/file", secrets),
                    _spent(servers, "/constant/file", secrets),
                )
                for _ in range(rounds + 1)  # the first one fills caches
            ][1:]
    return [
        compared(
            "nginx with auth_request to /authorize on a unix socket, CPU of both",
            "nginx with auth_request to its own constant 204 on a unix socket",
            BAR,
            [checked for checked, _ in turns],
            [constant for _, constant in turns],
            "CPU µs a request",
        )
    ]


def _fill(path: Path) -> list[str]:
    with Authority(path) as authority:
        return [
            authority.issue("bench", scopes="linodes:read_only").secret.reveal()
            for _ in range(TOKENS)
        ]


@contextmanager
def _servers(folder: Path) -> Generator[Servers]:
    """PatQL on a unix socket, and nginx with one worker."""
    at = f"{folder}/patql.sock"
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, port=port, path=PATH, endless=ENDLESS)
    )
    environment = {"PATQL_DB": f"sqlite:///{folder}/tokens.db"}
    serve = f"{sys.executable} -m patql serve --unix {at}"
    with (
        _running(serve, environment, stderr=subprocess.DEVNULL) as patql,
        _running(f"nginx -e stderr -p {folder} -c {configuration}", {}) as nginx,
    ):
        await_listener(at)
        await_listener(("127.0.0.1", port))
        yield Servers(patql, nginx, port)


@contextmanager
def _running(
    command: str, environment: dict[str, str], stderr: int | None = None
) -> Generator[int]:
    """A process until it isn't needed: its id."""
    with subprocess.Popen(
        command.split(), cwd=ROOT, env={**os.environ, **environment}, stderr=stderr
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _spent(servers: Servers, path: str, secrets: list[str]) -> float:
    """CPU that both servers spend on a request, in microseconds."""
    requests = [f"{path} {secrets[n % len(secrets)]}" for n in range(REQUESTS)]
    before = cpu(servers.patql)
    by_nginx = spent(servers.nginx, servers.port, requests, CONNECTIONS)
    return by_nginx + (cpu(servers.patql) - before) / 1000 / REQUESTS
