"""Whose request it is: the address of the peer, or the one that a proxy of ours says it had."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from patql.kernel.http import Headers

UNIX = "unix"
"""What stands for the address of a peer on a unix socket."""
NOBODY = "-"
"""What stands for that of a peer that has none, since it is gone already."""

_LONGEST = 500  # bytes of X-Forwarded-For whose meaning is remembered

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies whose X-Forwarded-For counts.

    Args:
        trusted: addresses and networks, and `unix` for whoever reaches a unix socket.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._unix = UNIX in trusted
        self._networks = [
            ipaddress.ip_network(each) for each in trusted if each != UNIX
        ]
        self.trusts = lru_cache(maxsize=4096)(self._trusts)
        self._client = lru_cache(maxsize=4096)(self._read)

    def client(self, peer: str, headers: Headers) -> str:
        """The address that a request came from.

        Where the peer is a proxy of ours, it is the right-most address in X-Forwarded-For that isn't one: each proxy
        adds at the right whom it had, and what is left of the first stranger is that stranger's own tale.
        """
        if not self.trusts(peer):
            return peer
        sent = [value for name, value in headers if name == b"x-forwarded-for"]
        if not sent:
            return peer
        said = b",".join(sent)
        # Longer ones would fill the memory: a client writes what it likes at the left.
        return (
            self._client(peer, said)
            if len(said) <= _LONGEST
            else self._read(peer, said)
        )

    def _read(self, peer: str, forwarded: bytes) -> str:
        nearest = peer
        for said in reversed(forwarded.decode("latin-1").split(",")):
            address = _address(_without_port(said.strip()))
            if address is None:
                break
            nearest = str(address)
            if not self.trusts(nearest):
                break
        return nearest

    def _trusts(self, peer: str) -> bool:
        if peer == UNIX:
            return self._unix
        address = _address(peer)
        return address is not None and any(
            address in network for network in self._networks
        )


def source(client: str) -> bytes | None:
    """What failures of a client are counted by; None for one that can't be told from others, or is this machine.

    A subscriber has a whole /64 of IPv6, so that is one source (RFC 6177, section 2).
    """
    address = _address(client)
    if address is None or address.is_loopback:
        return None
    return address.packed[:8]


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _without_port(said: str) -> str:
    """An address as proxies write it: some add the port."""
    if said.startswith("["):
        return said[1:].partition("]")[0]
    host, colon, port = said.rpartition(":")
    return host if colon and "." in host and port.isdigit() else said
