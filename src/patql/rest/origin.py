"""Where a credential belongs: the target's base URL, and its origin (RFC 6454)."""

import re
from ipaddress import IPv4Address, IPv6Address

import msgspec

from patql.kernel.errors import Code, PatqlError

_ORIGIN = r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[0-9a-z.-]+)(?::(?P<port>[0-9]{1,5}))?"
_BASE = re.compile(_ORIGIN + r"(?P<path>(?:/[0-9A-Za-z._~-]+)*/v4(?:beta)?)")
_SERVER = re.compile(_ORIGIN + r"(?P<path>(?:/[0-9A-Za-z._~!$&'()*+,;=:@%-]+)*)/?")
_NUMERIC = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$")
"""Ends in a number, which makes it an IPv4 address (WHATWG URL), in notations that not everyone reads alike."""
_DEFAULT_PORT = {"http": 80, "https": 443}
_PORTS = range(1, 65_536)


class Base(msgspec.Struct, frozen=True):
    """A target's base URL.

    Attributes:
        url: as requests are made from it: no trailing slash, the host in lower case.
        origin: scheme, host, and port unless it is the scheme's own; the same for two spellings of one server.
        exposed: whether what is sent can be read on the way: plain http to a host that isn't loopback.
        path: of the URL, empty or beginning with a slash.
    """

    url: str
    origin: str
    exposed: bool
    path: str


def parse(given: str) -> Base:
    """A base URL as a person wrote it. Only what every URL parser reads alike is accepted.

    Raises:
        PatqlError: USAGE, with the URL that was likely meant.
    """
    found = _match(_BASE, _folded(given))
    if found is None:
        shown = _without_userinfo(given)
        beside = "" if shown == given else " with a user or password in front"
        raise PatqlError(
            Code.USAGE,
            f"{shown!r} can't be a target{beside}: a target is an http or https URL that ends in /v4 or /v4beta",
            hint=_likely(given),
        )
    return _base(found)


def parse_server(given: str) -> Base:
    """Any server's base URL, with a path or without.

    Raises:
        PatqlError: USAGE.
    """
    found = _match(_SERVER, _folded(given))
    if found is None:
        raise PatqlError(
            Code.USAGE,
            f"{_without_userinfo(given)!r} can't be asked: requests go to an http or https URL without user, query and fragment",
        )
    return _base(found)


def _folded(given: str) -> str:
    """Scheme and host in lower case."""
    scheme, _, rest = given.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def _base(found: re.Match[str]) -> Base:
    scheme, host = found["scheme"], found["host"]
    port = int(found["port"] or _DEFAULT_PORT[scheme])
    if isinstance(address := _address(host), IPv6Address):
        host = f"[{address.compressed}]"
    own_port = port == _DEFAULT_PORT[scheme]
    origin = f"{scheme}://{host}" + ("" if own_port else f":{port}")
    exposed = scheme == "http" and not _is_loopback(host)
    return Base(found[0].rstrip("/"), origin, exposed, found["path"])


def _match(pattern: re.Pattern[str], url: str) -> re.Match[str] | None:
    found = pattern.fullmatch(url)
    if found is None or {".", ".."} & set(found["path"].split("/")):
        return None
    host = found["host"]
    if (host[0] == "[" or _NUMERIC.search(host)) and _address(host) is None:
        return None
    if "xn--" in host and not _is_international(host):
        return None
    return found if int(found["port"] or 1) in _PORTS else None


def _is_international(host: str) -> bool:
    """Whether each label in Punycode stands for a name (RFC 5890)."""
    try:
        host.encode().decode("idna")
    except UnicodeError:
        return False
    return True


def _without_userinfo(given: str) -> str:
    """The URL without `user:password@`, which must not be shown."""
    return re.sub(r"//[^/\\]*@", "//", given)


def _likely(given: str) -> str:
    bare = re.sub(r"^[A-Za-z]*:?//", "", _without_userinfo(given.strip()))
    bare = re.sub(r"[?#].*|/+$", "", bare)
    bare = re.sub(r"/v4(beta)?(/.*)?$", "", bare, flags=re.IGNORECASE)
    version = "/v4beta" if "/v4beta" in given.lower() else "/v4"
    host = re.sub(r"(:[0-9]*)?(/.*)?$", "", bare).lower()
    plain = _is_loopback(host) or given.lower().startswith("http:")
    likely = f"{'http' if plain else 'https'}://{bare}{version}"
    return (
        f"perhaps {likely}"
        if _match(_BASE, likely)
        else "such as http://127.0.0.1:8080/v4"
    )


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(host[1:-1]) if host[:1] == "[" else IPv4Address(host)
    except ValueError:
        return None
