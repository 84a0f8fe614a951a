"""Which path parameter selects a row by its key, where the document doesn't say so itself."""

from collections.abc import Iterator

from msgspec.structs import replace

from patql.catalog.document import Access, Method, Parameter


def with_keys(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    """The methods, their key parameters naming the column that they select by.

    Without `x-patql-key`, `/things/{thingId}` is taken for a row of `/things` where SELECT reaches both. The column
    is the one of the parameter's name, or `id` where that name ends so.
    """
    keys = dict(_detected(methods))
    return tuple(_marked(method, keys.get(method.path)) for method in methods)


def _detected(methods: tuple[Method, ...]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Path, and the names of parameter and column, for each path that selects one row."""
    readable = [m for m in methods if m.access is Access.SELECT]
    lists = {m.path for m in readable}
    for method in readable:
        parent, _, last = method.path.rpartition("/")
        if parent not in lists or not (last.startswith("{") and last.endswith("}")):
            continue
        if column := _column(method, last[1:-1]):
            yield method.path, (last[1:-1], column)


def _column(method: Method, parameter: str) -> str | None:
    folded = parameter.casefold()
    wanted = [folded, "id"] if folded.endswith("id") else [folded]
    names = {
        column.name.casefold(): column.name
        for column in method.columns
        if column.type not in ("object", "array")
    }
    return next((names[name] for name in wanted if name in names), None)


def _marked(method: Method, key: tuple[str, str] | None) -> Method:
    if key is None or any(p.key_column for p in method.parameters):
        return method
    return replace(method, parameters=tuple(_keyed(p, *key) for p in method.parameters))


def _keyed(parameter: Parameter, name: str, column: str) -> Parameter:
    if parameter.location != "path" or parameter.name != name:
        return parameter
    return replace(parameter, key_column=column)
