"""Names to resources: which tables of a query are resources, and what the query says of each.

A parameter that names the row's key is another name of the key's column; others are given by an equality or an IN, and
then are columns of the row. Everything else about names and types is DuckDB's to decide.
"""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlglot import exp

from patql.catalog.document import Access, Column, Method, Parameter, Resource
from patql.catalog.names import Catalog
from patql.engine.called import called
from patql.engine.constants import Constants
from patql.engine.given import Link, Values, link_of, values_of
from patql.engine.names import nearest
from patql.engine.scope import Scope, place_of
from patql.engine.state import State
from patql.engine.statement import Exec
from patql.kernel.errors import Code, PatqlError, SqlError

View = tuple[str, ...]

EXEC = "exec#"
"""What the names of tables that stand for EXEC in FROM begin with; a number from 1 follows."""


class Occurrence:
    """A resource where it stands in a query.

    Attributes:
        table: the node in the tree.
        resource: what it names.
        values: parameters with the values that the query allows, each a constant.
        links: parameters with what gives their values when the query runs.
        conditions: where the query says so of `values`.
        needed: lower-case names of the columns that the query may read; None for all.
        executed: whether an EXEC stands there, whose parameters nothing but itself gives.
    """

    def __init__(
        self, table: exp.Table, resource: Resource, *, executed: bool = False
    ) -> None:
        self.table = table
        self.resource = resource
        self.values: Values = {}
        self.links = dict[str, list[Link]]()
        self.conditions = dict[str, list[exp.Expr]]()
        self.needed: set[str] | None = None
        self.executed = executed

    @property
    def readers(self) -> tuple[Method, ...]:
        """The methods that can answer for it."""
        return self.resource.by_access(Access.SELECT)

    def needs(self, column: str) -> bool:
        """Whether the query may read that column."""
        if self.needed is None or column.casefold() in self.needed:
            return True
        keys = (p for m in self.readers for p in m.parameters if p.key_column == column)
        return any(key.name.casefold() in self.needed for key in keys)

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
    """A statement whose tables are known; `changed` says that `tree` is no longer what was written."""

    def __init__(
        self, tree: exp.Expr, scope: Scope, occurrences: tuple[Occurrence, ...]
    ) -> None:
        self.tree = tree
        self.scope = scope
        self.occurrences = occurrences
        self.changed = False
        self._by_table = {id(o.table): o for o in occurrences}

    def at(self, table: exp.Expr) -> Occurrence | None:
        """The resource that a table of the query names, None where it names none."""
        return self._by_table.get(id(table))

    def owner(self, column: exp.Column) -> Occurrence | None:
        """The resource that a column, or a parameter in the place of one, belongs to, as far as the text tells."""
        table = self.scope.table_of(column)
        if table is not None:
            return self.at(table)
        if column.table:
            return None
        own = [o for t in self.scope.tables_beside(column) if (o := self.at(t))]
        return next(
            (o for o in own if o.column(column.name) or o.parameter(column.name)), None
        )

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

    def rename_keys(self) -> None:
        """Make each parameter that names a row's key the column that it stands for."""
        for column in list(self.tree.find_all(exp.Column)):
            owner = self.owner(column)
            parameter = owner.parameter(column.name) if owner else None
            if parameter is None or parameter.key_column is None:
                continue
            if isinstance(column.parent, exp.Ordered) and names_output(column):
                continue
            key = column.copy()
            key.set("this", exp.to_identifier(parameter.key_column, quoted=True))
            projected = isinstance(column.parent, exp.Select)
            projected = projected and column.arg_key == "expressions"
            aliased = exp.alias_(key, parameter.name, quoted=True)
            column.replace(aliased if projected else key)
            self.changed = True


def bind(
    tree: exp.Expr, state: State, constants: Constants, execs: Sequence[Exec] = ()
) -> Bound:
    """Find the resources of a statement, the parameters that it gives them, and the columns that it reads.

    Args:
        tree: the statement.
        state: what it runs with.
        constants: evaluates what depends on no row.
        execs: what the tables `exec#1`, `exec#2` and so on stand for.

    Raises:
        SqlError: UNKNOWN_NAME, or UNSUPPORTED for a function that can't stand in the place of a table.
    """
    scope = Scope(tree)
    if strange := scope.strange_function(files=state.options.files):
        message = f"{strange} isn't accepted as a table"
        raise SqlError(Code.UNSUPPORTED, message)
    found = (_occurrence(table, state, execs) for table in scope.named_tables())
    bound = Bound(tree, scope, tuple(o for o in found if o is not None))
    needed = _needed(tree)
    for occurrence in bound.occurrences:
        occurrence.needed = needed
        if not occurrence.executed:
            _take_parameters(occurrence, bound, constants)
    return bound


def _take_parameters(
    occurrence: Occurrence, bound: Bound, constants: Constants
) -> None:
    """What the conditions on an occurrence give its parameters; the relational engine checks them again."""
    conditions = bound.scope.conditions_of(occurrence.table)
    if not conditions:
        return
    for parameter in _parameters(occurrence):
        names = {parameter.name.casefold(), (parameter.key_column or "").casefold()}

        def is_it(node: exp.Expr, names: set[str] = names) -> bool:
            if not isinstance(node, exp.Column) or node.name.casefold() not in names:
                return False
            return bound.owner(node) is occurrence

        for condition in conditions:
            values = values_of(condition, parameter, is_it, constants)
            if values is not None:
                occurrence.values.setdefault(parameter.name, values)
                occurrence.conditions.setdefault(parameter.name, []).append(condition)
                continue
            link = link_of(condition, parameter, is_it)
            # More than one text may equal a constant that isn't text.
            varied = parameter.type == "string" and constants.is_constant
            if link and not (varied and varied(link.expression)):
                occurrence.links.setdefault(parameter.name, []).append(link)


def _parameters(occurrence: Occurrence) -> list[Parameter]:
    found = {p.name: p for m in occurrence.readers for p in m.parameters}
    return list(found.values())


def _occurrence(
    table: exp.Table, state: State, execs: Sequence[Exec]
) -> Occurrence | None:
    """The resource, or the EXEC, that a table stands for; None for one that the relational engine knows."""
    parts = tuple(part.name for part in table.parts)
    if execs and len(parts) == 1 and parts[0].startswith(EXEC):
        return _executed(table, execs[int(parts[0].removeprefix(EXEC)) - 1], state)
    full = state.complete(parts)
    if len(full) == 3 and state.catalog.knows(full[0]):
        return Occurrence(table, _named(table, full, state.catalog))
    if state.is_local(full) or _is_file(full, state):
        return None
    return Occurrence(table, resolve(table, state.catalog))


def _is_file(parts: View, state: State) -> bool:
    """Whether a table's name is the path of a file that the relational engine may read."""
    return state.options.files and len(parts) == 1 and bool({*"./*"} & {*parts[0]})


def _executed(table: exp.Table, execution: Exec, state: State) -> Occurrence:
    """An EXEC in FROM: its method as a resource of its own, whose rows are the answer as the API sends it."""
    resource, method, arguments = called(execution, state.catalog)
    if method.verb != "GET" or execution.body is not None:
        message = f"EXEC in FROM takes a method that only reads, and {method.name} of {resource.id} sends {method.verb}"
        raise SqlError(Code.UNSUPPORTED, message)
    alone = replace(method.as_sent(), access=Access.SELECT)
    occurrence = Occurrence(table, replace(resource, methods=(alone,)), executed=True)
    occurrence.values = {name: (value,) for name, value in arguments.items()}
    return occurrence


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
        full = [name for name in known if name.rpartition(".")[2] in near]
        hint = f"Did you mean {full[0]}?" if full else None
        line, column = place_of(table.parts[0])
        raise SqlError(Code.UNKNOWN_NAME, message, line=line, column=column, hint=hint)
    return _named(table, parts, catalog)


def _named(table: exp.Table, parts: Sequence[str], catalog: Catalog) -> Resource:
    """The resource of that name; where there is none, the place of the table's name is told too."""
    try:
        return catalog.resource(*parts)
    except PatqlError as error:
        line, column = place_of(table.parts[0])
        raise SqlError(
            error.code,
            error.message.rstrip("."),
            line=line,
            column=column,
            hint=error.hint,
        ) from None


def names_output(column: exp.Column) -> bool:
    """Whether a name may mean a column of the result."""
    select = column.find_ancestor(exp.Select)
    aliases = [p.alias.casefold() for p in select.expressions] if select else []
    return not column.table and column.name.casefold() in aliases


def _needed(tree: exp.Expr) -> set[str] | None:
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
