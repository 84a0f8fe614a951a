"""The sockets that a server listens on: opened before there are workers, which share them, and so stay open while one goes."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISSOCK

from patql.kernel.errors import Code, PatqlError

BACKLOG = 2048
MODE = 0o660
"""A unix socket is for its owner and its group: put the gateway into that group."""


@contextmanager
def opened(
    host: str, port: int | None, unix: Path | None, admin: tuple[str, int] | None
) -> Generator[tuple[list[socket.socket], socket.socket | None]]:
    """The sockets of the service, and the one of those who watch over it.

    Raises:
        PatqlError: USAGE where one can't be had.
    """
    with ExitStack() as stack:
        listeners: list[socket.socket] = []
        if port is not None:
            listeners.append(stack.enter_context(_tcp(host, port, "--port or --host")))
        if unix is not None:
            listeners.append(stack.enter_context(_unix(unix)))
        watching = admin and stack.enter_context(_tcp(*admin, "--admin"))
        yield listeners, watching


def url(listener: socket.socket, scheme: str) -> str:
    """Where the API is on a socket."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{scheme}://{where}/v4"


def _tcp(host: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # Python tells the address a second time.
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]
        raise PatqlError(
            Code.USAGE,
            f"can't listen on port {port} of {host}: {reason}",
            hint=f"name another by {option}",
        ) from error


@contextmanager
def _unix(path: Path) -> Generator[socket.socket]:
    """A unix socket, which goes with the server unless another has taken its place."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        _remove_left(path)
        before = os.umask(0o777 & ~MODE)  # so that it is never anyone else's
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PatqlError(
            Code.USAGE,
            f"can't listen on {path}: {error.strerror or error}",
            hint="name another path by --unix",
        ) from error
    own = path.stat().st_ino
    try:
        yield listener
    finally:
        listener.close()
        with suppress(OSError):
            if path.stat().st_ino == own:
                path.unlink()


def _remove_left(path: Path) -> None:
    """Remove the socket of a server that ended without doing so.

    Raises:
        OSError: it is no socket, or somebody listens on it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not S_ISSOCK(mode):
        msg = "there is a file"
        raise OSError(msg)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    msg = "another server listens there"
    raise OSError(msg)
