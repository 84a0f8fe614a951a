"""EXEC's name and parameters: the method that it calls, and with what."""

from patql.catalog.document import Method, Parameter, Resource
from patql.catalog.names import Catalog
from patql.engine.given import Arguments, Value, as_argument
from patql.engine.names import nearest
from patql.engine.statement import Exec
from patql.kernel.errors import Code, SqlError


def called(statement: Exec, catalog: Catalog) -> tuple[Resource, Method, Arguments]:
    """The resource, its method, and the arguments that an EXEC names.

    Raises:
        SqlError: the method or a parameter isn't there, is missing, or can't have that value.
    """
    resource, method = _method(statement, catalog)
    return resource, method, _arguments(statement, resource, method)


def _method(statement: Exec, catalog: Catalog) -> tuple[Resource, Method]:
    told = ".".join(statement.name)
    if len(statement.name) != 4:
        message = f"{told} isn't of the form provider.service.resource.method"
        raise SqlError(Code.UNKNOWN_NAME, message)
    *path, name = statement.name
    resource = catalog.resource(*path)
    method = resource.method(name)
    if method is None:
        known = [m.name for m in resource.methods]
        near = nearest(name, known)
        hint = (
            f"Did you mean {near[0]}?"
            if near
            else f"Its methods are {', '.join(known)}."
        )
        message = f"{resource.id} has no method {name}"
        raise SqlError(Code.UNKNOWN_NAME, message, hint=hint)
    return resource, method


def _arguments(statement: Exec, resource: Resource, method: Method) -> Arguments:
    arguments: Arguments = {}
    for name, given in statement.arguments.items():
        parameter = method.parameter(name)
        if parameter is None:
            known = [p.name for p in method.parameters]
            takes = f"It takes {', '.join(known)}." if known else "It takes none."
            if method.body is not None:
                takes += " The body stands in @@json = '{…}'."
            message = f"{method.name} of {resource.id} has no parameter {name}"
            raise SqlError(Code.UNKNOWN_NAME, message, hint=takes)
        arguments[parameter.name] = _argument(parameter, given)
    missing = [name for name in method.required if name not in arguments]
    if missing:
        message = f"{method.name} of {resource.id} needs {', '.join(f'@{m}' for m in missing)}"
        raise SqlError(Code.MISSING_PARAMETER, message)
    return arguments


def _argument(parameter: Parameter, given: object) -> Value:
    value = as_argument(parameter, given)
    if value is None:
        told = "NULL" if given is None else repr(given)
        message = f"@{parameter.name} takes {parameter.type}, not {told}"
        raise SqlError(Code.TYPE_MISMATCH, message)
    return value
