"""The four gateways, each run with its own file of docs/gateways, of which only addresses are changed."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[2] / "docs" / "gateways"
HERE, AUTHORITY, PRODUCT = 8000, 8080, 9000
"""Ports that every file names: the gateway's own, the authority's, and the product's."""
READING = "linodes:read_only"
"""The scope that every file requires for reading."""
SOCKET = "/run/patql/patql.sock"

_START = 20  # seconds
_NGINX = """\
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {given};
}}
"""


class Gateway(NamedTuple):
    """How to run one.

    Attributes:
        file: in docs/gateways.
        programs: names of its program.
        command: its arguments, for the program, the file to run with, the gateway's port and a folder to write in.
        sockets: the lines by which its file changes from TCP to a Unix socket: each as it is, and as it becomes.
    """

    file: str
    programs: tuple[str, ...]
    command: Callable[[str, Path, int, Path], list[str]]
    sockets: tuple[tuple[str, str], ...] = ()


def _nginx(program: str, given: Path, _port: int, folder: Path) -> list[str]:
    main = folder / "main.conf"
    main.write_text(_NGINX.format(folder=folder, given=given))
    return [program, "-p", str(folder), "-c", str(main), "-g", "user root;"]


def _caddy(program: str, given: Path, _port: int, folder: Path) -> list[str]:
    main = folder / "main"
    main.write_text(f"{{\n\tadmin off\n}}\nimport {given}\n")
    return [program, "run", "--config", str(main), "--adapter", "caddyfile"]


def _traefik(program: str, given: Path, port: int, _folder: Path) -> list[str]:
    return [
        program,
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"--providers.file.filename={given}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]


def _envoy(program: str, given: Path, _port: int, _folder: Path) -> list[str]:
    one = ["--concurrency", "1", "--disable-hot-restart"]
    return [program, "--config-path", str(given), "--log-level", "warning", *one]


GATEWAYS = {
    "nginx": Gateway(
        "nginx.conf",
        ("nginx",),
        _nginx,
        (
            ("    server 127.0.0.1:8080;\n", ""),
            (f"    # server unix:{SOCKET};", f"    server unix:{SOCKET};"),
        ),
    ),
    "caddy": Gateway(
        "Caddyfile",
        ("caddy",),
        _caddy,
        (
            (
                "forward_auth @reads 127.0.0.1:8080 {",
                f"forward_auth @reads unix/{SOCKET} {{",
            ),
            (
                "forward_auth @changes 127.0.0.1:8080 {",
                f"forward_auth @changes unix/{SOCKET} {{",
            ),
        ),
    ),
    "traefik": Gateway("traefik.yaml", ("traefik",), _traefik),
    "envoy": Gateway(
        "envoy.yaml",
        ("envoy",),
        _envoy,
        (
            ("socket_address: { address: 127.0.0.1, port_value: 8080 }", ""),
            (f"# pipe: {{ path: {SOCKET} }}", f"pipe: {{ path: {SOCKET} }}"),
        ),
    ),
}


@contextmanager
def running(
    gateway: Gateway,
    program: str,
    authority: int | Path,
    product: int,
    *,
    reading: str = READING,
) -> Generator[int]:
    """Run a gateway before a product; gives the gateway's port.

    Args:
        gateway: which.
        program: its program's path.
        authority: the port or the Unix socket where the authority answers.
        product: the port where the product does.
        reading: the scopes that GET and HEAD need, with `+` between them.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="patql-gateway-") as name:
        folder = Path(name)
        given = folder / gateway.file
        text = configuration(gateway, port, authority, product)
        given.write_text(text.replace(READING, reading))
        log = folder / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                gateway.command(program, given, port, folder),
                stdout=output,
                stderr=output,
                env={"HOME": name, "PATH": "/usr/bin:/bin"},
            ) as process,
        ):
            try:
                _wait(port, process, log)
                yield port
            finally:
                process.terminate()
                process.wait(20)


def configuration(
    gateway: Gateway, port: int, authority: int | Path, product: int
) -> str:
    """A gateway's file with other addresses."""
    text = (DOCS / gateway.file).read_text()
    if isinstance(authority, Path):
        for before, after in gateway.sockets:
            assert text.count(before) == 1, f"{gateway.file} has no {before!r}"
            text = text.replace(before, after)
        text = text.replace(SOCKET, str(authority))
    else:
        text = text.replace(str(AUTHORITY), str(authority))
    return text.replace(str(HERE), str(port)).replace(str(PRODUCT), str(product))


def free_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers by its file: Traefik listens before it has read it, and finds nothing until then."""
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=_START)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status != HTTPStatus.NOT_FOUND:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    raise AssertionError(log.read_text(errors="replace"))
