"""What the names in SHOW and DESCRIBE stand for, with what USE lets them leave out."""

from patql.catalog.document import Method, Resource, Service
from patql.catalog.names import suggestion
from patql.engine.state import State
from patql.engine.statement import Name
from patql.kernel.errors import Code, SqlError

_FORM = ("provider", "service", "resource", "method")


def complete(name: Name, length: int, state: State) -> Name:
    """A name of so many parts, the first of which may be those that USE gave.

    Raises:
        SqlError: UNKNOWN_NAME where parts are missing still.
    """
    missing = length - len(name)
    whole = (*state.default[:missing], *name) if missing > 0 else name
    if len(whole) != length:
        form = ".".join(_FORM[:length])
        message = f"{'.'.join(name)} isn't of the form {form}"
        raise SqlError(Code.UNKNOWN_NAME, message)
    return whole


def service_named(name: Name, state: State) -> Service:
    """The service of that name.

    Raises:
        PatqlError: UNKNOWN_NAME with the nearest names, or SCHEMA with why nothing is known of it.
    """
    return state.catalog.service(*complete(name, 2, state))


def resource_named(name: Name, state: State) -> Resource:
    """The resource of that name.

    Raises:
        PatqlError: as `service_named`.
    """
    return state.catalog.resource(*complete(name, 3, state))


def method_named(name: Name, state: State) -> Method:
    """The method of that name.

    Raises:
        PatqlError: as `service_named`.
    """
    *path, wanted = complete(name, 4, state)
    resource = resource_named(tuple(path), state)
    method = resource.method(wanted)
    if method is None:
        message = f"{resource.id} has no method {wanted}"
        hint = suggestion(wanted, (m.name for m in resource.methods))
        raise SqlError(Code.UNKNOWN_NAME, message, hint=hint)
    return method
