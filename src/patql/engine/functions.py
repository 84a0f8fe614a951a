"""SQLite's functions, and StackQL's, that DuckDB lacks: macros, made when a statement mentions their names.

Each means what it means there. A function that DuckDB has keeps DuckDB's meaning. Where SQLite answers NULL for text that
is no date, an error says so.
"""

import re

from sqlglot import exp

_INSTANT = """
    CASE CAST({0} AS VARCHAR) WHEN 'now' THEN CAST(now() AS TIMESTAMP) ELSE CAST({0} AS TIMESTAMP) END
"""
"""A date, a time stamp, or text that reads as one; SQLite's `now` is the statement's."""

_MODIFIED = """
    CASE
        WHEN m IS NULL THEN NULL
        WHEN m = 'start of day' THEN date_trunc('day', t)
        WHEN m = 'start of month' THEN date_trunc('month', t)
        WHEN m = 'start of year' THEN date_trunc('year', t)
        WHEN regexp_full_match(m, '[+-]?\\d{1,6} (second|minute|hour|day)s?') THEN t + TRY_CAST(ltrim(m, '+') AS INTERVAL)
        WHEN regexp_full_match(m, '[+-]?\\d{1,5} (month|year)s?')
            THEN date_trunc('month', t) + TRY_CAST(ltrim(m, '+') AS INTERVAL) + (t - date_trunc('month', t))
        ELSE error(m || ' is no modifier of a date here: start of day, month or year, or +N or -N of a unit')
    END
"""
"""SQLite counts on from the end of a short month: a month after January 31st is March 3rd."""

_SHIFTED = {
    "sqlite_instant": (f"(t) AS {_INSTANT.format('t')}",),
    "sqlite_modified": (f"(t, m) AS {_MODIFIED}",),
    "sqlite_shifted": (
        "(t) AS sqlite_instant(t)",
        "(t, m) AS sqlite_modified(sqlite_instant(t), m)",
        "(t, m, n) AS sqlite_modified(sqlite_modified(sqlite_instant(t), m), n)",
    ),
}
"""What the functions of dates are made of."""


def _of_date(expression: str) -> tuple[str, ...]:
    """Overloads for a date with none, one and two modifiers."""
    return tuple(
        f"({given}) AS {expression.format(f'sqlite_shifted({given})')}"
        for given in ("t", "t, m", "t, m, n")
    )


_OF_DATES = {
    "datetime": _of_date("date_trunc('second', {})"),
    "julianday": _of_date("epoch({}) / 86400.0 + 2440587.5"),
    "unixepoch": _of_date("CAST(floor(epoch({})) AS BIGINT)"),
}

_POLICY = r"""
    (SELECT list_sort(list(DISTINCT {{'path': path, 'value': value}})) FROM (
        SELECT
            CASE
                WHEN leaf.type IN ('OBJECT', 'ARRAY') THEN lower(leaf.fullkey)
                WHEN leaf.type = 'VARCHAR' AND json_array_length(list.value) = 1
                    THEN regexp_replace(lower(leaf.fullkey), '\[0\]$', '')
                ELSE regexp_replace(lower(leaf.fullkey),
                    '([.]"?(?:(?:not)?(?:action|resource|principal)|aws|service)"?)\[\d+\]$', '\1')
            END AS path,
            regexp_replace(CAST(leaf.value AS VARCHAR), '^"arn:', '"arn:', 'i') AS value
        FROM json_tree(CAST({0} AS JSON)) leaf LEFT JOIN json_tree(CAST({0} AS JSON)) list ON list.id = leaf.parent
        WHERE leaf.type NOT IN ('OBJECT', 'ARRAY') OR leaf.value IN ('{{}}', '[]')
    ))
"""
"""What a policy says, as a list of where each value stands: keys in any case, a list of one text as that text, and texts and
numbers under the keys that AWS reads as sets without their order (IAM User Guide, "Grammar of the IAM JSON policy")."""

_OTHERS = {
    "string": ("(x) AS CAST(x AS VARCHAR)",),
    "iif": ("(c, a, b) AS CASE WHEN c THEN a ELSE b END",),
    "total": ("(x) AS coalesce(sum(CAST(x AS DOUBLE)), 0.0)",),
    "quote": (
        """(x) AS CASE
            WHEN x IS NULL THEN 'NULL'
            WHEN typeof(x) IN ('VARCHAR', 'JSON') THEN '''' || replace(CAST(x AS VARCHAR), '''', '''''') || ''''
            WHEN typeof(x) = 'BOOLEAN' THEN CAST(CAST(x AS VARCHAR) = 'true' AS INTEGER)::VARCHAR
            ELSE CAST(x AS VARCHAR)
        END""",
    ),
    "regexp_like": ("(x, p) AS regexp_matches(x, p)",),
    "regexp_substr": (
        "(x, p) AS CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p) END",
    ),
    "json_patch": ("(x, p) AS json_merge_patch(x, p)",),
    # A VARIANT has the keys of its objects in one order.
    "json_equal": (
        "(a, b) AS CAST(CAST(a AS JSON) AS VARIANT) = CAST(CAST(b AS JSON) AS VARIANT)",
    ),
    "aws_policy_equal": (
        "(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL"
        f" ELSE {_POLICY.format('a')} = {_POLICY.format('b')} END",
    ),
    "json_array_elements_text": (
        "(x) AS TABLE SELECT unnest(json_extract_string(x, '$[*]')) AS value",
    ),
}

_OVERLOADS = {**_SHIFTED, **_OF_DATES, **_OTHERS}
NAMES = frozenset({**_OF_DATES, **_OTHERS})
"""The functions, in lower case."""

_CALLS = re.compile(rf"\b({'|'.join(sorted(NAMES))})\W*\(", re.IGNORECASE)
"""A name and a parenthesis, whatever quotes or spaces stand between them; comments there make the name unknown."""


def restore(tree: exp.Expr) -> None:
    """Undo what sqlglot makes of a function's name: its `datetime` is that of another engine."""
    for node in list(tree.find_all(exp.Datetime)):
        given = [part for part in (node.this, node.expression) if part]
        node.replace(exp.Anonymous(this="datetime", expressions=given))


def needed(sql: str) -> list[str]:
    """The statements that make the functions that a statement calls; DuckDB keeps them for its connection."""
    called = {name.casefold() for name in _CALLS.findall(sql)}
    if called & _OF_DATES.keys():
        called |= _SHIFTED.keys()
    return [_create(name) for name in _OVERLOADS if name in called]


def _create(name: str) -> str:
    # Temporary, or the file of local tables would keep them.
    return f"CREATE OR REPLACE TEMP MACRO {name}{', '.join(_OVERLOADS[name])}"
