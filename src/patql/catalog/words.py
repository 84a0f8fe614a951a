"""Names that a statement can say as they are."""

import re
from collections.abc import Container

_NAME = re.compile(r"[a-z_][a-z0-9_]*")

_DATABASES = frozenset({"local", "main", "memory", "system", "temp"})
"""What the databases of local tables are called, and the schema that names are looked up in."""

_RESERVED = (
    "all analyse analyze and anti any array as asc asof asymmetric at authorization "
    "binary both by case cast check collate collation column columns concurrently "
    "constraint create cross default deferrable desc describe distinct do else end "
    "except false fetch for foreign freeze from full generated glob group having "
    "ilike in initially inner intersect into is isnull join lambda lateral leading "
    "left like limit map natural not notnull null offset on only or order outer "
    "overlaps pivot pivot_longer pivot_wider placing positional primary qualify "
    "references returning right select semi show similar some struct summarize "
    "symmetric table tablesample then to trailing true try_cast tuple union unique "
    "unpack unpivot using variadic verbose when where window with "
)
"""Words that DuckDB's grammar doesn't take for the name of a table (`duckdb_keywords()`: reserved, type_function)."""


def why_not(name: str, *, taken: Container[str]) -> str | None:
    """Why a name can't be a provider's without quotes; None where it can.

    Args:
        name: the name.
        taken: what other providers are called.
    """
    if name in taken:
        return "that is another provider's name"
    if not _NAME.fullmatch(name):
        return "that isn't a small letter or `_`, followed by small letters, digits and `_`"
    if name in _RESERVED.split():
        return "that is a word of SQL's own"
    if name in _DATABASES:
        return "that is where local tables are"
    return None
