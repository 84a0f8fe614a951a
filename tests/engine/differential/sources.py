"""Random sources of rows: resources with the parameters that they need, joined with one another."""

from collections.abc import Sequence

import msgspec
from tests.engine.differential.choices import Choices
from tests.engine.differential.expressions import NESTED, Expressions, Field, literal
from tests.engine.differential.oracle import WITH_OPTIONAL
from tests.engine.differential.pairs import Pair, join, listed, same
from tests.engine.differential.world import FEW, PLACES, Named, Table, kind

FEEDS = ("equality", "list", "or", "subquery", "scalar", "join", "join", "join")
"""How a parameter may be given, the simplest first."""

INNER = ("JOIN", "INNER JOIN")
OUTER = ("LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
HALF = ("SEMI JOIN", "ANTI JOIN")


class Select(msgspec.Struct, frozen=True):
    """A query, and what its columns hold; they are called c0, c1 and so on."""

    text: Pair
    kinds: tuple[str, ...]


class From(msgspec.Struct):
    """What stands after FROM, the columns at hand, and what WHERE must say too."""

    text: Pair
    fields: list[Field]
    conditions: list[Pair]


class Sources(Expressions):
    """Draws what stands after FROM."""

    def __init__(self, choices: Choices, tables: Sequence[Table]) -> None:
        super().__init__(choices)
        self.tables = tables
        self._named = 0
        self.fed = False
        self.ctes: list[tuple[str, Select]] = []

    def select(
        self, depth: int, kinds: Sequence[str] = (), outer: Sequence[Field] = ()
    ) -> Select:
        """A query without LIMIT, of columns of the kinds that are asked for, or of any."""
        raise NotImplementedError

    def sources(
        self, depth: int, outer: Sequence[Field] = (), table: Table | None = None
    ) -> From:
        """One source, or some that are joined; `outer` are the columns of the query around it."""
        text, fields = (
            self._table(self._alias(), table) if table else self._source(depth)
        )
        source = From(text, fields, [])
        if not depth or not self.choices.maybe(3):
            self._feed_all(source, outer)
            if self.choices.maybe(5):
                source.fields = list(map(_bare, source.fields))
            return source
        for _ in range(1 + self.choices.below(2)):
            self._join(source, depth)
        self._feed_all(source, outer)
        source.fields = [
            msgspec.structs.replace(f, unique=False) for f in source.fields
        ]
        return source

    def _join(self, source: From, depth: int) -> None:
        match self.choices.below(10):
            case 0 | 1 | 2:
                self._join_on(source, depth, self.one(*INNER))
            case 3 | 4:
                self._join_on(source, depth, self.one(*OUTER))
            case 5 | 6:
                self._join_half(source, depth)
            case 7:
                self._join_using(source, depth)
            case 8:
                self._join_lateral(source)
            case _:
                right, fields = self._source(depth - 1)
                source.text = join("{}, {}", source.text, right)
                self._connect(source.conditions, source.fields, fields)
                source.fields += fields

    def _join_on(self, source: From, depth: int, how: str) -> None:
        right, fields = self._source(depth - 1)
        held = From(right, fields, [])
        self._connect(held.conditions, source.fields, fields)
        if how not in ("RIGHT JOIN", "FULL JOIN") and self.choices.maybe(6):
            self._feed_all(held, source.fields)
        if not held.conditions or self.choices.maybe(3):
            held.conditions.append(self.condition([*source.fields, *held.fields], 1))
        if how in INNER and self.choices.maybe(1):
            fields = [msgspec.structs.replace(f, parameter="") for f in held.fields]
            inner = self.select(0, outer=fields)
            held.conditions.append(join("EXISTS ({})", inner.text))
        on = listed(held.conditions, " AND ")
        source.text = join(f"{{}} {how} {{}} ON {{}}", source.text, right, on)
        source.fields += held.fields

    def _join_half(self, source: From, depth: int) -> None:
        """What is on the right isn't at hand afterwards."""
        right, fields = self._source(depth - 1)
        held = From(right, fields, [])
        self._connect(held.conditions, source.fields, fields)
        self._feed_all(held, source.fields)
        if not held.conditions or self.choices.maybe(3):
            held.conditions.append(self.condition([*source.fields, *held.fields], 1))
        on = listed(held.conditions, " AND ")
        how = self.one(*HALF)
        source.text = join(f"{{}} {how} {{}} ON {{}}", source.text, right, on)

    def _join_using(self, source: From, depth: int) -> None:
        """By columns of the same name, of which one on the left can be meant."""
        right, fields = self._source(depth - 1)
        names = [field.name for field in source.fields]
        shared = [
            f
            for f in fields
            if names.count(f.name) == 1
            and source.fields[names.index(f.name)].kind == f.kind
            and f.kind not in NESTED
        ]
        if not shared:
            source.text = join("{} CROSS JOIN {}", source.text, right)
            source.fields += fields
            return
        by = self.choices.one(shared)
        ways = ("JOIN", "LEFT JOIN") if by.feeds else ("JOIN", "LEFT JOIN", *OUTER[1:])
        template = f"{{}} {self.one(*ways)} {{}} USING ({by.name})"
        source.text = join(template, source.text, right)
        if by.feeds:
            fields = [_given(f) if f is by else f for f in fields]
        source.fields += fields

    def _join_lateral(self, source: From) -> None:
        outer = [msgspec.structs.replace(f, parameter="") for f in source.fields]
        inner = self.select(0, outer=outer)
        alias = self._alias()
        how = self.one(
            ", LATERAL {}", " CROSS JOIN LATERAL {}", " LEFT JOIN LATERAL {}"
        )
        on = " ON true" if "LEFT" in how else ""
        nested = join(f"({{}}) AS {alias}{on}", inner.text)
        source.text = join(f"{{}}{how}", source.text, nested)
        source.fields += _derived(alias, inner.kinds)

    def _connect(
        self, conditions: list[Pair], left: Sequence[Field], right: Sequence[Field]
    ) -> None:
        """An equality between both sides, where there are columns that hold the same."""
        mine = self.choices.one(right)
        alike = [f for f in left if f.kind == mine.kind]
        if alike and mine.kind not in NESTED:
            other = self.choices.one(alike)
            conditions.append(join("{} = {}", self.written(other), self.written(mine)))

    def _alias(self) -> str:
        self._named += 1
        return f"t{self._named}"

    def _source(self, depth: int) -> tuple[Pair, list[Field]]:
        alias = self._alias()
        match self.choices.below(10):
            case 8 if self.ctes:
                name, query = self.choices.one(self.ctes)
                return same(f"{name} AS {alias}"), _derived(alias, query.kinds)
            case 9 if depth and self.choices.maybe(3):
                return self._in_parentheses()
            case 9 if depth:
                inner = self.select(depth - 1)
                text = join(f"({{}}) AS {alias}", inner.text)
                return text, _derived(alias, inner.kinds)
            case 7 if depth and self.choices.maybe(5):
                return same(f"kept AS {alias}"), _derived(alias, ("int", "text"))
            case 7 if depth:
                rows = [
                    f"({self.choices.below(FEW)}, {literal(self.choices.one(PLACES))})"
                    for _ in range(1 + self.choices.below(3))
                ]
                values = same(f"(VALUES {', '.join(rows)}) AS {alias}(c0, c1)")
                return values, _derived(alias, ("int", "text"))
            case _:
                return self._table(alias, self._any_table())

    def _in_parentheses(self) -> tuple[Pair, list[Field]]:
        """A join of two lists, which is joined with the rest as a whole."""
        plain = [table for table in self.tables if not table.required]
        sides = [
            self._table(self._alias(), self.choices.one(plain), bare=True)
            for _ in range(2)
        ]
        (left, fields), (right, others) = sides
        on: list[Pair] = []
        self._connect(on, fields, others)
        on.append(self.condition([*fields, *others], 1))
        how = self.one(*INNER, *OUTER[:2])
        text = join(f"({{}} {how} {{}} ON {{}})", left, right, listed(on, " AND "))
        return text, [*fields, *others]

    def _any_table(self) -> Table:
        plain = [table for table in self.tables if not table.required]
        return self.choices.one(self.tables if self.choices.maybe(4) else plain)

    def _table(
        self, alias: str, table: Table, *, bare: bool = False
    ) -> tuple[Pair, list[Field]]:
        """A table, with its optional parameter now and then unless it is to be `bare`."""
        optional = table.optional if not bare and self.choices.maybe(4) else None
        name = table.resource.id
        holder, _, last = name.rpartition(".")
        theirs = f'{holder}."{last}{WITH_OPTIONAL}"' if optional else name
        text = join(f"{{}}{self.one(' ', ' AS ')}{alias}", (name, theirs))
        given = [*table.required, *([optional] if optional else [])]
        self.fed = self.fed or bool(given)
        known = {column.name for column in table.columns}
        needed = {parameter.name for parameter in given}
        more = (parameter for parameter in given if parameter.name not in known)
        held: list[Named] = [*table.columns, *more]
        return text, [_field(table, each, alias, needed) for each in held]

    def _feed_all(self, source: From, others: Sequence[Field]) -> None:
        """Give every parameter that isn't given yet."""
        for at, field in enumerate(source.fields):
            if field.feeds:
                source.conditions.append(self._feed(field, others))
                source.fields[at] = _given(field)

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
                last = same("NULL") if self.choices.maybe(2) else third
                return join("{} IN ({}, {}, {})", field.ref, first, second, last)
            case "or":
                return join("({0} = {1} OR {0} = {2})", field.ref, first, second)
            case "subquery":
                inner = self.select(0, [field.kind])
                return join("{} IN ({})", field.ref, inner.text)
            case "scalar":
                inner = self.select(1, ["one", field.kind])
                return join("{} = ({})", field.ref, inner.text)
            case _:
                return join(self.one("{0} = {1}", "{1} = {0}"), field.ref, first)

    def _argument(self, field: Field) -> Pair:
        if field.kind == "int":
            number = self.choices.below(FEW // 2)
            ways = f"{number}", f"'{number}'", f"{number} + 0", f"({number})", str(FEW)
            others = f"{number}.0", f"{number}e0", f"CAST({number} AS SMALLINT)"
            return same(self.one(*ways, *others))
        text = literal(self.choices.one(PLACES))
        return same(self.one(text, text, f"({text} || '')"))

    def _through(self, field: Field) -> Pair:
        """A column, or an expression of it."""
        ways = ("{}", "{} + 1", "coalesce({}, 3)", "{} % 4")
        if field.kind == "text":
            ways = ("{}", "lower({})", "coalesce({}, 'eu')", "split_part({}, ';', 1)")
        return join(self.one(*ways), self.written(field))


def _field(table: Table, each: Named, alias: str, needed: set[str]) -> Field:
    name = each.name
    selecting = (
        p.name
        for method in table.resource.methods
        for p in method.parameters
        if p.key_column == name
    )
    parameter = next(selecting, "")
    return Field(
        name,
        kind(each),
        same(f"{alias}.{name}"),
        same(f"{alias}.{name}"),
        parameter=f"{alias}.{parameter}" if parameter else "",
        feeds=name in needed,
        unique=name == table.key and not table.required,
    )


def _derived(alias: str, kinds: Sequence[str]) -> list[Field]:
    return [
        Field(f"c{n}", each, same(f"{alias}.c{n}"), same(f"{alias}.c{n}"))
        for n, each in enumerate(kinds)
    ]


def _given(field: Field) -> Field:
    return msgspec.structs.replace(field, feeds=False)


def _bare(field: Field) -> Field:
    """A column by its last name alone."""
    names = (each.rpartition(".")[2] for each in (*field.ref, field.parameter))
    ours, theirs, parameter = names
    return msgspec.structs.replace(field, ref=(ours, theirs), parameter=parameter)
