"""Every setting in one table: name, default, variable, help."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret


class Setting(msgspec.Struct, frozen=True):
    """A setting: its name in `Settings`, the environment variable that gives it, its default in words, and what it does."""

    name: str
    variable: str
    default: str
    help: str


SETTINGS = (
    Setting(
        "url",
        "PATQL_URL",
        "the embedded authority",
        "The target of statements: a base URL that ends in /v4 or /v4beta.",
    ),
    Setting(
        "token",
        "PATQL_TOKEN",
        "the stored one",
        "The token to send, where a target is named; it belongs to PATQL_URL's origin where that is set.",
    ),
    Setting(
        "linode_token",
        "LINODE_TOKEN",
        "none",
        "The token to send to https://api.linode.com, and nowhere else.",
    ),
    Setting(
        "data_dir",
        "PATQL_DATA_DIR",
        "$XDG_DATA_HOME/patql, else ~/.local/share/patql (macOS: ~/Library/Application Support/patql)",
        "Where the embedded authority and the stored tokens are kept.",
    ),
    Setting(
        "db",
        "PATQL_DB",
        "the embedded authority's file",
        "The database of `serve`, `init` and `user`: sqlite:///PATH, or postgresql://USER@HOST:PORT/NAME.",
    ),
    Setting(
        "token_prefix",
        "PATQL_TOKEN_PREFIX",
        "pql_",
        "What new tokens begin with: 1 to 5 letters or digits and `_`.",
    ),
    Setting(
        "scopes",
        "PATQL_SCOPES",
        "Linode's categories",
        "The categories of scopes, separated by commas or spaces; `name:read_write` has that level only.",
    ),
    Setting(
        "token_scope",
        "PATQL_TOKEN_SCOPE",
        "account",
        "The category whose scopes guard the management of tokens; it exists even if not listed.",
    ),
    Setting(
        "lifetime_cap",
        "PATQL_LIFETIME_CAP",
        "off",
        "`on` refuses tokens that would outlive the token that creates them.",
    ),
    Setting(
        "log",
        "PATQL_LOG",
        "plain",
        "What `serve` writes of requests: `plain` lines, or a JSON object a line with `json`.",
    ),
    Setting(
        "proxies",
        "PATQL_PROXIES",
        "none",
        "Whose X-Forwarded-For `serve` believes: addresses, networks such as 10.0.0.0/8, and `unix`.",
    ),
    Setting(
        "limit_failures",
        "PATQL_LIMIT_FAILURES",
        "60/minute",
        "How often an address may send a token that nobody has, per `second`, `minute` or `hour`; `off`.",
    ),
    Setting(
        "limit_requests",
        "PATQL_LIMIT_REQUESTS",
        "off",
        "How often a token may be used at one host, such as 1000/minute.",
    ),
    Setting(
        "provider",
        "PATQL_PROVIDER",
        "linode",
        "What statements call the provider: with `acme` they say acme.profile.tokens.",
    ),
)


class Limit(msgspec.Struct, frozen=True):
    """How often something may happen: `count` times in so many `seconds`."""

    count: int
    seconds: int


_PERIODS = {"second": 1, "minute": 60, "hour": 3600}
_LARGEST = 60_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says; `SETTINGS` tells what each means. None: not given."""

    data_dir: Path
    url: str | None = None
    token: Secret | None = None
    linode_token: Secret | None = None
    db: str | None = None
    token_prefix: str | None = None
    scopes: tuple[str, ...] | None = None
    token_scope: str | None = None
    lifetime_cap: bool = False
    log: str = "plain"
    proxies: tuple[str, ...] = ()
    limit_failures: Limit | None = Limit(60, 60)
    limit_requests: Limit | None = None
    provider: str = "linode"


def read(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment; an empty variable counts as absent.

    Raises:
        PatqlError: USAGE, naming the variable and what it may hold.
    """
    given = {
        setting.name: environ[setting.variable]
        for setting in SETTINGS
        if environ.get(setting.variable)
    }
    return Settings(
        data_dir=_data_dir(given.get("data_dir"), environ),
        url=given.get("url"),
        token=_secret(given.get("token")),
        linode_token=_secret(given.get("linode_token")),
        db=given.get("db"),
        token_prefix=given.get("token_prefix"),
        scopes=_words(given.get("scopes")),
        token_scope=given.get("token_scope"),
        lifetime_cap=_switch(given.get("lifetime_cap", "off"), "PATQL_LIFETIME_CAP"),
        log=_choice(given.get("log", "plain"), ("plain", "json"), "PATQL_LOG"),
        proxies=_proxies(given.get("proxies")),
        limit_failures=_limit(
            given.get("limit_failures", "60/minute"), "PATQL_LIMIT_FAILURES"
        ),
        limit_requests=_limit(
            given.get("limit_requests", "off"), "PATQL_LIMIT_REQUESTS"
        ),
        provider=given.get("provider", "linode"),
    )


def check_database(url: str) -> None:
    """Refuse what is no database URL.

    Raises:
        PatqlError: USAGE for anything but `sqlite:///PATH` and what begins with `postgresql://`.
    """
    if not is_postgres(url):
        database_path(url)


def is_postgres(url: str) -> bool:
    """Whether a database URL names a PostgreSQL; libpq takes it as it is (PostgreSQL documentation, "Connection URIs")."""
    return url.startswith(("postgresql://", "postgres://"))


def database_path(url: str) -> Path:
    """The file that a database URL names; after the third slash `sqlite:///PATH` is relative unless it has a fourth.

    Raises:
        PatqlError: USAGE for anything but `sqlite:///PATH`.
    """
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        likely = f"sqlite:///{url}" if ":" not in url and url else "sqlite:///tokens.db"
        raise PatqlError(
            Code.USAGE,
            f"{url!r} isn't a database URL that PatQL knows",
            hint=f"it is written postgresql://USER@HOST:PORT/NAME, or sqlite:///PATH, such as {likely}",
        )
    return Path(path)


def _data_dir(given: str | None, environ: Mapping[str, str]) -> Path:
    if given is not None:
        if not Path(given).is_absolute():
            raise PatqlError(
                Code.USAGE, f"PATQL_DATA_DIR must be an absolute path, not {given!r}"
            )
        return Path(given)
    xdg = environ.get("XDG_DATA_HOME", "")
    if Path(xdg).is_absolute():  # relative ones are to be ignored (XDG Base Directory)
        return Path(xdg, "patql")
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if sys.platform == "darwin":
        return home / "Library/Application Support/patql"
    return home / ".local/share/patql"


def _secret(given: str | None) -> Secret | None:
    return Secret(given.strip()) if given and given.strip() else None


def _words(given: str | None) -> tuple[str, ...] | None:
    return tuple(given.replace(",", " ").split()) if given else None


def _proxies(given: str | None) -> tuple[str, ...]:
    """Networks as `ipaddress` reads them, and `unix`."""
    words = _words(given) or ()
    if not words:
        return words
    import ipaddress

    for word in words:
        try:
            if word != "unix":
                ipaddress.ip_network(word)
        except ValueError:
            raise PatqlError(
                Code.USAGE,
                f"PATQL_PROXIES holds {word!r}, which is no address, network or `unix`",
                hint="networks are written with their first address, such as 10.0.0.0/8",
            ) from None
    return words


def _limit(given: str, variable: str) -> Limit | None:
    if given == "off":
        return None
    count, _, period = given.partition("/")
    if count.isdecimal() and 0 < int(count) <= _LARGEST and period in _PERIODS:
        return Limit(int(count), _PERIODS[period])
    raise PatqlError(
        Code.USAGE,
        f"{variable} is `off` or a number per second, minute or hour, not {given!r}",
        hint=f"such as 60/minute; the largest number is {_LARGEST}",
    )


def _choice(given: str, choices: tuple[str, ...], variable: str) -> str:
    if given not in choices:
        told = " or ".join(f"`{choice}`" for choice in choices)
        raise PatqlError(Code.USAGE, f"{variable} is {told}, not {given!r}")
    return given


def _switch(given: str, variable: str) -> bool:
    if given not in {"on", "off"}:
        raise PatqlError(Code.USAGE, f"{variable} is `on` or `off`, not {given!r}")
    return given == "on"
