"""Names to resources: which tables of a query are resources, and what the query says of each.

A parameter that names the row's key is another name of the key's column; other parameters are given by an equality in
WHERE and then are columns of the row. Everything else about names and types is DuckDB's to decide.
"""

import difflib
from collections.abc import Iterable, Iterator

from sqlglot import exp

from patql.catalog.document import Access, Column, Method, Parameter, Resource
from patql.catalog.names import Catalog
from patql.engine.constants import Constants
from patql.engine.scope import Scope, bare
from patql.kernel.errors import Code, SqlError

Value = str | int | float | bool

View = tuple[str, ...]


class Occurrence:
    """A resource where it stands in a query.

    Attributes:
        table: the node in the tree.
        resource: what it names.
        arguments: parameters that WHERE gives by equality with a constant.
        needed: lower-case names of the columns that the query may read; None for all.
    """

    def __init__(self, table: exp.Table, resource: Resource) -> None:
        self.table = table
        self.resource = resource
        self.arguments: dict[str, Value] = {}
        self.needed: set[str] | None = None

    @property
    def readers(self) -> tuple[Method, ...]:
        """The methods that can answer for it."""
        return self.resource.by_access(Access.SELECT)

    def needs(self, column: str) -> bool:
        """Whether the query may read that column."""
        return self.needed is None or column.casefold() in self.needed

    def column(self, name: str) -> Column | None:
        """The column of that name, in any case."""
        folded = name.casefold()
        return next(
            (c for c in self.resource.columns if c.name.casefold() == folded), None
        )

    def parameter(self, name: str) -> Parameter | None:
        """The SELECT parameter of that name that isn't a column, in any case."""
        if self.column(name):
            return None
        return next((p for m in self.readers if (p := m.parameter(name))), None)


class Bound:
    """A query whose tables are known; `changed` says that `tree` is no longer what was written."""

    def __init__(
        self, tree: exp.Query, scope: Scope, occurrences: tuple[Occurrence, ...]
    ) -> None:
        self.tree = tree
        self.scope = scope
        self.occurrences = occurrences
        self.changed = False

    def point(self, occurrence: Occurrence, view: View) -> None:
        """Make a table of the query read another view, under the name that it had."""
        table = occurrence.table
        if view == tuple(part.name for part in table.parts):
            return
        alias = table.alias_or_name
        for column in self.tree.find_all(exp.Column):
            if column.args.get("db") and self.scope.table_of(column) is table:
                column.set("db", None)
                column.set("catalog", None)
        for key, name in zip(("catalog", "db", "this"), view, strict=True):
            table.set(key, exp.to_identifier(name, quoted=True))
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        self.changed = True


def bind(tree: exp.Query, catalog: Catalog, constants: Constants) -> Bound:
    """Find the resources of a query, the parameters that it gives them, and the columns that it reads.

    Raises:
        SqlError: UNKNOWN_NAME, or UNSUPPORTED for a parameter that isn't given by an equality.
    """
    scope = Scope(tree)
    if strange := scope.strange_function():
        message = f"{strange} isn't accepted as a table"
        raise SqlError(Code.UNSUPPORTED, message)
    occurrences = tuple(
        Occurrence(table, resolve(table, catalog)) for table in scope.named_tables()
    )
    bound = Bound(tree, scope, occurrences)
    by_table = {id(occurrence.table): occurrence for occurrence in occurrences}
    for occurrence in occurrences:
        _take_arguments(occurrence, bound, constants)
    for column in list(tree.find_all(exp.Column)):
        if owner := _owner(column, bound, by_table):
            _bind_parameter(column, owner, bound)
    needed = _needed(tree)
    for occurrence in occurrences:
        occurrence.needed = needed
    return bound


def resolve(table: exp.Table, catalog: Catalog) -> Resource:
    """The resource that a table's dotted name means.

    Raises:
        SqlError: UNKNOWN_NAME with the nearest names.
    """
    parts = [part.name for part in table.parts]
    if len(parts) != 3:
        known = [
            r.id for p in catalog.providers for s in p.services for r in s.resources
        ]
        message = f"there is no table {'.'.join(parts)} here; resources are named provider.service.resource"
        near = nearest(parts[-1], (name.rpartition(".")[2] for name in known))
        full = [name for name in known if name.rpartition(".")[2] in near] or known
        raise SqlError(Code.UNKNOWN_NAME, message, hint=f"Did you mean {full[0]}?")
    return catalog.resource(parts[0], parts[1], parts[2])


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names most like `name`, best first."""
    folded = {k.casefold(): k for k in known}
    return [
        folded[k]
        for k in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    ]


def _take_arguments(occurrence: Occurrence, bound: Bound, constants: Constants) -> None:
    """Equalities with constants that each of the occurrence's rows must meet; the relational engine checks them again."""
    for column, other in _equalities(bound.scope.filter_of(occurrence.table)):
        if bound.scope.table_of(column) is not occurrence.table:
            continue
        for parameter in _parameters(occurrence, column.name):
            if parameter.name in occurrence.arguments or not constants.is_constant(
                other
            ):
                continue
            value = constants.value(other)
            if parameter.type == "integer" and isinstance(value, str):
                value = constants.whole(value)
            value = as_argument(parameter, value)
            if value is not None:
                occurrence.arguments[parameter.name] = value


def _equalities(condition: exp.Expr | None) -> Iterator[tuple[exp.Column, exp.Expr]]:
    for conjunct in _conjuncts(condition) if condition else ():
        if not isinstance(conjunct, exp.EQ):
            continue
        left, right = bare(conjunct.this), bare(conjunct.expression)
        if isinstance(left, exp.Column):
            yield left, right
        if isinstance(right, exp.Column):
            yield right, left


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    waiting = [condition]
    while waiting:
        node = bare(waiting.pop())
        if isinstance(node, exp.And):
            waiting += (node.expression, node.this)
        else:
            yield node


def _parameters(occurrence: Occurrence, name: str) -> list[Parameter]:
    """The parameters that a column name gives: the one of that name, or the one that selects by that column."""
    folded = name.casefold()
    found = {
        p.name: p
        for method in occurrence.readers
        for p in method.parameters
        if folded in (p.name.casefold(), (p.key_column or "").casefold())
    }
    return list(found.values())


def as_argument(parameter: Parameter, value: object) -> Value | None:
    """A SQL value as a parameter's value, None where it can't be one."""
    if value is None or isinstance(value, bool):
        return value if parameter.type == "boolean" else None
    if parameter.type != "integer":
        return str(value)
    text = str(value).strip()
    whole = text.removesuffix(".0")
    return int(whole) if whole.lstrip("+-").isdecimal() and whole.isascii() else None


def _owner(
    column: exp.Column, bound: Bound, by_table: dict[int, Occurrence]
) -> Occurrence | None:
    table = bound.scope.table_of(column)
    if table is not None:
        return by_table.get(id(table))
    if column.table:
        return None
    beside = bound.scope.tables_beside(column)
    own = [by_table[id(table)] for table in beside if id(table) in by_table]
    return next(
        (o for o in own if o.column(column.name) or o.parameter(column.name)), None
    )


def _bind_parameter(column: exp.Column, occurrence: Occurrence, bound: Bound) -> None:
    parameter = occurrence.parameter(column.name)
    if parameter is None or _names_output(column, parameter, occurrence):
        return
    if parameter.key_column:
        key = column.copy()
        key.set("this", exp.to_identifier(parameter.key_column, quoted=True))
        projected = (
            isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
        )
        column.replace(
            exp.alias_(key, parameter.name, quoted=True) if projected else key
        )
        bound.changed = True
    elif parameter.name not in occurrence.arguments:
        message = f"{parameter.name} is a parameter of {occurrence.resource.id}: give it as {parameter.name} = value"
        raise SqlError(Code.UNSUPPORTED, message)


def _names_output(
    column: exp.Column, parameter: Parameter, occurrence: Occurrence
) -> bool:
    """Whether a name means a column of the result: in ORDER BY before all else, elsewhere where it means nothing else."""
    select = column.find_ancestor(exp.Select)
    aliases = [p.alias for p in select.expressions] if select else []
    if column.table or column.name.casefold() not in map(str.casefold, aliases):
        return False
    known = parameter.key_column or parameter.name in occurrence.arguments
    return isinstance(column.parent, exp.Ordered) or not known


def _needed(tree: exp.Query) -> set[str] | None:
    """Lower-case names that may be columns; None where something may read columns that it doesn't name."""
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return None
    if tree.find(exp.Columns, exp.Pivot, exp.PositionalColumn):
        return None
    if any(join.method == "NATURAL" for join in tree.find_all(exp.Join)):
        return None
    tables = list(tree.find_all(exp.Table))
    if any(table.alias_column_names for table in tables):
        return None
    names = {identifier.name.casefold() for identifier in tree.find_all(exp.Identifier)}
    columns = {column.name.casefold() for column in tree.find_all(exp.Column)}
    rows = {table.alias_or_name.casefold() for table in tables}
    return None if columns & rows else names
