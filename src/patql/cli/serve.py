"""`patql serve`."""

import argparse
import os
from pathlib import Path

from patql.cli.database import database, describe_database
from patql.faces.console.exits import OK
from patql.kernel.errors import Code, PatqlError


def describe(parser: argparse.ArgumentParser) -> None:
    """Add where and how it listens."""
    parser.description = "Serve the API over HTTP until interrupted."
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument(
        "--port", type=_port, help="8080; none with --unix; 0 takes a free one"
    )
    parser.add_argument(
        "--unix", type=Path, metavar="PATH", help="listen on a unix socket (mode 0660)"
    )
    parser.add_argument(
        "--admin",
        type=_admin,
        metavar="[HOST:]PORT",
        help="tell health and metrics there; HOST is 127.0.0.1 if omitted",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    describe_database(parser)
    parser.add_argument(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="the certificate and its chain, PEM",
    )
    parser.add_argument(
        "--tls-key", type=Path, metavar="FILE", help="its private key, PEM"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="serve a public address without TLS"
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 16:
        message = f"it must be a number from 0 to 65535, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _admin(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", _port(port)


def act(given: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from patql.faces.http.server import run

    if given.workers < 1:
        raise PatqlError(Code.USAGE, "--workers must be 1 or more")
    os.environ.update(database(given))  # workers are processes of their own
    tcp = 8080 if given.unix is None else None
    run(
        host=given.host,
        port=tcp if given.port is None else given.port,
        unix=given.unix,
        admin=given.admin,
        workers=given.workers,
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        insecure=given.insecure,
    )
    return OK
