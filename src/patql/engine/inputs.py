"""What a method can be given, under the names that statements give it by."""

import msgspec

from patql.catalog.document import Method

_PREFIX = "data__"


class Input(msgspec.Struct, frozen=True):
    """A parameter, or a field of the body: as `data__name` where the document wants that.

    `type` is the JSON type, `shape` the DuckDB type of a nested value or nothing.
    """

    name: str
    type: str
    required: bool
    description: str
    shape: str = ""


def inputs(method: Method) -> tuple[Input, ...]:
    """The parameters in document order, then the fields of the body that a request may set."""
    parameters = (
        Input(p.name, p.type, p.required, p.description) for p in method.parameters
    )
    body = method.body
    if body is None:
        return tuple(parameters)
    prefix = "" if body.naive else _PREFIX
    fields = (
        Input(
            f"{prefix}{c.name}",
            c.type,
            c.name in body.required,
            c.description,
            c.shape or "",
        )
        for c in body.columns
        if not c.read_only
    )
    return (*parameters, *fields)
