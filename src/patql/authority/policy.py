"""What a team that runs the authority decides: the token prefix, the scope categories, the guard, the lifetime cap."""

import re

import msgspec

from patql.kernel.errors import Code, PatqlError

READ_ONLY = "read_only"
READ_WRITE = "read_write"

LINODE_CATEGORIES = (
    "account",
    "child_account",
    "databases",
    "domains",
    "events",
    "firewall",
    "images",
    "ips",
    "linodes",
    "lke",
    "longview",
    "monitor",
    "nodebalancers",
    "object_storage",
    "stackscripts",
    "volumes",
    "vpc:read_write",
)
"""The parts of a Linode account that a token can be given (Linode API v4, OAuth scopes)."""

_PREFIX = re.compile(r"[0-9A-Za-z]{1,5}_")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Policy(msgspec.Struct, frozen=True):
    """The settings of an authority.

    Attributes:
        prefix: what new tokens begin with: 1 to 5 letters or digits and `_`. Tokens of an earlier prefix stay good.
        categories: what scopes are about, each `name`, or `name:read_write` where only that level exists.
        guard: the category that guards token management; it exists even where `categories` doesn't list it.
        lifetime_cap: whether a new token must expire no later than the token that creates it.

    Raises:
        PatqlError: USAGE, for a setting that makes no sense.
    """

    prefix: str = "pql_"
    categories: tuple[str, ...] = LINODE_CATEGORIES
    guard: str = "account"
    lifetime_cap: bool = False

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise PatqlError(
                Code.USAGE,
                f"token_prefix {self.prefix!r} must be 1 to 5 letters or digits and then `_`, as in `acme_`",
            )
        if not _NAME.fullmatch(self.guard):
            raise PatqlError(
                Code.USAGE,
                f"guard {self.guard!r} must be a category's name: small letters, digits and `_`",
            )
        names = set[str]()
        for entry in self.categories:
            name, colon, level = entry.partition(":")
            if not _NAME.fullmatch(name) or (colon and level != READ_WRITE):
                raise PatqlError(
                    Code.USAGE,
                    f"scope category {entry!r} must be a name of small letters, digits and `_`, or such a name and `:read_write`",
                )
            if name in names:
                raise PatqlError(Code.USAGE, f"scope category {name!r} is listed twice")
            names.add(name)

    def levels(self) -> dict[str, tuple[str, ...]]:
        """Each category with its levels, the guard included, in the order of the setting."""
        levels = dict[str, tuple[str, ...]]()
        for entry in self.categories:
            name, only_write, _ = entry.partition(":")
            levels[name] = (READ_WRITE,) if only_write else (READ_ONLY, READ_WRITE)
        levels.setdefault(self.guard, (READ_ONLY, READ_WRITE))
        return levels
