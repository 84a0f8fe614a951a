"""DESCRIBE: the columns of a resource or a local table, and what a method takes and gives. No server is asked."""

from patql.engine.inputs import inputs
from patql.engine.lines import one_line, texts
from patql.engine.lookup import method_named, resource_named
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import Describe, DescribeMethod


def describe(statement: Describe, state: State) -> Result:
    """DESCRIBE a resource: its columns, with the JSON types that the document gives them; of a local table, DuckDB's.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names.
    """
    headings = ("name", "type", "description")[: 3 if statement.extended else 2]
    name = statement.name
    if state.complete(name) == name and state.is_local(name):
        rows = [(c.name, c.type, "") for c in state.relational.columns_of(name)]
    else:
        columns = resource_named(name, state).columns
        rows = [(c.name, c.type, one_line(c.description)) for c in columns]
    return texts(headings, rows)


def describe_method(statement: DescribeMethod, state: State) -> Result:
    """DESCRIBE METHOD: what it must and may be given, then the columns of its rows.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names.
    """
    method = method_named(statement.name, state)
    headings = ("name", "type", "param_type", "shape", "description")
    required = ("input_optional", "input_required")
    rows = [
        (i.name, i.type, required[i.required], i.shape, one_line(i.description))
        for i in sorted(inputs(method), key=lambda i: not i.required)
    ]
    rows += [
        (c.name, c.type, "output", c.shape or "", one_line(c.description))
        for c in method.columns
    ]
    return texts(headings[: 5 if statement.extended else 4], rows)
