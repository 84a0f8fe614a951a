"""Random expressions over the columns that are at hand, by what they hold."""

from collections.abc import Sequence

import msgspec
from tests.engine.differential.choices import Choices
from tests.engine.differential.moments import COMPARISONS, SAME, about_time
from tests.engine.differential.pairs import Pair, join, listed, same
from tests.engine.differential.world import BIG, FEW, NUMBERS, PLACES, TEXTS

NESTED = ("json", "struct", "list")
"""What has values inside."""


class Field(msgspec.Struct, frozen=True):
    """A column as it can be written where it is at hand.

    Attributes:
        name: its last name.
        kind: what it holds.
        ref: how it is written.
        full: with its table's name, as subqueries must write it.
        parameter: our other name for it, that of the parameter which selects by it; empty where there is none.
        feeds: whether it is a parameter that must be given.
        unique: whether it differs from row to row.
    """

    name: str
    kind: str
    ref: Pair
    full: Pair
    parameter: str = ""
    feeds: bool = False
    unique: bool = False


def literal(value: object) -> str:
    """A value as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if value is None or isinstance(value, bool):
        return str(value).upper().replace("NONE", "NULL")
    return f"CAST({value} AS BIGINT)" if value == -(2**63) else str(value)


class Expressions:
    """Draws expressions; whoever draws whole queries adds those with subqueries."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices

    def one(self, *among: str) -> str:
        """One of some texts."""
        return self.choices.one(among)

    def written(self, field: Field) -> Pair:
        """A column under one of its names."""
        if field.parameter and self.choices.maybe(3):
            return field.parameter, field.ref[1]
        return field.ref

    def constant(self, kind: str) -> Pair:
        """A value of a kind, now and then NULL."""
        choices = self.choices
        match kind:
            case "int":
                return same(str(choices.below(FEW)))
            case "num":
                return same(literal(choices.one(NUMBERS)))
            case "big":
                return same(literal(choices.one(BIG)))
            case "bool":
                return same(self.one("true", "false"))
            case each if each in NESTED:
                return same("NULL")
            case _:
                return same(literal(choices.one((*TEXTS, *PLACES))))

    def value(self, kind: str, fields: Sequence[Field], depth: int = 1) -> Pair:
        """An expression of a kind; one of text for times, and of times only columns."""
        choices = self.choices
        own = [field for field in fields if field.kind == kind]
        if own and not (depth and choices.maybe(4)):
            return self.written(choices.one(own))
        if kind == "bool":
            return join("({})", self.condition(fields, depth))
        if not depth or kind not in ("int", "num", "text"):
            return self.constant("text" if kind == "time" else kind)
        return self._computed(kind, fields, depth - 1)

    def _computed(self, kind: str, fields: Sequence[Field], depth: int) -> Pair:
        first, second = (self.value(kind, fields, depth) for _ in range(2))
        if self.choices.maybe(3):
            test = self.condition(fields, depth)
            template = self.one(
                "CASE WHEN {} THEN {} ELSE {} END", "CASE WHEN {} THEN {} END"
            )
            pieces = (test, first, second)[: template.count("{}")]
            return join(template, *pieces)
        if self.choices.maybe(2):
            return join("coalesce({}, {})", first, second)
        if kind == "num":
            return join(
                self.one("({} + {})", "({} - {})", "greatest({}, {})"), first, second
            )
        if kind == "int":
            other = self.value("text", fields, depth)
            return self.choices.one(
                (
                    join("({} + {})", first, second),
                    join("({} % 5)", first),
                    join("({} - {})", first, second),
                    join("length({})", other),
                    join("CAST({} AS INTEGER)", self.value("bool", fields, depth)),
                )
            )
        number = self.value("int", fields, depth)
        return self.choices.one(
            (
                join("{} || {}", first, second),
                join(self.one("upper({})", "lower({})", "trim({})"), first),
                join("substr({}, 1, {})", first, same("2")),
                join("CAST({} AS VARCHAR)", number),
                join("split_part({}, '/', 1)", first),
                join("replace({}, 'a', {})", first, second),
                self._inside(fields, first),
            )
        )

    def _inside(self, fields: Sequence[Field], otherwise: Pair) -> Pair:
        nested = [field for field in fields if field.kind in NESTED]
        if not nested:
            return otherwise
        field = self.choices.one(nested)
        ways = {
            "json": ("({} ->> '$.login')", "json_extract_string({}, '$[0]')"),
            "struct": ("{}.login", "({}).login", "CAST({}.id AS VARCHAR)"),
            "list": ("{}[1]", "CAST(len({}) AS VARCHAR)", "array_to_string({}, ',')"),
        }
        return join(self.one(*ways[field.kind]), self.written(field))

    def condition(self, fields: Sequence[Field], depth: int) -> Pair:
        """A truth value."""
        if depth and self.choices.maybe(5):
            operator = self.one("AND", "OR", "AND NOT", "OR NOT")
            left, right = (self.condition(fields, depth - 1) for _ in range(2))
            return join(f"({{}} {operator} {{}})", left, right)
        if not fields:
            return self.constant("bool")
        field = self.choices.one(fields)
        return self.about(field, fields, depth)

    def about(self, field: Field, fields: Sequence[Field], depth: int) -> Pair:
        """A condition on one column."""
        written = self.written(field)
        if self.choices.maybe(1) or field.kind in NESTED:
            return join(f"{{}} {self.one('IS NULL', 'IS NOT NULL')}", written)
        match field.kind:
            case "time":
                return about_time(self.choices, written)
            case "bool":
                return join(
                    self.one("{}", "NOT {}", "{} IS TRUE", "{} = false"), written
                )
            case "text" if self.choices.maybe(4):
                return self._like(written)
            case kind:
                return self._compared(kind, written, fields, depth)

    def _compared(
        self, kind: str, written: Pair, fields: Sequence[Field], depth: int
    ) -> Pair:
        constants = [self._compared_with(kind) for _ in range(3)]
        match self.choices.below(6):
            case 0 | 1:
                operator = self.one(*COMPARISONS, *SAME)
                sides = [written, constants[0]]
                if self.choices.maybe(2):
                    sides.reverse()
                return join(f"{{}} {operator} {{}}", *sides)
            case 2:
                among = self.one("IN", "NOT IN")
                if self.choices.maybe(2):
                    constants.append(same("NULL"))
                return join(f"{{}} {among} ({{}})", written, listed(constants))
            case 3:
                between = self.one("BETWEEN", "NOT BETWEEN")
                return join(f"{{}} {between} {{}} AND {{}}", written, *constants[:2])
            case 4:
                equal = self.one("{0} = {1}", "{1} = {0}")
                first, second = (join(equal, written, c) for c in constants[:2])
                return join("({} OR {})", first, second)
            case _:
                other = self.value(kind, fields, max(depth - 1, 0))
                return join(f"{{}} {self.one(*COMPARISONS)} {{}}", written, other)

    def _compared_with(self, kind: str) -> Pair:
        """A constant, now and then of another type than the column."""
        if kind != "int" or not self.choices.maybe(2):
            return self.constant(kind)
        number = self.choices.below(FEW)
        ways = f"'{number}'", f"{number}.0", f"{number}.5", f"{number}e0"
        cast = f"CAST({number} AS UTINYINT)"
        return same(self.one(*ways, cast))

    def _like(self, written: Pair) -> Pair:
        part = self.choices.one(
            ("i", "C", "a", "ss", "50|%", "s", "k", "Ün", "b c", "/")
        )
        pattern = literal(self.choices.one(("%{}%", "{}%", "%{}")).format(part))
        how = self.one("LIKE", "ILIKE", "NOT LIKE")
        if self.choices.maybe(2):
            return join(f"contains({{}}, {literal(part)})", written)
        return join(f"{{}} {how} {{}} ESCAPE '|'", written, same(pattern))
