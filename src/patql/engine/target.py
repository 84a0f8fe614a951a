"""What UPDATE, REPLACE and DELETE act on: rows that are read first, else rows that WHERE names by parameters."""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from patql.catalog.document import Access, Method, Resource
from patql.engine import query
from patql.engine.addressed import Addressed
from patql.engine.batch import Rows
from patql.engine.dryrun import preview
from patql.engine.extensions import Extension, require, undecided
from patql.engine.found import Found, Match, prepare
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import Delete, Update
from patql.engine.step import choose
from patql.kernel.errors import Code, SqlError


class Target:
    """The rows of a statement, and the method that acts on each.

    Args:
        statement: the UPDATE, REPLACE or DELETE.
        resource: its target.
        methods: those that could act on a row.
        state: what it runs with.

    Attributes:
        resource: that which is given.
        method: that which will.
        addressed: what WHERE names the rows by, as far as it is known that they aren't read first.
        undecided: what the server must be asked about before, as far as that is known.

    Raises:
        SqlError: no method can act on rows that are found so.
    """

    def __init__(
        self,
        statement: Update | Delete,
        resource: Resource,
        methods: Sequence[Method],
        state: State,
    ) -> None:
        self._statement = statement
        self.resource = resource
        self._methods = methods
        self._state = state
        self._found: Found | None = None
        self.addressed: Addressed | None = None
        self.undecided: Extension | None = None
        if methods and all(m.unsupported for m in methods):
            choose(resource, methods, methods[0].required)  # says why
        # A method that doesn't select by the key may act on more than the rows that were found.
        keyed = [m for m in methods if any(p.key_column for p in m.parameters)]
        if resource.key is None or not keyed:
            self._by: Addressed | str = self._address()
            self.method = self._by.method
            return
        try:
            self.method = choose(resource, keyed, _readable(resource, keyed))
            self._by = resource.key
        except SqlError as error:
            self._by = self._address(error)
            self.method = self._by.method

    def matches(self, selected: Sequence[exp.Expr]) -> list[Match]:
        """The rows, with what is `selected` of each.

        Raises:
            SqlError: the predicate can't be run as written, or fails on the data.
            PatqlError: a server didn't answer for all rows.
        """
        by = self._by
        if isinstance(by, str):
            try:
                return self._find(by, selected)
            except SqlError as error:
                by = self._otherwise(error)
        require(by.method, by.names, self.resource, self._state)
        tree = self._constants(selected)
        execs = self._statement.execs
        row = query.run(tree, self._state, execs=execs).rows()[0] if tree else ()
        return [Match(arguments, row) for arguments in by.arguments()]

    def reads(self, selected: Sequence[exp.Expr]) -> Iterator[query.Prepared]:
        """The queries that `matches` runs, each to be used before the next is asked for.

        Raises:
            SqlError: as `matches`.
        """
        by, statement = self._by, self._statement
        if isinstance(by, str):
            try:
                yield prepare(statement, by, self.method, selected, self._state)
            except SqlError as error:
                by = self._otherwise(error)
            else:
                return
        self.addressed = by
        self.undecided = undecided(by.method, by.names, self.resource, self._state)
        constants = self._constants(selected)
        for tree in (*([constants] if constants else []), *by.queries):
            yield query.prepare(tree.copy(), self._state, execs=statement.execs)

    def returning(self, positions: Sequence[int]) -> Result:
        """What a DELETE returns of the rows at these positions of `matches`, as they were."""
        return self._found.returning(positions) if self._found else Result()

    def preview(self, rows: Rows, matches: Sequence[Match]) -> Result:
        """The requests, none of which is sent."""
        names = [match.name for match in matches]
        return preview(self.resource, self.method, rows, self._state, names=names)

    def _find(self, key: str, selected: Sequence[exp.Expr]) -> list[Match]:
        found = Found(self._statement, key, self.method, selected, self._state)
        self._found = found
        return found.matches

    def _address(self, otherwise: SqlError | None = None) -> Addressed:
        """The rows that WHERE names itself; where it doesn't, `otherwise` is raised if there is one."""
        statement = self._statement
        if isinstance(statement, Delete) and statement.returning:
            message = f"RETURNING gives rows as they were, and {self.resource.id} can't be read for this WHERE"
            raise otherwise or SqlError(Code.UNSUPPORTED, message)
        try:
            return Addressed(statement, self.resource, self._methods, self._state)
        except SqlError as error:
            raise otherwise or error from None

    def _otherwise(self, error: SqlError) -> Addressed:
        """What WHERE names itself, where the rows can't be read first; else why they can't is raised."""
        if error.code not in (Code.MISSING_PARAMETER, Code.UNKNOWN_NAME):
            raise error
        by = self._address(error)
        if by.method is not self.method:
            raise error
        return by

    def _constants(self, selected: Sequence[exp.Expr]) -> exp.Select | None:
        """The query for what is selected where no row is read."""
        if not selected or isinstance(self._statement, Delete):
            return None
        return exp.select(*(each.copy() for each in selected))


def _readable(resource: Resource, methods: Sequence[Method]) -> set[str]:
    """The parameters of methods that reading a row gives a value."""
    readers = resource.by_access(Access.SELECT)
    columns = {column.name.casefold() for column in resource.columns}
    return {
        p.name
        for method in methods
        for p in method.parameters
        if p.key_column
        or p.name.casefold() in columns
        or any(reader.parameter(p.name) for reader in readers)
    }
