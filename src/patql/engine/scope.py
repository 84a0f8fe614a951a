"""Which table a column of a query belongs to, as far as the text alone can tell."""

from collections.abc import Collection, Iterator

from sqlglot import exp

_FAR = 100
"""How many derived tables a column is followed through."""


_PASS_ON = (
    *(exp.Paren, exp.Window, exp.Filter, exp.Coalesce),
    *(exp.Min, exp.Max, exp.AnyValue, exp.First, exp.Last),
)


_FUNCTIONS = (exp.GenerateSeries, exp.Unnest, exp.Explode, exp.Repeat)
_NAMED_FUNCTIONS = frozenset(
    (
        *("GENERATE_SUBSCRIPTS", "JSON_ARRAY_ELEMENTS_TEXT", "JSON_EACH"),
        *("JSON_TREE", "REPEAT_ROW"),
    )
)
"""The functions that may stand where a table stands: those whose rows come from their arguments alone."""

_FILE_FUNCTIONS = frozenset(
    {
        *("READ_CSV", "READ_CSV_AUTO", "READ_PARQUET", "PARQUET_SCAN"),
        *("READ_JSON", "READ_JSON_AUTO", "READ_JSON_OBJECTS"),
        *("READ_JSON_OBJECTS_AUTO", "READ_NDJSON", "READ_NDJSON_AUTO"),
        *("READ_NDJSON_OBJECTS", "READ_TEXT", "READ_BLOB", "GLOB", "SNIFF_CSV"),
    }
)
"""Those whose rows come from files."""


TABLE = frozenset({"this", "db", "catalog", "alias"})
"""What a table's node has where nothing but a name stands there."""


class Scope:
    """The tables and columns of one query."""

    def __init__(self, tree: exp.Expr) -> None:
        self._tree = tree

    def named_tables(self) -> Iterator[exp.Table]:
        """The tables that are read and aren't CTEs or functions."""
        for table in self._tree.find_all(exp.Table):
            named = isinstance(table.this, (exp.Identifier, exp.Dot))
            if named and not self._cte(table) and not self._is_target(table):
                yield table

    def _is_target(self, table: exp.Table) -> bool:
        """Whether a table is what the statement makes or changes, and not what it reads."""
        node: exp.Expr = table
        if isinstance(table.parent, exp.Schema):
            node = table.parent
        holder = node.parent
        if holder is not self._tree or node.arg_key != "this":
            return False
        reads = isinstance(holder, exp.Copy) and holder.args.get("kind") is False
        return not isinstance(holder, exp.Query) and not reads

    def strange_function(self, *, files: bool) -> str | None:
        """A function in the place of a table whose rows come from elsewhere than its arguments, or `files`; None where there is none."""
        accepted = _NAMED_FUNCTIONS | _FILE_FUNCTIONS if files else _NAMED_FUNCTIONS
        for table in self._tree.find_all(exp.Table, exp.Lateral):
            function = table.this
            if not isinstance(function, exp.Func) or isinstance(function, _FUNCTIONS):
                continue
            called = isinstance(function, exp.Anonymous)
            name = function.name if called else function.sql_name().lower()
            if name.upper() not in accepted:
                return name
        return None

    def conditions_of(self, table: exp.Table) -> list[exp.Expr]:
        """Conditions that a table's rows must meet to matter, joined by AND: leaving out the others changes nothing.

        They are those of the WHERE of the SELECT in whose FROM or JOIN the table stands itself, and of each ON that no
        row of the table outlives, unless something there looks at rows that they leave out: a sample, a pivot, a join
        with the nearest row or by position. Where `outer_joined`, that holds for conditions that NULL doesn't meet.
        """
        holder = table.parent
        select = holder.parent if isinstance(holder, (exp.From, exp.Join)) else None
        if not isinstance(select, exp.Select) or select.args.get("sample"):
            return []
        if not has_only(table, TABLE) or _renames(table):
            return []
        joins = joins_of(select)
        if any(join.method in ("ASOF", "POSITIONAL") for join in joins):
            return []
        where = select.args.get("where")
        found = list(conjuncts(where.this)) if where else []
        own = next((at for at, join in enumerate(joins) if join is holder), -1)
        for at, join in enumerate(joins):
            to_right = at == own and join.side in ("", "LEFT")
            to_left = own < at and _drops_left(join) and _names_left(join, at)
            if to_right or to_left:
                found += _meeting(select, join, at)
        return found

    def outer_joined(self, table: exp.Table) -> bool:
        """Whether a join beside a table may put NULLs in the place of its rows."""
        select = table.find_ancestor(exp.Select)
        return select is not None and joins_outer(select)

    def source_of(self, column: exp.Column) -> exp.Expr | None:
        """What stands in FROM or a join and gives a column; None where the text doesn't tell."""
        return self._source(column)

    def cte_of(self, table: exp.Table) -> exp.CTE | None:
        """The CTE that a table names, None where it names none."""
        return self._cte(table)

    def ctes_around(self, node: exp.Expr) -> list[exp.CTE]:
        """All that can be named where an expression stands, the outer ones first."""
        found: list[exp.CTE] = []
        parent = node.parent
        while parent is not None:
            if with_ := parent.args.get("with_"):
                hidden = {cte.alias.casefold() for cte in found}
                outer = [
                    cte
                    for cte in with_.expressions
                    if cte.alias.casefold() not in hidden
                ]
                found = [*outer, *found]
            parent = parent.parent
        return found

    def table_of(self, column: exp.Column) -> exp.Table | None:
        """The table that a column is read from directly; None where the text doesn't tell."""
        source = self._source(column)
        if not isinstance(source, exp.Table) or self._cte(source) or _renames(source):
            return None
        return source

    def tables_beside(self, column: exp.Column) -> list[exp.Table]:
        """The tables that an unqualified column may belong to; none where something derived stands among them."""
        select = next(_selects_around(column), None)
        sources = list(_sources(select)) if select else []
        tables = [s for s in sources if isinstance(s, exp.Table) and not self._cte(s)]
        return tables if len(tables) == len(sources) else []

    def origins(self, column: exp.Column) -> list[tuple[exp.Table, str]] | None:
        """The tables and columns whose values a column passes on unchanged, through subqueries and CTEs.

        None where it has other values too, or the text doesn't tell.
        """
        return self._origins(column, set())

    def _origins(
        self, column: exp.Column, seen: set[tuple[int, str]]
    ) -> list[tuple[exp.Table, str]] | None:
        source = self._source(column)
        return None if source is None else self._passed_on(source, column.name, seen)

    def _passed_on(
        self, source: exp.Expr, name: str, seen: set[tuple[int, str]]
    ) -> list[tuple[exp.Table, str]] | None:
        if _renames(source):
            return None
        if isinstance(source, exp.Table):
            cte = self._cte(source)
            return [(source, name)] if cte is None else self._passed_on(cte, name, seen)
        if (id(source), name) in seen:  # a recursive CTE's own rows
            return []
        if len(seen) == _FAR:
            return None
        seen.add((id(source), name))
        found: list[tuple[exp.Table, str]] = []
        branches = _branches(source.this)
        for branch in branches:
            output = _output(branch, name, branches[0])
            given = self._given(branch, output, name, seen) if output else None
            if given is None:
                return None
            found += given
        return found or None

    def _given(
        self,
        select: exp.Select,
        projection: exp.Expr,
        name: str,
        seen: set[tuple[int, str]],
    ) -> list[tuple[exp.Table, str]] | None:
        if isinstance(projection, exp.Star):
            sources = list(_sources(select))
            edited = any(projection.args.values())
            alone = len(sources) == 1 and not edited
            return self._passed_on(sources[0], name, seen) if alone else None
        found: list[tuple[exp.Table, str]] = []
        for each in passed_on(projection.unalias()):
            if isinstance(each, exp.Null):
                continue
            origins = (
                self._origins(each, seen) if isinstance(each, exp.Column) else None
            )
            if origins is None:
                return None
            found += origins
        return found

    def _source(self, column: exp.Column) -> exp.Expr | None:
        qualifier = column.table.casefold()
        for select in _selects_around(column):
            sources = list(_sources(select))
            if sources and not qualifier:
                return sources[0] if len(sources) == 1 else None
            for source in sources:
                if source.alias_or_name.casefold() == qualifier:
                    return source if _is_under(source, column) else None
        return None

    def _cte(self, table: exp.Table) -> exp.CTE | None:
        if table.args.get("db"):
            return None
        node: exp.Expr | None = table
        while node is not None:
            with_ = node.args.get("with_")
            for cte in with_.expressions if with_ else ():
                if cte.alias.casefold() == table.name.casefold():
                    found: exp.CTE = cte
                    return found
            node = node.parent
        return None


def passed_on(expression: exp.Expr) -> list[exp.Expr]:
    """The expressions one of whose values another one gives, such as the column in `max(created)`."""
    found: list[exp.Expr] = []
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _PASS_ON):
            found.append(node)
            continue
        waiting.append(node.this)
        if isinstance(node, exp.Coalesce):
            waiting += node.expressions
    return found


def _branches(query: exp.Expr) -> list[exp.Select]:
    """The SELECTs that give a query's rows; none where something else does."""
    found: list[exp.Select] = []
    waiting = [query]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.SetOperation):
            waiting += (node.expression, node.this)
        elif isinstance(node, exp.Subquery):
            waiting.append(node.this)
        elif isinstance(node, exp.Select):
            found.append(node)
        else:
            return []
    return found


def _output(select: exp.Select, name: str, first: exp.Select) -> exp.Expr | None:
    """What gives the column of a name, which the `first` of the SELECTs of a query calls so; None where the text doesn't tell."""
    named = [p.alias_or_name.casefold() for p in first.expressions]
    whole = all(not p.is_star for p in (*first.expressions, *select.expressions))
    if whole and name.casefold() in named:
        at = named.index(name.casefold())
        return select.expressions[at] if at < len(select.expressions) else None
    for projection in select.expressions:
        if (
            isinstance(projection, exp.Star)
            or projection.alias_or_name.casefold() == name.casefold()
        ):
            found: exp.Expr = projection
            return found
    return None


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that AND joins, from left to right."""
    waiting = [condition]
    while waiting:
        node = bare(waiting.pop())
        if isinstance(node, exp.And):
            waiting += (node.expression, node.this)
        else:
            yield node


def place_of(node: exp.Expr) -> tuple[int | None, int | None]:
    """The line and column at which a name is written, from 1; None where the text doesn't have it."""
    identifier = node.find(exp.Identifier)
    meta = identifier.meta if identifier is not None else {}
    if "col" not in meta:
        return None, None
    return meta["line"], max(1, meta["col"] - (meta["end"] - meta["start"]))


def has_only(node: exp.Expr, parts: Collection[str]) -> bool:
    """Whether a node has none but these parts."""
    return all(part in parts for part, value in node.args.items() if value)


def joins_of(select: exp.Select) -> list[exp.Join]:
    """The joins of a SELECT, in order."""
    return select.args.get("joins") or []


def joins_outer(select: exp.Select) -> bool:
    """Whether a join of a SELECT, in parentheses or not, may put NULLs in the place of rows."""
    joins = (
        j
        for part in (select.args.get("from_"), *joins_of(select))
        if part
        for j in part.find_all(exp.Join)
    )
    return any(join.side and join.find_ancestor(exp.Select) is select for join in joins)


def is_merged(select: exp.Select, name: str) -> bool:
    """Whether a column's values may come from either side of a join, which gives it once."""
    joins = (
        j
        for part in (select.args.get("from_"), *joins_of(select))
        if part
        for j in part.find_all(exp.Join)
    )
    return any(
        join.side in ("RIGHT", "FULL")
        and (
            join.method == "NATURAL"
            or name.casefold()
            in (n.name.casefold() for n in join.args.get("using") or ())
        )
        for join in joins
    )


def _drops_left(join: exp.Join) -> bool:
    """Whether rows to the left of a join that don't meet its condition are lost."""
    return join.side == "RIGHT" or (join.side == "" and join.kind != "ANTI")


def _names_left(join: exp.Join, at: int) -> bool:
    """Whether the text tells which of the tables to the left a join's condition is about."""
    return at == 0 or not join.args.get("using")


def _meeting(select: exp.Select, join: exp.Join, at: int) -> list[exp.Expr]:
    """What ON or USING asks of the rows that meet; of several resources to the left any may have the columns of USING."""
    if on := join.args.get("on"):
        return list(conjuncts(on))
    using: list[exp.Identifier] = join.args.get("using") or []
    right = join.this.alias_or_name
    meeting: list[exp.Expr] = []
    before = list(_sources(select, at)) if using else []
    lefts = [left for left in before if len(before) == 1 or left.args.get("db")]
    for left in lefts:
        for name in using:
            if is_merged(select, name.name):
                continue
            sides = [
                exp.column(name.name, table=side, quoted=True)
                for side in (left.alias_or_name, right)
            ]
            equality = exp.EQ(this=sides[0], expression=sides[1])
            equality.parent = join
            meeting.append(equality)
    return meeting


def bare(expression: exp.Expr) -> exp.Expr:
    """An expression without the parentheses around it; a subquery keeps its own."""
    while isinstance(expression, exp.Paren):
        expression = expression.this
    return expression


def _selects_around(node: exp.Expr) -> Iterator[exp.Select]:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, exp.Select):
            yield parent
        parent = parent.parent


def _sources(select: exp.Select, joined: int | None = None) -> Iterator[exp.Expr]:
    """What stands in FROM and the joins, or in so many of them: tables and subqueries."""
    from_ = select.args.get("from_")
    for part in ([from_] if from_ else []) + joins_of(select)[:joined]:
        yield from _spread(part.this)


def _spread(source: exp.Expr) -> Iterator[exp.Expr]:
    """A source, and those that it is joined with before the others are."""
    grouped = isinstance(source, exp.Subquery) and isinstance(
        source.this, (exp.Table, exp.Subquery)
    )
    if grouped and not source.alias:  # parentheses around a join
        yield from _spread(source.this)
    else:
        yield source
    for join in source.args.get("joins") or ():
        yield from _spread(join.this)


def _is_under(source: exp.Expr, column: exp.Column) -> bool:
    """Whether all that a column's name is qualified by is a source's: `t.author.id` is a field of `t`, not of `author`."""
    qualifiers = [part.name.casefold() for part in column.parts[:-2]]
    if not qualifiers:
        return True
    if not isinstance(source, exp.Table) or source.alias:
        return False
    path = [part.name.casefold() for part in source.parts[:-1]]
    return path[-len(qualifiers) :] == qualifiers


def _renames(source: exp.Expr) -> bool:
    """Whether the alias of a table or a subquery renames its columns."""
    alias = source.args.get("alias")
    return bool(alias and alias.args.get("columns"))
