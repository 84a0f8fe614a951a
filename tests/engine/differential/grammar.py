"""Random queries over the resources of a world, each written for PatQL and for DuckDB over whole tables."""

from collections.abc import Sequence

import msgspec
from tests.engine.differential.expressions import NESTED, Field
from tests.engine.differential.moments import compared, instant
from tests.engine.differential.pairs import Pair, join, listed, same
from tests.engine.differential.sources import From, Select, Sources

SETS = ("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL")


class Case(msgspec.Struct, kw_only=True):
    """A statement, and how its answer is judged.

    Attributes:
        ours: the text for PatQL.
        theirs: the text for DuckDB, without LIMIT.
        limit: the text of LIMIT, empty where there is none.
        span: the rows that it asks for, None where there is none.
        ordered: whether the order of rows is told wholly.
        keys: how many columns, from the first, rows are ordered by otherwise.
        fed: whether it reads resources that need parameters, which may be refused.
        cold: whether PatQL is to have forgotten which servers are of ours.
    """

    ours: str
    theirs: str
    limit: str = ""
    span: slice | None = None
    ordered: bool = False
    keys: int = 0
    fed: bool = False
    cold: bool = False


class Grammar(Sources):
    """Draws one statement."""

    def case(self) -> Case:
        """A whole statement."""
        cold = self.choices.below(10) < 3
        case = self._direct() if self.choices.maybe(4) else self._composed()
        case.fed, case.cold = self.fed, cold
        return case

    def _composed(self) -> Case:
        if self.choices.maybe(2):
            for _ in range(1 + self.choices.below(2)):
                query = self._repeated() if self.choices.maybe(2) else self.select(1)
                self.ctes.append((f"w{len(self.ctes)}", query))
        ways = (
            *(self._complete, self._complete, self._complete, self._complete),
            *(self._limited, self._limited, self._starred, self._starred),
            *(self._distinct_on, self._unpivoted),
        )
        case = self.choices.one(ways)()
        if self.ctes:
            heads = [join(f"{name} AS ({{}})", cte.text) for name, cte in self.ctes]
            ours, theirs = join("WITH RECURSIVE {} ", listed(heads))
            case.ours, case.theirs = ours + case.ours, theirs + case.theirs
        return case

    def _complete(self) -> Case:
        """A query whose rows are known: in their order, or in any."""
        query = self.select(2)
        if not self.choices.maybe(5):
            return Case(ours=query.text[0], theirs=query.text[1])
        positions = [str(n + 1) for n in range(len(query.kinds))]
        if self.choices.maybe(5):
            positions.reverse()
        order = ", ".join(p + self.one(*_DIRECTIONS) for p in positions)
        ours, theirs = (f"{text} ORDER BY {order}" for text in query.text)
        case = Case(ours=ours, theirs=theirs, ordered=True)
        return self._limit(case) if self.choices.maybe(5) else case

    def _direct(self) -> Case:
        """What a server can do by itself: filter, order, limit and count the rows of one list."""
        paged = [t for t in self.tables if t.serving.style == "pages"]
        table = self.choices.one(paged or self.tables)
        source = self.sources(0, table=table)
        able = {c.name for c in table.columns if c.filterable or c.filterable_extension}
        fields = [f for f in source.fields if f.name in able] or source.fields
        for _ in range(self.choices.below(4)):
            source.conditions.append(self.condition(fields, self.choices.below(2)))
        if source.conditions:
            where = listed(source.conditions, " AND ")
            tail = join("{} WHERE {}", source.text, where)
        else:
            tail = source.text
        if self.choices.maybe(3):
            counted = join(f"SELECT {self.one('count(*)', 'count(1)')} FROM {{}}", tail)
            return Case(ours=counted[0], theirs=counted[1])
        return self._first_of(tail, fields, source.fields)

    def _starred(self) -> Case:
        """All columns under their own names, of one source."""
        source = self.sources(0)
        template = self.one("SELECT * FROM {}{}", "FROM {}{}")
        if source.text[0].startswith("(VALUES"):
            template = "SELECT * FROM {}{}"
        text = join(template, source.text, self._where(source))
        return Case(ours=text[0], theirs=text[1])

    def _distinct_on(self) -> Case:
        """The first row for each value of a column."""
        source = self.sources(1)
        fields = [f for f in source.fields if f.kind not in NESTED] or source.fields
        shown = [self.choices.one(fields).ref for _ in range(2)]
        text = join(
            "SELECT DISTINCT ON ({}) {} FROM {}{} ORDER BY 1, 2",
            shown[0],
            self._outputs(shown),
            source.text,
            self._where(source),
        )
        return Case(ours=text[0], theirs=text[1], ordered=True)

    def _unpivoted(self) -> Case:
        """The numbers of a list as rows of their own, each with its column's name."""
        plain = [table for table in self.tables if not table.required]
        table = self.choices.one(plain)
        source, fields = self._table("u", table, bare=True)
        names = [f.name for f in fields if f.kind == "int"]
        if not names:
            return self._complete()
        template = (
            f"SELECT {names[0]} FROM {{}} UNPIVOT ({names[0]} FOR n IN ({', '.join(names)}))"
            f" WHERE {names[0]} {self.one('>', '=', '<>')} {self.choices.below(4)}"
        )
        ours, theirs = (s.rpartition(" ")[0].removesuffix(" AS") for s in source)
        text = join(template, (ours, theirs))
        return Case(ours=text[0], theirs=text[1])

    def _repeated(self) -> Select:
        """A query of whole numbers that goes on from its own rows."""
        name = f"w{len(self.ctes)}"
        first, source = self.select(1, ["int"]), self.sources(0)
        numbers = [field for field in source.fields if field.kind == "int"]
        if not numbers:
            return first
        at, to = self.choices.one(numbers), self.choices.one(numbers)
        template = f"{{}} UNION SELECT {{}} FROM {{}}, {name} AS again{{}}"
        source.conditions.append(join("{} = again.c0", at.ref))
        where = join(" WHERE {}", listed(source.conditions, " AND "))
        text = join(template, first.text, to.ref, source.text, where)
        return Select(text, ("int",))

    def _limited(self) -> Case:
        """A query of which any rows will do that are first by some of its columns."""
        source = self.sources(1)
        tail = join("{}{}", source.text, self._where(source))
        return self._first_of(tail, source.fields, source.fields)

    def _first_of(
        self, tail: Pair, by: Sequence[Field], fields: Sequence[Field]
    ) -> Case:
        """The first rows, ordered by some of the columns `by`, of what stands after FROM."""
        keys = [self.choices.one(by) for _ in range(self.choices.below(3))]
        keys = [key for key in keys if key.kind not in NESTED]
        shown = [f.ref for f in keys] + [self.choices.one(fields).ref]
        # A bare c1 would mean the output of that name.
        named = [f.full if f.name[1:].isdecimal() else self.written(f) for f in keys]
        order = [join(f"{{}}{self.one(*_DIRECTIONS)}", name) for name in named]
        ordered = join(" ORDER BY {}", listed(order)) if order else same("")
        select = join("SELECT {} FROM {}", self._outputs(shown), tail)
        ours, theirs = join("{}{}", select, ordered)
        case = Case(ours=ours, theirs=theirs, keys=len(keys))
        return self._limit(case) if self.choices.maybe(8) else case

    def _limit(self, case: Case) -> Case:
        count, first = self.choices.below(12), self.choices.below(8)
        offset = f" OFFSET {first}" if self.choices.maybe(3) else ""
        start = first if offset else 0
        case.span = slice(start, start + count)
        case.limit = f" LIMIT {count}{offset}"
        case.ours += case.limit
        return case

    def select(
        self, depth: int, kinds: Sequence[str] = (), outer: Sequence[Field] = ()
    ) -> Select:
        """A query without LIMIT, of columns of the kinds that are asked for, or of any.

        The kind `one`, before another, asks for a single row.
        """
        if kinds and kinds[0] == "one":
            return self._counted(depth, kinds[1:], outer)
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
        outer = _around(fields)
        if field.kind in NESTED or self.choices.maybe(5):
            inner = self.select(0, outer=outer if self.choices.maybe(8) else ())
            return join(f"{self.one('EXISTS', 'NOT EXISTS')} ({{}})", inner.text)
        inner = self.select(0, [field.kind], outer if self.choices.maybe(3) else ())
        among = self.one("IN", "NOT IN", "= ANY", "<> ALL")
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
            elif fields and self.choices.maybe(3):
                each = self.one("int", "text")
                inner = self.select(1, ["one", each], _around(fields))
                found.append((join("({})", inner.text), each))
            else:
                each = self.one("int", "text", "num", "bool")
                found.append((self.value(each, fields, 2), each))
        return found

    def _projected(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self.sources(depth, outer)
        shown = self._shown(source.fields, kinds)
        head = "DISTINCT " if self.choices.maybe(2) else ""
        text = join(
            f"SELECT {head}{{}} FROM {{}}{{}}",
            self._outputs([piece for piece, _ in shown]),
            source.text,
            self._where(source, outer=outer),
        )
        return Select(text, _honest([each for _, each in shown], kinds))

    def _counted(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self.sources(depth - 1, outer)
        kinds = kinds or ("int",)
        shown = [
            same(self.one("count(*)", "count(1)"))
            if each == "int"
            else join("max({})", self.value(each, source.fields))
            for each in kinds
        ]
        where = self._where(source, outer=outer)
        template = self.one("SELECT {0} FROM {1}{2}", "FROM {1} SELECT {0}{2}")
        if source.text[0].startswith("(VALUES"):  # which sqlglot can't read joins of
            template = "SELECT {0} FROM {1}{2}"
        text = join(template, self._outputs(shown), source.text, where)
        return Select(text, _honest(kinds, kinds))

    def _grouped(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        source = self.sources(depth - 1, outer)
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
        way = (
            self.one("{}", "{}", "ROLLUP ({})", "GROUPING SETS (({}), ())")
            if not kinds
            else "{}"
        )
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
        own = {
            "int": ("CAST(sum({0}){1} AS BIGINT)", "int"),
            "num": ("sum({0}){1}", "num"),
            "bool": ("bool_or({0}){1}", "bool"),
            "text": (f"string_agg({distinct}{{0}}, '|' ORDER BY {{0}}){{1}}", "text"),
            "big": (f"count({distinct}{{0}}){{1}}", "int"),
        }
        aggregate, gives = self.choices.one(
            (
                ("count(*){1}", "int"),
                ("count({0}){1}", "int"),
                ("max({0}){1}", each),
                ("min({0}){1}", each),
                own[each],
            )
        )
        some = same("")
        if self.choices.maybe(2):
            some = join(" FILTER (WHERE {})", self.condition(fields, 0))
        return join(aggregate, value, some), gives

    def _windowed(
        self, depth: int, kinds: Sequence[str], outer: Sequence[Field]
    ) -> Select:
        if kinds:
            return self._projected(depth, kinds, outer)
        source = self.sources(depth - 1, outer)
        plain = [field for field in source.fields if field.kind not in NESTED]
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


_DIRECTIONS = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC")


def _honest(found: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """What columns hold: where a kind was asked for, a time may be any text."""
    return tuple("text" if asked and each == "time" else each for each in found)


def _of_sets(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(a if a == b else "text" for a, b in zip(first, second, strict=True))


def _around(fields: Sequence[Field]) -> list[Field]:
    """Columns as a subquery may write them."""
    return [msgspec.structs.replace(f, ref=f.full, parameter="") for f in fields]
