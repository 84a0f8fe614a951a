"""Load for a server, from a process of its own: GETs over keep-alive connections, one at a time on each.

`python -m bench.load PORT CONNECTIONS` reads requests from standard input, one `path token` a line, sends them all, and
prints how many answers were 200. All connections send before the first answer is read, so that the server is never
idle; this side costs less than the server does, and its CPU isn't counted.
"""

import socket
import sys
from itertools import islice

REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nAccept: */*\r\n\r\n"


def main() -> None:
    """Send what standard input lists."""
    port, connections = int(sys.argv[1]), int(sys.argv[2])
    requests = iter(
        [
            REQUEST.format(*line.split(" ")).encode()
            for line in sys.stdin.read().splitlines()
        ]
    )
    sockets = [
        socket.create_connection(("127.0.0.1", port)) for _ in range(connections)
    ]
    good = 0
    while batch := list(islice(requests, connections)):
        for connection, request in zip(sockets, batch, strict=False):
            connection.sendall(request)
        for connection in sockets[: len(batch)]:
            good += _answer(connection)
    print(good)


def _answer(connection: socket.socket) -> bool:
    """Read one answer to its end; whether it is a 200."""
    data = connection.recv(1 << 18)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().rpartition(b"content-length: ")[2].split(b"\r\n")[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return data.startswith(b"HTTP/1.1 200")


if __name__ == "__main__":
    main()
