"""Scopes: `category:level` words, how they are written, and which cover which.

    linodes:read_only domains:read_write      two scopes
    *                                         every scope, those of future categories included
                                              (the empty string) none

`read_write` covers `read_only`; `*` covers all and is never expanded. Commas separate as spaces do. Scopes of the
API's earlier years are understood: the levels `view` (read_only), `modify`, `create`, `delete` and `*` (read_write),
a bare category (read_write), and categories that token management has swallowed since.
"""

from functools import lru_cache

from patql.authority.policy import READ_ONLY, READ_WRITE, Policy
from patql.kernel.errors import Problem

EVERY = "*"
"""The scope that covers all others."""

_LEGACY_LEVELS = {
    "*": READ_WRITE,
    "view": READ_ONLY,
    "modify": READ_WRITE,
    "create": READ_WRITE,
    "delete": READ_WRITE,
}
_LEGACY_CATEGORIES = frozenset({"tokens", "clients", "users", "tickets", "managed"})
_RECALLED = 500  # characters of scopes whose canonical form is remembered: others would fill the memory
_NAMED = 100  # characters of an offending scope that a reason repeats


@lru_cache(maxsize=4096)
def covers(held: str, needed: str) -> bool:
    """Whether whoever holds the first scopes may do all that the second allow. Both are canonical."""
    held_set = _closure(held)
    return EVERY in held_set or _closure(needed) <= held_set


def words(text: str) -> list[str]:
    """The single scopes of a list with spaces or commas."""
    return text.replace(",", " ").split()


def read(text: str, policy: Policy) -> tuple[str, list[Problem]]:
    """Scopes as somebody wrote them, in canonical form, and what is wrong with them.

    Canonical is: `*` alone, or words of today's categories and levels with one space between, no category twice.
    Canonical text is returned as it was given, in its order; anything else is brought into that form.
    """
    recall = _recalled if len(text) <= _RECALLED else _read
    canonical, problems = recall(text, policy)
    return canonical, list(problems)


def _read(text: str, policy: Policy) -> tuple[str, tuple[Problem, ...]]:
    levels = policy.levels()
    granted = dict[str, str]()
    problems = list[Problem]()
    for word in dict.fromkeys(words(text)):
        category, level = _today(word, levels, policy.guard)
        if word == EVERY:
            granted[EVERY] = ""
        elif level not in levels.get(category, ()):
            problems.append(Problem(f"Unknown scope: {_named(word)}", "scopes"))
        elif granted.get(category) != READ_WRITE:
            granted[category] = level
    canonical = " ".join(f"{name}:{level}" for name, level in granted.items())
    return EVERY if EVERY in granted else canonical, tuple(problems)


_recalled = lru_cache(maxsize=1024)(_read)


def beyond(held: str, needed: str) -> list[Problem]:
    """A problem for each of the needed scopes that the held ones don't cover. Both are canonical."""
    if covers(held, needed):
        return []
    return [
        Problem(f"Scope beyond the acting token's: {scope}", "scopes")
        for scope in words(needed)
        if not covers(held, scope)
    ]


def _closure(text: str) -> frozenset[str]:
    scopes = set(words(text))
    scopes.update(
        f"{scope.removesuffix(READ_WRITE)}{READ_ONLY}"
        for scope in tuple(scopes)
        if scope.endswith(f":{READ_WRITE}")
    )
    return frozenset(scopes)


def _today(
    word: str, levels: dict[str, tuple[str, ...]], guard: str
) -> tuple[str, str]:
    """The category and level that a word of any year means today."""
    category, colon, level = word.partition(":")
    if category not in levels and category in _LEGACY_CATEGORIES:
        category = guard
    return category, _LEGACY_LEVELS.get(level, level) if colon else READ_WRITE


def _named(word: str) -> str:
    cut = word if len(word) <= _NAMED else word[:_NAMED] + "…"
    return cut.encode(errors="backslashreplace").decode()
