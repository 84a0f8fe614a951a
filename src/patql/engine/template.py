"""SHOW INSERT: an INSERT for a resource, whose values are variables to be given."""

import re
from collections.abc import Iterable

from sqlglot import exp

from patql.catalog.document import Access, Method, Resource
from patql.engine.dialect import DIALECT
from patql.engine.inputs import inputs
from patql.engine.lines import texts
from patql.engine.lookup import resource_named
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import ShowInsert
from patql.kernel.errors import Code, SqlError


def show_insert(statement: ShowInsert, state: State) -> Result:
    """A statement that runs once each `$name` has a value, and returns what no later statement can.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names; UNSUPPORTED where nothing can be inserted.
    """
    resource = resource_named(statement.name, state)
    creators = resource.by_access(Access.INSERT)
    if not creators:
        verbs = sorted({m.access.value for m in resource.methods})
        message = f"{resource.id} takes no INSERT"
        hint = f"Its methods are reached by {', '.join(verbs) or 'nothing'}."
        raise SqlError(Code.UNSUPPORTED, message, hint=hint)
    method = next((m for m in creators if not m.unsupported), creators[0])
    names = [i.name for i in inputs(method) if i.required or not statement.required]
    text = _insert(resource, names, _returned(resource, method))
    return texts(("insert_statement",), [(text,)])


def _returned(resource: Resource, method: Method) -> list[str]:
    """The key of the new row, and the secrets that only this response holds."""
    return [c.name for c in method.columns if c.once or c.name == resource.key]


def _insert(resource: Resource, names: list[str], returned: list[str]) -> str:
    target = ".".join(map(_identifier, resource.id.split(".")))
    statement = f"INSERT INTO {target} DEFAULT VALUES"
    if names:
        values = ", ".join(f"${variable}" for variable in _variables(names))
        statement = f"INSERT INTO {target} ({_listed(names)}) VALUES ({values})"
    return f"{statement} RETURNING {_listed(returned)}" if returned else statement


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_identifier, names))


def _identifier(name: str) -> str:
    """The name as SQL, in quotes where it must be."""
    return exp.to_identifier(name).sql(DIALECT)


def _variables(names: list[str]) -> list[str]:
    """A variable's name for each, all different: letters, digits and underscores only."""
    taken: list[str] = []
    for name in names:
        variable = re.sub(r"\W", "_", name, flags=re.ASCII)
        while variable in taken:
            variable += "_"
        taken.append(variable)
    return taken
