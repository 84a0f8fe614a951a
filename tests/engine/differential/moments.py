"""Dates and times against columns that hold them as text: each is cast for DuckDB, and for us as a person writes it."""

from datetime import UTC, datetime

from tests.engine.conftest import NOON
from tests.engine.differential.choices import Choices
from tests.engine.differential.pairs import Pair, join, same

MOMENTS = (
    *("2026-01-01", "2026-02-01 08:30:00", "2026-03-15 12:00:00", "2026-06-14"),
    *("2026-06-16", "2026-07-01 12:00:00", "2027-01-01", "2026-06-15 12:00:01"),
)
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
SAME = ("IS DISTINCT FROM", "IS NOT DISTINCT FROM")

_NOW = f"TIMESTAMP '{datetime.fromtimestamp(NOON, UTC):%Y-%m-%d %H:%M:%S}'"


def instant(column: Pair) -> Pair:
    """A column of text, and the time that it stands for."""
    return column[0], f"CAST({column[1]} AS TIMESTAMP)"


def about_time(choices: Choices, column: Pair) -> Pair:
    """A condition on a column of dates and times."""
    at = instant(column)
    match choices.below(6):
        case 0 | 1 | 2:
            return compared(choices, at)
        case 3:
            between = choices.one(("BETWEEN", "NOT BETWEEN"))
            bounds = moment(choices), moment(choices)
            return join(f"{{}} {between} {{}} AND {{}}", at, *bounds)
        case 4:
            among = choices.one(("IN", "NOT IN"))
            elements = moment(choices), moment(choices)
            return join(f"{{}} {among} ({{}}, {{}})", at, *elements)
        case _:
            empty = choices.one(("IS NULL", "IS NOT NULL"))
            return join(f"{{}} {empty}", column)


def compared(choices: Choices, at: Pair) -> Pair:
    """An instant compared with a constant."""
    operator = choices.one((*COMPARISONS, *SAME))
    sides = (at, moment(choices))
    return join(
        f"{{}} {operator} {{}}", *(reversed(sides) if choices.maybe(3) else sides)
    )


def moment(choices: Choices) -> Pair:
    """A constant date or time."""
    text = choices.one(MOMENTS)
    exact = f"TIMESTAMP '{text}'"
    half = text.partition(" ")[0]
    days = choices.below(200)
    shift = f"- INTERVAL {days} DAY"
    zoned = (f"TIMESTAMPTZ '{text}+02'", f"({exact} - INTERVAL 2 HOUR)")
    midnight, month = (
        f"date_trunc('day', {_NOW})",
        f"date_trunc('month', {_NOW} {shift})",
    )
    return choices.one(
        (
            (f"'{text}'", exact),
            (f"'{text.replace(' ', 'T')}'", exact),
            same(exact),
            (f"DATE '{half}'", f"TIMESTAMP '{half}'"),
            (f"('{half}')", f"TIMESTAMP '{half}'"),
            (f"CAST('{text}' AS TIMESTAMPTZ)", exact),
            zoned if " " in text else same(exact),
            (f"now() {shift}", f"({_NOW} {shift})"),
            (f"(current_date {shift})", f"({midnight} {shift})"),
            (f"date_trunc('month', now() {shift})", month),
            same(f"TIMESTAMP '{half} 12:00:00.5'"),
            ("NULL", "CAST(NULL AS TIMESTAMP)"),
        )
    )
