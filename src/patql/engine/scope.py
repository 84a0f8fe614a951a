"""Which table a column of a query belongs to, as far as the text alone can tell."""

from collections.abc import Iterator

from sqlglot import exp

_DEPTH = 50
"""How many derived tables a column is followed through; recursive CTEs have no end."""


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


class Scope:
    """The tables and columns of one query."""

    def __init__(self, tree: exp.Query) -> None:
        self._tree = tree

    def named_tables(self) -> Iterator[exp.Table]:
        """The tables that aren't CTEs, and aren't functions."""
        for table in self._tree.find_all(exp.Table):
            if isinstance(table.this, (exp.Identifier, exp.Dot)) and not self._cte(
                table
            ):
                yield table

    def strange_function(self) -> str | None:
        """A function in the place of a table whose rows don't come from its arguments alone, None where there is none."""
        for table in self._tree.find_all(exp.Table, exp.Lateral):
            function = table.this
            if not isinstance(function, exp.Func) or isinstance(function, _FUNCTIONS):
                continue
            name = function.name if isinstance(function, exp.Anonymous) else ""
            if name.upper() not in _NAMED_FUNCTIONS:
                return name or function.sql_name().lower()
        return None

    def filter_of(self, table: exp.Table) -> exp.Expr | None:
        """The condition that every row of a table must meet before anything else is done with it.

        It is the WHERE of the SELECT in whose FROM or JOIN the table stands itself, unless something there looks at
        rows that the condition leaves out: a sample, a pivot, a join with the nearest row or by position.
        """
        holder = table.parent
        select = holder.parent if isinstance(holder, (exp.From, exp.Join)) else None
        if not isinstance(select, exp.Select) or select.args.get("sample"):
            return None
        if table.args.get("sample") or table.args.get("pivots") or _renames(table):
            return None
        joins: list[exp.Join] = select.args.get("joins") or []
        if any(join.method in ("ASOF", "POSITIONAL") for join in joins):
            return None
        where = select.args.get("where")
        return where.this if where else None

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

    def origin(
        self, column: exp.Column, depth: int = _DEPTH
    ) -> tuple[exp.Table, str] | None:
        """The table and column whose value a column passes on unchanged, through subqueries and CTEs."""
        source = self._source(column)
        return (
            self._passed_on(source, column.name, depth) if source is not None else None
        )

    def _passed_on(
        self, source: exp.Expr, name: str, depth: int
    ) -> tuple[exp.Table, str] | None:
        if isinstance(source, exp.Table):
            cte = self._cte(source)
            if _renames(source) or cte is None:
                return None if _renames(source) else (source, name)
            source = cte
        query = source.this
        while isinstance(query, (exp.SetOperation, exp.Subquery)):
            query = query.this  # the first of them names the columns
        if depth == 0 or not isinstance(query, exp.Select) or _renames(source):
            return None
        for projection in query.expressions:
            if isinstance(projection, exp.Star):
                edited = any(projection.args.values())
                return None if edited else self._through_star(query, name, depth)
            if projection.alias_or_name.casefold() == name.casefold():
                inner = passed_on(projection.unalias())
                return (
                    self.origin(inner, depth - 1)
                    if isinstance(inner, exp.Column)
                    else None
                )
        return None

    def _through_star(
        self, query: exp.Select, name: str, depth: int
    ) -> tuple[exp.Table, str] | None:
        sources = list(_sources(query))
        return (
            self._passed_on(sources[0], name, depth - 1) if len(sources) == 1 else None
        )

    def _source(self, column: exp.Column) -> exp.Expr | None:
        qualifier = column.table.casefold()
        for select in _selects_around(column):
            sources = list(_sources(select))
            if sources and not qualifier:
                return sources[0] if len(sources) == 1 else None
            for source in sources:
                if source.alias_or_name.casefold() == qualifier:
                    return source
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


def passed_on(expression: exp.Expr) -> exp.Expr:
    """The expression one of whose values another one gives, such as the column in `max(created)`."""
    while isinstance(expression, _PASS_ON):
        expression = expression.this
    return expression


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


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    """What stands in FROM and the joins: tables and subqueries."""
    from_ = select.args.get("from_")
    if from_:
        yield from_.this
    for join in select.args.get("joins") or ():
        yield join.this


def _renames(source: exp.Expr) -> bool:
    """Whether the alias of a table or a subquery renames its columns."""
    alias = source.args.get("alias")
    return bool(alias and alias.args.get("columns"))
