"""`patql serve`: uvicorn, on uvloop and httptools, around the application."""

import ipaddress
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string
from uvicorn.supervisors.multiprocess import Multiprocess

from patql.faces.http.protocol import Protocol
from patql.kernel.errors import Code, PatqlError

APPLICATION = "patql.faces.http.app:application"
PORT = 8080
KEEP_ALIVE = 75
"""How long an idle connection stays open, in seconds."""
GRACE = 10
"""How long requests under way may take to end once the server is told to stop, in seconds."""
_BACKLOG = 2048


def run(
    factory: str = APPLICATION,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    workers: int = 1,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    insecure: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way, and return.

    Args:
        factory: `module:function` that makes the application; each worker calls it.
        host: the address to listen on, or a name of this machine.
        port: 0 for any that is free.
        workers: processes.
        tls_cert: a file with the certificate and its chain, PEM.
        tls_key: a file with its private key, PEM.
        insecure: serve a public address without TLS.

    Raises:
        PatqlError: USAGE where it can't or must not listen there so; and whatever the factory raises.
    """
    _check_confidential(host, tls_cert, tls_key, insecure=insecure)
    application = import_from_string(factory)()
    if workers > 1:  # each makes its own; this one has shown that they can
        application.close()
    served: str | Callable[..., Any] = factory if workers > 1 else application
    config = _config(served, workers, tls_cert, tls_key)
    _check_tls(config)
    listener = _listen(host, port)
    where = _url(listener, "http" if tls_cert is None else "https")
    sys.stderr.write(f"patql serves {where}/v4 until it is interrupted\n")
    sys.stderr.flush()
    if workers > 1:
        Multiprocess(config, [listener]).run()
    else:
        _serve(config, listener)


def _check_confidential(
    host: str, tls_cert: Path | None, tls_key: Path | None, *, insecure: bool
) -> None:
    if (tls_cert is None) != (tls_key is None):
        raise PatqlError(
            Code.USAGE, "--tls-cert and --tls-key are given together or not at all"
        )
    if tls_cert is None and not insecure and not _is_loopback(host):
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
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )


def _serve(config: uvicorn.Config, listener: socket.socket) -> None:
    # uvicorn raises the signal again once it has stopped; by then it has been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _obeyed)
    uvicorn.Server(config).run([listener])


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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Python tells the address a second time.
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]
        raise PatqlError(
            Code.USAGE,
            f"can't listen on port {port} of {host}: {reason}",
            hint="name another by --port or --host",
        ) from error


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
