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
        "The database of `serve`, `init` and `user`: sqlite:///PATH.",
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
)


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
    )


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
            hint=f"it is written sqlite:///PATH, such as {likely}",
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


def _switch(given: str, variable: str) -> bool:
    if given not in {"on", "off"}:
        raise PatqlError(Code.USAGE, f"{variable} is `on` or `off`, not {given!r}")
    return given == "on"
