"""Random queries over the resources of a world, each written for PatQL and for DuckDB over whole tables."""

from collections.abc import Sequence

import msgspec
from tests.engine.differential.choices import Choices
from tests.engine.differential.expressions import JSON, Expressions, Field, literal
from tests.engine.differential.features import LACKING
from tests.engine.differential.moments import compared, instant
from tests.engine.differential.oracle import WITH_OPTIONAL
from tests.engine.differential.pairs import Pair, join, listed, same
from tests.engine.differential.world import (
    FEW,
    PLACES,
    Named,
    Table,
    kind,
)

FEEDS = (
    ("equality",)
    if "feeds" in LACKING
    else ("equality", "list", "or", "subquery", "scalar", "join", "join")
)
"""How a parameter may be given, the simplest first."""

INNER = ("JOIN", "INNER JOIN")
OUTER = ("LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
HALF = ("SEMI JOIN", "ANTI JOIN")
SETS = ("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL")


class Case(msgspec.Struct, kw_only=True):
    """A statement, and how its answer is judged.

    Attributes:
        ours: the text for PatQL.
        theirs: the text for DuckDB.
        ordered: whether the order of rows is told wholly.
        whole: the text for DuckDB without LIMIT, where any rows of it may be among those asked for; else empty.
        keys: how many columns, from the first, the rows are then ordered by.
        fed: whether it reads resources that need parameters, which may be refused.
    """

    ours: str
    theirs: str
    ordered: bool = False
    whole: str = ""
    keys: int = 0
    fed: bool = False


class Select(msgspec.Struct, frozen=True):
    """A query, and what its columns hold; they are called c0, c1 and so on."""

    text: Pair
    kinds: tuple[str, ...]


class From(msgspec.Struct):
    """What stands after FROM, the columns at hand, and what WHERE must say too."""

    text: Pair
    fields: list[Field]
    conditions: list[Pair]


class Grammar(Expressions):
    """Draws one statement."""

    def __init__(self, choices: Choices, tables: Sequence[Table]) -> None:
        super().__init__(choices)
        self._tables = tables
        self._named = 0
        self._fed = False
        self._ctes: list[tuple[str, Select]] = []

    def case(self) -> Case:
        """A whole statement."""
        if self.choices.maybe(2):
            for _ in range(1 + self.choices.below(2)):
                query = self._select(1)
                self._ctes.append((f"w{len(self._ctes)}", query))
        case = self._limited() if self.choices.maybe(3) else self._complete()
        if self._ctes:
            heads = [join(f"{name} AS ({{}})", cte.text) for name, cte in self._ctes]
            ours, theirs = join("WITH {} ", listed(heads))
            case.ours, case.theirs = ours + case.ours, theirs + case.theirs
            case.whole = case.whole and theirs + case.whole
        case.fed = self._fed
        return case

    def _complete(self) -> Case:
        """A query whose rows are known: in their order, or in any."""
        query = self._select(2)
        if not self.choices.maybe(5):
            return Case(ours=query.text[0], theirs=query.text[1])
        positions = [str(n + 1) for n in range(len(query.kinds))]
        if self.choices.maybe(5):
            positions.reverse()
        order = ", ".join(p + self.one(*_DIRECTIONS) for p in positions)
        limit = self._limit() if self.choices.maybe(5) else ""
        ours, theirs = (f"{text} ORDER BY {order}{limit}" for text in query.text)
        return Case(ours=ours, theirs=theirs, ordered=True)

    def _limited(self) -> Case:
        """A query of which any rows will do that are first by some of its columns."""
        source = self._from(1)
        keys = [self.choices.one(source.fields) for _ in range(self.choices.below(3))]
        keys = [key for key in keys if key.kind != JSON]
        shown = [f.ref for f in keys] + [self.choices.one(source.fields).ref]
        order = [join(f"{{}}{self.one(*_DIRECTIONS)}", self.written(f)) for f in keys]
        tail = join(" ORDER BY {}", listed(order)) if order else same("")
        select = join(
            "SELECT {} FROM {}{}",
            self._outputs(shown),
            source.text,
            self._where(source),
        )
        limit = self._limit()
        ours, theirs = (f"{s}{t}{limit}" for s, t in zip(select, tail, strict=True))
        return Case(ours=ours, theirs=theirs, whole=select[1], keys=len(keys))

    def _limit(self) -> str:
        offset = f" OFFSET {self.choices.below(8)}" if self.choices.maybe(3) else ""
        return f" LIMIT {self.choices.below(12)}{offset}"

    def _select(
        self, depth: int, kinds: Sequence[str] = (), outer: Sequence[Field] = ()
    ) -> Select:
        """A query without LIMIT, of columns of the kinds that are asked for, or of any."""
        match self.choices.below(10) if depth else 0:
            case 0 | 1 | 2 | 3 | 4:
                return self._projected(depth, kinds, outer)
            case 5 | 6:
                return self._grouped(depth, kinds, outer)
            case 7:
                return self._counted(depth, kinds, outer)
            case 8:
                first = self._projected(depth - 1, kinds, outer)
                second = self._projected(depth - 1, first.kinds, outer)
                operator = self.one(*SETS)
                text = join(f"({{}}) {operator} ({{}})", first.text, second.text)
                return Select(text, _of_sets(first.kinds, second.kinds))
            case _:
                return self._windowed(depth, kinds, outer)

    def _outputs(self, shown: Sequence[Pair]) -> Pair:
        return listed([join(f"{{}} AS c{n}", piece) for n, piece in enumerate(shown)])

    def _where(self, source: From, *more: Pair, outer: Sequence[Field] = ()) -> Pair:
        conditions = [*source.conditions, *more]
        if self.choices.maybe(7):
            conditions.append(self._filter(source.fields, outer))
        if not conditions:
            return same("")
        return join(" WHERE {}", listed(conditions, " AND "))

    def _filter(self, fields: Sequence[Field], outer: Sequence[Field] = ()) -> Pair:
        if fields and self.choices.maybe(2):
            return self._about_rows([*fields, *outer])
        depth = self.choices.below(3)
        return self.condition(
            [*fields, *(outer if self.choices.maybe(3) else ())], depth
        )

    def _about_rows(self, fields: Sequence[Field]) -> Pair:
        """A condition with a subquery."""
        field = self.choices.one(fields)
        outer = [msgspec.structs.replace(f, ref=f.full, parameter="") for f in fields]
        if field.kind == JSON or self.choices.maybe(5):
            inner = self._select(0, outer=outer if self.choices.maybe(8) else ())
            return join(f"{self.one('EXISTS', 'NOT EXISTS')} ({{}})", inner.text)
        inner = self._select(0, [field.kind], outer if self.choices.maybe(3) else ())
        among = self.one("IN", "NOT IN", "= ANY", "<> ALL", "> ALL", "< ANY")
        return join(f"{{}} {among} ({{}})", self.written(field), inner.text)

    def _shown(
        self, fields: Sequence[Field], kinds: Sequence[str]
    ) -> list[tuple[Pair, str]]:
        """Outputs: expressions, and what they hold. A time is one only where it is a column."""
        if kinds:
            return [(self.value(each, fields), each) for each in kinds]
        found: list[tuple[Pair, str]] = []
        for _ in range(1 + self.choices.below(3)):
            if fields and not self.choices.maybe(3):
                field = self.choices.one(fields)
                found.append((self.written(field), field.kind))
            else:
                each = self.one("int", "text", "num", "bool")
                found.append((self.value(each, fields, 2), each))
        return found

    def _projected(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self._from(depth, outer)
        if not kinds and not outer and self.choices.maybe(1):
            return self._starred(source)
        shown = self._shown(source.fields, kinds)
        head = "DISTINCT " if self.choices.maybe(2) else ""
        text = join(
            f"SELECT {head}{{}} FROM {{}}{{}}",
            self._outputs([piece for piece, _ in shown]),
            source.text,
            self._where(source, outer=outer),
        )
        return Select(text, _honest([each for _, each in shown], kinds))

    def _starred(self, source: From) -> Select:
        """The columns by their own names, behind `*`."""
        counted = join("SELECT * FROM {}{}", source.text, self._where(source))
        return Select(join("SELECT count(*) AS c0 FROM ({}) AS s", counted), ("int",))

    def _counted(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self._from(depth - 1, outer)
        kinds = kinds or ("int",)
        shown = [
            same(self.one("count(*)", "count(1)"))
            if each == "int"
            else join("max({})", self.value(each, source.fields))
            for each in kinds
        ]
        where = self._where(source, outer=outer)
        text = join("SELECT {} FROM {}{}", self._outputs(shown), source.text, where)
        return Select(text, _honest(kinds, kinds))

    def _grouped(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self._from(depth - 1, outer)
        fields = source.fields
        by = [self.choices.one(fields) for _ in range(1 + self.choices.below(2))]
        if kinds:
            by = [f for f in fields if f.kind == kinds[0]][:1] or by
        having = (
            join(" HAVING {}", self._having(fields))
            if self.choices.maybe(4)
            else same("")
        )
        shown = [(self.written(field), field.kind) for field in by]
        shown += [self._aggregate(fields) for _ in range(1 + self.choices.below(2))]
        if kinds:
            shown = [self._of_kind(each, shown, fields) for each in kinds]
        keys = listed([field.ref for field in by])
        way = self.one("{}", "{}", "ROLLUP ({})") if not kinds else "{}"
        text = join(
            f"SELECT {{}} FROM {{}}{{}} GROUP BY {way}{{}}",
            self._outputs([piece for piece, _ in shown]),
            source.text,
            self._where(source, outer=outer),
            keys,
            having,
        )
        return Select(text, _honest([each for _, each in shown], kinds))

    def _of_kind(
        self, wanted: str, shown: list[tuple[Pair, str]], fields: Sequence[Field]
    ) -> tuple[Pair, str]:
        found = [each for each in shown if each[1] == wanted]
        return (
            found[0] if found else (join("max({})", self.value(wanted, fields)), wanted)
        )

    def _having(self, fields: Sequence[Field]) -> Pair:
        times = [field for field in fields if field.kind == "time"]
        if times and self.choices.maybe(5):
            at = instant(self.choices.one(times).ref)
            latest = at[0], at[1].removeprefix("CAST(").removesuffix(" AS TIMESTAMP)")
            return compared(self.choices, instant(join("max({})", latest)))
        return join(
            f"{{}} {self.one('>', '<=', '=')} {{}}", same("count(*)"), same("2")
        )

    def _aggregate(self, fields: Sequence[Field]) -> tuple[Pair, str]:
        each = self.one("int", "num", "text", "bool", "big")
        value = self.value(each, fields)
        distinct = "DISTINCT " if self.choices.maybe(2) else ""
        aggregate, gives = self.choices.one(
            (
                ("count({})", "int"),
                ("max({})", each),
                ("min({})", each),
                {
                    "int": ("CAST(sum({}) AS BIGINT)", "int"),
                    "num": ("sum({})", "num"),
                    "bool": ("bool_or({})", "bool"),
                    "text": (
                        f"string_agg({distinct}{{0}}, '|' ORDER BY {{0}})",
                        "text",
                    ),
                    "big": (f"count({distinct}{{}})", "int"),
                }[each],
            )
        )
        text = join(aggregate, value)
        if self.choices.maybe(2):
            text = join("{} FILTER (WHERE {})", text, self.condition(fields, 0))
            text = (text[0], text[1])
        return (same("count(*)"), "int") if self.choices.maybe(2) else (text, gives)

    def _windowed(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        if kinds:
            return self._projected(depth, kinds, outer)
        source = self._from(depth - 1, outer)
        plain = [field for field in source.fields if field.kind != JSON]
        if not plain:
            return self._projected(0, kinds, outer)
        key, by = self.choices.one(plain), self.choices.one(plain)
        direction = self.one("", " DESC", " DESC NULLS LAST")
        part = join("PARTITION BY {} ", by.ref) if self.choices.maybe(5) else same("")
        window = join(f"({{}}ORDER BY {{}}{direction})", part, key.ref)
        if key.unique and part == same("") and len(source.fields) > 1:
            function = self.one("row_number()", "lag({0})", "rank()")
        else:
            function = self.one("rank()", "dense_rank()", "count(*)", "max({0})")
        value = join(f"{function} OVER {{1}}", key.ref, window)
        holds = key.kind if "{0}" in function else "int"
        shown = [(value, "text" if holds == "time" else holds), (key.ref, key.kind)]
        qualify = same("")
        if self.choices.maybe(4):
            few = same(str(1 + self.choices.below(4)))
            qualify = join(" QUALIFY rank() OVER {} <= {}", window, few)
        text = join(
            "SELECT {} FROM {}{}{}",
            self._outputs([piece for piece, _ in shown]),
            source.text,
            self._where(source, outer=outer),
            qualify,
        )
        return Select(text, _honest([each for _, each in shown], kinds))

    def _from(self, depth: int, outer: Sequence[Field] = ()) -> From:
        """One source, or some that are joined."""
        text, fields = self._source(depth, outer)
        if not self.choices.maybe(3) or not depth:
            source = From(text, fields, [])
            self._feed_all(source, outer)
            if self.choices.maybe(5):
                source.fields = [
                    msgspec.structs.replace(
                        f, ref=_bare(f.ref), parameter=f.parameter.rpartition(".")[2]
                    )
                    for f in source.fields
                ]
            return source
        source = From(text, fields, [])
        for _ in range(1 + self.choices.below(2)):
            self._join(source, depth, outer)
        self._feed_all(source, outer)
        return source

    def _feed_all(self, source: From, outer: Sequence[Field]) -> None:
        """Give every parameter that isn't given yet."""
        for at, field in enumerate(source.fields):
            if field.feeds:
                source.conditions.append(self._feed(field, outer))
                source.fields[at] = msgspec.structs.replace(field, feeds=False)

    def _join(self, source: From, depth: int, outer: Sequence[Field]) -> None:
        right, fields = self._source(depth - 1, [])
        way = self.choices.below(10)
        if way < 1:
            source.text = join("{}, {}", source.text, right)
            source.fields += fields
            self._connect(source.conditions, source.fields, fields)
            return
        how = self.one(*(INNER if way < 4 else OUTER if way < 8 else HALF))
        conditions: list[Pair] = []
        self._connect(conditions, source.fields, fields)
        if how in HALF or (
            how in ("LEFT JOIN", *INNER) and "join" in FEEDS and self.choices.maybe(6)
        ):  # what is on the right isn't at hand afterwards
            self._feed_all(held := From(right, fields, conditions), source.fields)
            fields = held.fields
        if not conditions or self.choices.maybe(3):
            conditions.append(self.condition([*source.fields, *fields], 1))
        on = listed(conditions, " AND ")
        source.text = join(f"{{}} {how} {{}} ON {{}}", source.text, right, on)
        if how not in HALF:
            source.fields += fields
        source.fields = [
            msgspec.structs.replace(f, unique=False) for f in source.fields
        ]

    def _connect(
        self, conditions: list[Pair], left: Sequence[Field], right: Sequence[Field]
    ) -> None:
        """An equality between both sides, where there are columns that hold the same."""
        mine = self.choices.one(right)
        alike = [f for f in left if f.kind == mine.kind and f not in right]
        if alike and mine.kind != JSON:
            other = self.choices.one(alike)
            conditions.append(join("{} = {}", self.written(other), self.written(mine)))

    def _source(self, depth: int, outer: Sequence[Field]) -> tuple[Pair, list[Field]]:
        self._named += 1
        alias = f"t{self._named}"
        match self.choices.below(10):
            case 8 if self._ctes:
                name, query = self.choices.one(self._ctes)
                return same(f"{name} AS {alias}"), _derived(alias, query.kinds)
            case 9 if depth:
                inner = self._select(depth - 1)
                return join(f"({{}}) AS {alias}", inner.text), _derived(
                    alias, inner.kinds
                )
            case 7 if depth:
                rows = [
                    f"({self.choices.below(FEW)}, {literal(self.choices.one(PLACES))})"
                    for _ in range(1 + self.choices.below(3))
                ]
                text = f"(VALUES {', '.join(rows)}) AS {alias}(c0, c1)"
                return same(text), _derived(alias, ("int", "text"))
            case _:
                return self._table(self._resource(), alias)

    def _resource(self) -> Table:
        plain = [table for table in self._tables if not table.required]
        return self.choices.one(self._tables if self.choices.maybe(4) else plain)

    def _table(self, table: Table, alias: str) -> tuple[Pair, list[Field]]:
        name = table.resource.id
        optional = table.optional if self.choices.maybe(4) else None
        holder, _, last = name.rpartition(".")
        theirs = f'{holder}."{last}{WITH_OPTIONAL}"' if optional else name
        text = join(f"{{}}{self.one(' ', ' AS ')}{alias}", (name, theirs))
        given = [*table.required, *([optional] if optional else [])]
        self._fed = self._fed or bool(given)
        known = {column.name for column in table.columns}
        needed = {parameter.name for parameter in given}
        more = (parameter for parameter in given if parameter.name not in known)
        held: list[Named] = [*table.columns, *more]
        fields = [_field(table, each.name, kind(each), alias, needed) for each in held]
        return text, fields

    def _feed(self, field: Field, others: Sequence[Field]) -> Pair:
        """A condition that gives a parameter."""
        way = self.one(*FEEDS)
        first, second, third = (self._argument(field) for _ in range(3))
        alike = [f for f in others if f.kind == field.kind and not f.feeds]
        match way:
            case "join" if alike:
                other = self._through(self.choices.one(alike))
                return join(self.one("{0} = {1}", "{1} = {0}"), field.ref, other)
            case "list":
                return join("{} IN ({}, {}, {})", field.ref, first, second, third)
            case "or":
                return join("({0} = {1} OR {0} = {2})", field.ref, first, second)
            case "subquery":
                inner = self._select(0, [field.kind])
                return join("{} IN ({})", field.ref, inner.text)
            case "scalar":
                inner = self._counted(1, [field.kind], ())
                return join("{} = ({})", field.ref, inner.text)
            case _:
                return join(self.one("{0} = {1}", "{1} = {0}"), field.ref, first)

    def _argument(self, field: Field) -> Pair:
        if field.kind == "int":
            number = self.choices.below(FEW // 2)
            ways = (f"{number}", f"'{number}'", f"{number} + 0", f"({number})")
            return same(self.one(*ways))
        text = literal(self.choices.one(PLACES))
        return same(self.one(text, text, f"({text} || '')"))

    def _through(self, field: Field) -> Pair:
        """A column, or an expression of it."""
        ways = ("{}", "{} + 1", "coalesce({}, 3)", "{} % 4")
        if field.kind == "text":
            ways = ("{}", "lower({})", "coalesce({}, 'eu')", "split_part({}, ';', 1)")
        return join(self.one(*ways), self.written(field))


_DIRECTIONS = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC")


def _field(table: Table, name: str, holds: str, alias: str, needed: set[str]) -> Field:
    full = same(f"{alias}.{name}")
    selecting = next(
        (
            p.name
            for method in table.resource.methods
            for p in method.parameters
            if p.key_column == name
        ),
        "",
    )
    return Field(
        name,
        holds,
        full,
        full,
        parameter=f"{alias}.{selecting}" if selecting else "",
        feeds=name in needed,
        unique=name == table.key and not table.required,
    )


def _derived(alias: str, kinds: Sequence[str]) -> list[Field]:
    return [
        Field(f"c{n}", each, same(f"{alias}.c{n}"), same(f"{alias}.c{n}"))
        for n, each in enumerate(kinds)
    ]


def _bare(ref: Pair) -> Pair:
    return ref[0].rpartition(".")[2], ref[1].rpartition(".")[2]


def _honest(found: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """What columns hold: where a kind was asked for, a time may be any text."""
    return tuple("text" if asked and each == "time" else each for each in found)


def _of_sets(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(a if a == b else "text" for a, b in zip(first, second, strict=True))
