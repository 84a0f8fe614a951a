"""DESCRIBE: the columns of a resource, and what a method takes and gives. Nothing is asked of any server."""

from patql.engine.inputs import inputs
from patql.engine.lines import one_line, texts
from patql.engine.lookup import method_named, resource_named
from patql.engine.result import Result
from patql.engine.state import State
from patql.engine.statement import Describe, DescribeMethod


def describe(statement: Describe, state: State) -> Result:
    """DESCRIBE a resource: its columns, with the types that the document gives them.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names.
    """
    headings = ("name", "type", "description")[: 3 if statement.extended else 2]
    columns = resource_named(statement.name, state).columns
    return texts(headings, [(c.name, c.type, one_line(c.description)) for c in columns])


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
