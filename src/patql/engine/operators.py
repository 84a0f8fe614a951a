"""DuckDB's own plan of a query, as it gives it in JSON, in a few indented lines."""

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from patql.engine.quantities import duration, number
from patql.kernel.secrets import redact

LONGEST = 160
"""Characters of what is told of one operator."""

_WRAPPERS = frozenset({"QUERY_ROOT", "RESULT_COLLECTOR", "EXPLAIN_ANALYZE"})
_SCAN = "PYTHON_ARROW_SCAN"
_SILENT = frozenset(
    {
        *("Estimated Cardinality", "Function", "Table Index", "CTE Index"),
        *("Execution Mode", "Order Mode", "Materialized Consumers", "Type"),
    }
)
_PLAIN = frozenset({"Expression", "Projections", "Conditions", "Join Type", "Filters"})
"""What speaks for itself under the name of its operator."""

_NEVER = re.compile(
    r"""CASE\s+WHEN \(\(\((?P<n>\w+|"[^"]+") >= '[\dT:-]+'\) AND \((?P=n) ~~ '____-__-__T%'\)\)\) """
    r"""THEN \(NULL::VARCHAR\) ELSE (?P=n) END"""
)
"""How a view reads dates that mean "never": nothing that the query has said."""

_NAME = re.compile(r'#?\w+|"[^"]*"')


class Operator(msgspec.Struct, frozen=True):
    """A node of the plan.

    Attributes:
        name: DuckDB's, such as `HASH_JOIN`.
        info: what it works on, by DuckDB's headings.
        inputs: what it reads.
        rows: that it gave, None where it wasn't run.
        seconds: that it took, over all threads.
    """

    name: str
    info: dict[str, Any]
    inputs: "tuple[Operator, ...]"
    rows: int | None = None
    seconds: float = 0.0

    @property
    def is_scan(self) -> bool:
        """Whether it reads a resource's rows."""
        return self.info.get("Function") == _SCAN or self.name == _SCAN


def planned(text: str) -> tuple[Operator, ...]:
    """The roots of what `EXPLAIN (FORMAT JSON)` gives."""
    return tuple(map(_operator, msgspec.json.decode(text)))


def measured(text: str) -> tuple[Operator, ...]:
    """The roots of what `EXPLAIN (ANALYZE, FORMAT JSON)` gives; none where DuckDB measures nothing, as of VALUES."""
    return tuple(map(_operator, msgspec.json.decode(text).get("operator", ())))


def scans(roots: tuple[Operator, ...]) -> bool:
    """Whether any resource's rows are read: not where no row can meet the conditions."""
    return any(each.is_scan or scans(each.inputs) for each in roots)


def computing(roots: tuple[Operator, ...]) -> float:
    """Seconds that the operators took over all threads, without those that wait for rows."""
    return sum(
        computing(each.inputs) + (0.0 if each.is_scan else each.seconds)
        for each in roots
    )


def returned(roots: tuple[Operator, ...]) -> int:
    """How many rows the roots gave: some operators pass on those of their inputs, and tell of none."""
    return sum(map(_returned, roots))


def _returned(operator: Operator) -> int:
    if operator.name in _WRAPPERS or operator.name == "UNION":
        return returned(operator.inputs)
    if operator.name == "CTE":
        return returned(operator.inputs[-1:])
    return operator.rows or 0


def outlined(roots: tuple[Operator, ...]) -> Iterator[str]:
    """A line for each operator that does something, its inputs under it."""
    for each in roots:
        lines = outlined(each.inputs)
        if each.name in _WRAPPERS or _only_names(each):
            yield from lines
        else:
            yield _told(each)
            yield from (f"  {line}" for line in lines)


def _operator(node: dict[str, Any]) -> Operator:
    inputs = tuple(map(_operator, node.get("children", ())))
    name = str(node.get("name") or node.get("type")).strip()
    rows = node.get("intermediate_rows")
    return Operator(
        name, node.get("extra_info", {}), inputs, rows, node.get("timing", 0.0)
    )


def _only_names(operator: Operator) -> bool:
    """Whether all that it does is to choose columns."""
    chosen = _texts(operator.info.get("Projections", []))
    return operator.name == "PROJECTION" and all(map(_NAME.fullmatch, chosen))


def _told(operator: Operator) -> str:
    name = "scan" if operator.is_scan else operator.name.lower().replace("_", " ")
    parts = [
        ", ".join(_texts(value)) if key in _PLAIN else _under(key, value)
        for key, value in operator.info.items()
        if key not in _SILENT and value
    ]
    about = redact(_NEVER.sub(r"\g<n>", "; ".join(parts)))
    if len(about) > LONGEST:
        about = f"{about[:LONGEST]}…"
    told = f"{name}: {about}" if about else name
    if operator.rows is None:
        return told
    return f"{told} ({number(operator.rows, 'row')}, {duration(operator.seconds)})"


def _under(key: str, value: object) -> str:
    return f"{key.lower()} {', '.join(_texts(value))}"


def _texts(value: object) -> list[str]:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    return [" ".join(str(each).split()) for each in several]
