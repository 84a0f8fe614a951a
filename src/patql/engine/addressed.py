"""The rows that WHERE names by a method's own parameters, where a resource has no way to read them first."""

from collections.abc import Sequence
from itertools import product

from sqlglot import exp

from patql.catalog.document import Method, Parameter, Resource
from patql.engine import query
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.given import Value, as_argument
from patql.engine.scope import bare, conjuncts
from patql.engine.state import State
from patql.engine.statement import Delete, Update
from patql.engine.step import choose
from patql.kernel.errors import Code, SqlError

Others = Sequence[exp.Expr] | exp.Query
"""What a parameter is equal to one of."""


class Addressed:
    """What a predicate gives the parameters of a resource's methods.

    Args:
        statement: whose WHERE may have equalities with constants and IN lists, joined by AND.
        resource: what it is about.
        methods: those whose parameters it may name.
        state: what it runs with.

    Attributes:
        method: the most specific of them that it gives all that it needs.
        names: the parameters that it gives.

    Raises:
        SqlError: UNSUPPORTED where it is anything else, MISSING_PARAMETER.
    """

    def __init__(
        self,
        statement: Update | Delete,
        resource: Resource,
        methods: Sequence[Method],
        state: State,
    ) -> None:
        self._resource = resource
        self._methods = methods
        self._state = state
        self._execs = statement.execs
        conditions = conjuncts(statement.where) if statement.where else ()
        self._given = [self._read(condition) for condition in conditions]
        self.names = list(dict.fromkeys(p.name for p, _ in self._given))
        self.method = choose(resource, methods, self.names)
        if strange := [n for n in self.names if self.method.parameter(n) is None]:
            message = f"{self.method.name} of {resource.id} takes no {strange[0]}"
            raise SqlError(Code.UNSUPPORTED, message)

    def arguments(self) -> list[dict[str, Value]]:
        """Each combination of the values."""
        found: dict[str, list[Value]] = {}
        for parameter, others in self._given:
            given = (self._argument(parameter, v) for v in self._evaluated(others))
            values = list(dict.fromkeys(v for v in given if v is not None))
            earlier = found.get(parameter.name, values)
            found[parameter.name] = [v for v in earlier if v in values]
        return [
            dict(zip(found, some, strict=True)) for some in product(*found.values())
        ]

    @property
    def queries(self) -> list[exp.Query]:
        """Those that give values."""
        return [others for _, others in self._given if isinstance(others, exp.Query)]

    def _read(self, condition: exp.Expr) -> tuple[Parameter, Others]:
        column, others = _sides(condition)
        parameter = self._parameter(column.name) if column is not None else None
        if parameter is None or others is None:
            known = dict.fromkeys(p.name for m in self._methods for p in m.parameters)
            message = (
                f"{self._resource.id} has no method that finds rows for {condition.sql(DIALECT)}, or that acts on rows "
                f"by their key: WHERE takes {' and '.join(known) or 'nothing'} here, by = and IN alone"
            )
            raise SqlError(Code.UNSUPPORTED, message)
        self._check(others)
        return parameter, others

    def _check(self, others: Others) -> None:
        if isinstance(others, exp.Query):
            return
        constants = Constants(self._state.relational)
        for other in others:
            if not constants.is_constant(other):
                message = (
                    f"{other.sql(DIALECT)} isn't one value for the whole statement"
                )
                raise SqlError(Code.UNSUPPORTED, message)

    def _parameter(self, name: str) -> Parameter | None:
        """The one of that name, or the one that selects by that column."""
        folded = name.casefold()
        every = [p for m in self._methods for p in m.parameters]
        exact = (p for p in every if p.name.casefold() == folded)
        keys = (p for p in every if (p.key_column or "").casefold() == folded)
        return next(exact, None) or next(keys, None)

    def _evaluated(self, others: Others) -> list[object]:
        if isinstance(others, exp.Query):
            found = query.run(others, self._state, execs=self._execs)
            return [row[0] for row in found.rows()]
        constants = Constants(self._state.relational)
        return [constants.value(other) for other in others]

    def _argument(self, parameter: Parameter, value: object) -> Value | None:
        """The value as the parameter takes it; None for NULL, to which nothing is equal."""
        argument = as_argument(parameter, value)
        if argument is None and value is not None:
            message = f"{parameter.name} takes {parameter.type}, not {value!r}"
            raise SqlError(Code.TYPE_MISMATCH, message)
        return argument


def _sides(condition: exp.Expr) -> tuple[exp.Column | None, Others | None]:
    """The column of an equality or an IN, and what it is equal to one of."""
    left = bare(condition.this) if isinstance(condition, (exp.EQ, exp.In)) else None
    if isinstance(condition, exp.EQ):
        right = bare(condition.expression)
        if not isinstance(left, exp.Column):
            left, right = right, bare(condition.this)
        return (left if isinstance(left, exp.Column) else None), [right]
    if not isinstance(condition, exp.In) or not isinstance(left, exp.Column):
        return None, None
    inner = condition.args.get("query")
    if inner is not None:
        return left, inner.unnest()
    return left, condition.expressions or None
