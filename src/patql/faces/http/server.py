"""`patql serve`: uvicorn, on uvloop and httptools, around the application."""

import ipaddress
import signal
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from patql.faces.http import sockets
from patql.faces.http.app import log
from patql.faces.http.host import Host
from patql.faces.http.protocol import Protocol
from patql.faces.http.sockets import BACKLOG
from patql.faces.http.supervisor import Supervisor
from patql.kernel.errors import Code, PatqlError

APPLICATION = "patql.faces.http.app:application"
PORT = 8080
KEEP_ALIVE = 75
"""How long an idle connection stays open, in seconds."""
GRACE = 10
"""How long requests under way may take to end once the server is told to stop, in seconds."""
HEALTH = 30
"""How long a worker may take to start, or to say that it is alive, in seconds."""


def run(
    factory: str = APPLICATION,
    *,
    host: str = "127.0.0.1",
    port: int | None = PORT,
    unix: Path | None = None,
    admin: tuple[str, int] | None = None,
    workers: int = 1,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    insecure: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way, and return.

    Args:
        factory: `module:function` that makes the application of a `Host`; each worker calls it.
        host: the address to listen on, or a name of this machine.
        port: 0 for any that is free, None for a unix socket alone.
        unix: the path of a unix socket to listen on.
        admin: the address and port where health and metrics are told; None for nowhere.
        workers: processes.
        tls_cert: a file with the certificate and its chain, PEM.
        tls_key: a file with its private key, PEM.
        insecure: serve a public address without TLS.

    Raises:
        PatqlError: USAGE where it can't or must not listen there so; and whatever the factory raises.
    """
    _check_confidential(
        None if port is None else host, tls_cert, tls_key, insecure=insecure
    )
    shared = Host(workers)
    make = partial(import_from_string(factory), shared)
    application = make()
    if workers > 1:  # each makes its own; this one has shown that they can
        application.close()
    config = _config(make if workers > 1 else application, workers, tls_cert, tls_key)
    _check_tls(config)
    scheme = "http" if tls_cert is None else "https"
    with sockets.opened(host, port, unix, admin) as (listeners, shared.admin):
        where = [sockets.url(listener, scheme) for listener in listeners]
        told = f"patql serves {' and '.join(where)} until it is interrupted\n"
        log().tell("info", "start", told)
        if workers > 1:
            Supervisor(config, listeners).run()
        else:
            _serve(config, listeners)


def _check_confidential(
    host: str | None, tls_cert: Path | None, tls_key: Path | None, *, insecure: bool
) -> None:
    if (tls_cert is None) != (tls_key is None):
        raise PatqlError(
            Code.USAGE, "--tls-cert and --tls-key are given together or not at all"
        )
    if not (host is None or tls_cert or insecure or _is_loopback(host)):
        raise PatqlError(
            Code.USAGE,
            f"{host} can be reached from elsewhere, and tokens would pass there unencrypted",
            hint="give --tls-cert and --tls-key, or --insecure where something in front of it does TLS",
        )


def _config(
    application: str | Callable[..., Any],
    workers: int,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        workers=workers,
        factory=workers > 1,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=HEALTH,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )


def _serve(config: uvicorn.Config, listeners: list[socket.socket]) -> None:
    # uvicorn raises the signal again once it has stopped; by then it has been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _obeyed)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # it is ignored under nohup
        signal.signal(signal.SIGHUP, _ended)
    uvicorn.Server(config).run(listeners)


def _ended(_number: int, _frame: FrameType | None) -> None:
    """One process has nobody to hand over to."""
    signal.raise_signal(signal.SIGTERM)


def _obeyed(_number: int, _frame: FrameType | None) -> None:
    pass


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_tls(config: uvicorn.Config) -> None:
    """Find out in this process, before there are workers, whether certificate and key are any good."""
    if not config.is_ssl:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(config.ssl_certfile), config.ssl_keyfile)
    except OSError as error:  # ssl.SSLError is one
        raise PatqlError(
            Code.USAGE,
            f"the certificate {config.ssl_certfile} and key {config.ssl_keyfile} can't be used: {error}",
        ) from error
