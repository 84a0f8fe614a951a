"""Where a parameter's values come from other rows: the query that gives them.

It reads the tables that the values are taken from, and of the conditions beside them those that are about these tables
alone: no row that they leave out can meet one that a parameter would be asked for.
"""

from collections.abc import Iterable, Iterator

from sqlglot import exp

from patql.engine.bind import Bound
from patql.engine.constants import is_steady
from patql.engine.dialect import DIALECT
from patql.engine.given import Link
from patql.engine.nulls import is_strict, rejects_null
from patql.engine.scope import bare, conjuncts, is_merged, joins_of, joins_outer

_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
"""DuckDB's types of parameters; others are text."""


class Feed:
    """The links that give one occurrence the values of some of its parameters, together.

    Attributes:
        links: one for each parameter.
    """

    def __init__(self, links: Iterable[Link], bound: Bound) -> None:
        self.links = tuple(links)
        self._bound = bound
        read = (
            source for link in self.links for source in sources_of(link, bound) or ()
        )
        self._sources = list({id(source): source for source in read}.values())

    def tables(self) -> list[str]:
        """The names of the tables whose rows give the values."""
        queries = [link.expression for link in self.links if link.is_subquery]
        found = (t for node in (*self._sources, *queries) for t in _tables(node))
        return list(dict.fromkeys(".".join(p.name for p in t.parts) for t in found))

    def sql(self) -> str:
        """The query for the distinct values, a column for each link; to be run when what it reads is published."""
        tables = [source.copy() for source in self._sources]
        for table in tables:
            table.set(
                "joins", None
            )  # those within parentheses are sources of their own
        query = exp.select(*(_value(n, k, tables) for n, k in enumerate(self.links)))
        query = query.distinct()
        for at, table in enumerate(tables):
            if at == 0:
                query = query.from_(table)
            else:
                query.append("joins", exp.Join(this=table))
        for condition in self._conditions():
            query = query.where(condition.copy())
        _define(query, self._ctes())
        return query.sql(DIALECT, comments=False)

    def _conditions(self) -> Iterator[exp.Expr]:
        own = {id(source) for source in self._sources}
        around = (source.find_ancestor(exp.Select) for source in self._sources)
        for select in {id(s): s for s in around if s is not None}.values():
            for condition in _met_by_all(select):
                if condition.find(exp.Query) or not is_steady(condition):
                    continue
                columns = list(condition.find_all(exp.Column))
                read = [source_of(column, self._bound) for column in columns]
                if read and all(id(source) in own for source in read):
                    yield condition

    def _ctes(self) -> list[exp.CTE]:
        nodes = (*self._sources, *(link.expression for link in self.links))
        found = (c for node in nodes for c in self._bound.scope.ctes_around(node))
        return list({id(cte): cte for cte in found}.values())


def dependencies(link: Link, bound: Bound) -> set[int] | None:
    """Where in `bound.occurrences` the resources stand that a link reads; None where it can't be evaluated by itself.

    Nor can what gives other rows each time, such as a sample: the query would have its own.
    """
    sources = sources_of(link, bound)
    if sources is None:
        return None
    read = dict[int, exp.Expr]()
    waiting = [*sources, link.expression]
    while waiting:
        node = waiting.pop()
        if not is_steady(node):
            return None
        for table in node.find_all(exp.Table):
            if id(table) in read:
                continue
            read[id(table)] = table
            if cte := bound.scope.cte_of(table):
                waiting.append(cte)
    found = enumerate(bound.occurrences)
    return {at for at, occurrence in found if id(occurrence.table) in read}


def sources_of(link: Link, bound: Bound) -> list[exp.Expr] | None:
    """What stands in FROM and gives the columns of a link's expression, each after those that it refers to itself.

    None where the text doesn't tell, or where NULLs that a join puts in the place of rows could become values.
    """
    expression = link.expression
    if isinstance(bare(expression), (exp.Any, exp.All)) or expression.find(exp.Collate):
        return None  # they mean something only beside a comparison
    found = _outside(expression, bound)
    if found is None or (found and link.is_subquery):
        return None
    selects = (source.find_ancestor(exp.Select) for source in found)
    outer = any(joins_outer(select) for select in selects if select is not None)
    return found if not outer or is_strict(expression) else None


def source_of(column: exp.Column, bound: Bound) -> exp.Expr | None:
    """What stands in FROM and gives a column, or the nested value of which it is a field."""
    source = bound.scope.source_of(column)
    if source is not None:
        return source
    owner = bound.owner(column)
    if owner is None and column.table and not column.args.get("catalog"):
        nested = exp.column(column.table, table=column.db or None)
        nested.parent = column.parent
        owner = bound.owner(nested)
        if owner is None and column.db:
            return bound.scope.source_of(nested)
    return owner.table if owner else None


def _outside(node: exp.Expr, bound: Bound) -> list[exp.Expr] | None:
    """What gives the columns of a node and doesn't stand in it, in order of dependence; None where one isn't known."""
    inside = {id(each) for each in node.walk()}
    found = dict[int, exp.Expr]()
    for column in node.find_all(exp.Column):
        source = source_of(column, bound)
        if source is None or _lacks(source, column, bound):
            return None
        if id(source) in inside:
            continue
        if _is_other(column, source, node, bound):
            return None
        if id(source) in found:
            continue
        before = _outside(source, bound) if not isinstance(source, exp.Table) else []
        if before is None:
            return None
        found |= {id(each): each for each in before}
        found[id(source)] = source
    return list(found.values())


def _lacks(source: exp.Expr, column: exp.Column, bound: Bound) -> bool:
    """Whether a column is none of the resource that it is said to be of."""
    owner = bound.at(source)
    if owner is None or column.table.casefold() != source.alias_or_name.casefold():
        return False
    return not (owner.column(column.name) or owner.parameter(column.name))


def _is_other(
    column: exp.Column, source: exp.Expr, node: exp.Expr, bound: Bound
) -> bool:
    """Whether a column, or an expression's part that it stands in, may have other values than the source's rows."""
    holder = source.find_ancestor(exp.Select)
    select = column.find_ancestor(exp.Select)
    if select is holder:
        return (
            not column.table and holder is not None and is_merged(holder, column.name)
        )
    around: exp.Expr | None = column
    while around is not None and around is not node.parent:
        if isinstance(around, (exp.AggFunc, exp.Anonymous)):
            return True  # it may be of all rows of a group
        around = around.parent
    while select is not None and select is not holder:
        beside = (
            o for o in bound.occurrences if o.table.find_ancestor(exp.Select) is select
        )
        if any(o.column(column.table) for o in beside):
            return True  # it may be a field of a nested value there
        select = select.find_ancestor(exp.Select)
    return False


def _value(at: int, link: Link, tables: list[exp.Expr]) -> exp.Expr:
    """The column of a link; the query of a subquery's becomes one more table."""
    kind = _TYPES.get(link.parameter.type, "VARCHAR")
    if not link.is_subquery:
        return exp.TryCast(this=link.expression.copy(), to=exp.DataType.build(kind))
    name = f"feed {at}"
    alias = exp.TableAlias(
        this=exp.to_identifier(name, quoted=True), columns=[exp.to_identifier("value")]
    )
    tables.append(exp.Subquery(this=link.expression.unnest().copy(), alias=alias))
    value = exp.column("value", table=exp.to_identifier(name, quoted=True))
    return exp.TryCast(this=value, to=exp.DataType.build(kind))


def _met_by_all(select: exp.Select) -> Iterator[exp.Expr]:
    """Conditions without which no row comes out of a SELECT, whatever its joins do."""
    joins = joins_of(select)
    outer = joins_outer(select)
    where = select.args.get("where")
    for condition in conjuncts(where.this) if where else ():
        if not outer or rejects_null(condition):
            yield condition
    for join in joins if not outer else ():
        if join.args.get("on") and join.kind != "ANTI":
            yield from conjuncts(join.args["on"])


def _define(query: exp.Select, ctes: list[exp.CTE]) -> None:
    """Give a query the CTEs that it names, and those that they name."""
    chosen: list[exp.CTE] = []
    named = _named(query)
    for cte in reversed(ctes):
        if cte.alias.casefold() in named:
            chosen.insert(0, cte.copy())
            named |= _named(cte)
    if chosen:
        recursive = any(
            bool(cte.parent and cte.parent.args.get("recursive")) for cte in ctes
        )
        query.set("with_", exp.With(expressions=chosen, recursive=recursive))


def _tables(node: exp.Expr) -> Iterator[exp.Table]:
    return node.find_all(exp.Table)


def _named(node: exp.Expr) -> set[str]:
    tables = node.find_all(exp.Table)
    return {t.name.casefold() for t in tables if not t.args.get("db")}
