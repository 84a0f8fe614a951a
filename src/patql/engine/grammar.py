"""The statements that aren't SQL: EXEC, SHOW, DESCRIBE, USE and REGISTRY."""

from typing import NoReturn, cast

import msgspec
from sqlglot.tokenizer_core import Token

from patql.engine.cursor import Cursor
from patql.engine.statement import (
    Describe,
    DescribeMethod,
    Exec,
    Json,
    Name,
    Scalar,
    Show,
    ShowInsert,
    Use,
    Variable,
)
from patql.kernel.errors import Code, SqlError

RESOURCE = ("provider", "service", "resource")
_WITHIN = {
    "PROVIDERS": (),
    "TABLES": (),
    "SERVICES": RESOURCE[:1],
    "RESOURCES": RESOURCE[:2],
    "METHODS": RESOURCE,
}
"""What SHOW lists, and the parts of the name of what it lists it in."""

_ELSEWHERE = {
    "VIEWS": "local tables and views are listed by SHOW TABLES, resources by SHOW RESOURCES IN provider.service",
    "COLUMNS": "the columns of a resource are told by DESCRIBE provider.service.resource",
    "DATABASES": "providers are listed by SHOW PROVIDERS",
    "SCHEMAS": "the services of a provider are listed by SHOW SERVICES IN provider",
    "CREATE": "nothing here is made by CREATE; SHOW INSERT INTO provider.service.resource gives an INSERT to fill in",
}
"""What people who know other engines ask SHOW for, and how it is had here."""

_TAKEN = "PROVIDERS, SERVICES, RESOURCES, METHODS, TABLES, INSERT, AUTH or VERSION"


def parse_exec(cursor: Cursor) -> Exec:
    """EXEC p.s.r.method @parameter = value, @@json = '{…}'; commas are optional, and a value may be `$name`."""
    cursor.take("EXEC", "EXECUTE")
    name = cursor.name("the method's name, as provider.service.resource.method")
    arguments: dict[str, Scalar | Variable] = {}
    body: Json | Variable | None = None
    while cursor.take("@"):
        is_body = cursor.take("@") is not None
        named = cursor.token
        key = cursor.identifier("a parameter's name")
        if is_body and key.casefold() != "json":
            cursor.refuse(f"a body is given as @@json = '{{…}}', not as @@{key}", named)
        if not cursor.take("="):
            cursor.fail(f"= after @{key}")
        place = cursor.token
        value = cursor.value()
        if is_body and body is None:
            body = _body(cursor, value, place)
        elif is_body or key.casefold() in map(str.casefold, arguments):
            cursor.refuse(f"@{key} is given twice", named)
        else:
            arguments[key] = value
        cursor.take(",")
    cursor.end()
    return Exec(name, arguments, body)


def parse_show(cursor: Cursor) -> Show | ShowInsert:
    """SHOW, then one of what `_TAKEN` says.

    [EXTENDED] PROVIDERS, SERVICES IN p, RESOURCES IN p.s, METHODS IN p.s.r or TABLES, each with LIKE 'pattern' or WHERE;
    [EXTENDED] INSERT [/*+ REQUIRED */] INTO p.s.r; AUTH p; [EXTENDED] VERSION.
    """
    cursor.take("SHOW")
    extended = cursor.flag("EXTENDED")
    kind, place = cursor.word(), cursor.token
    if kind in _ELSEWHERE:
        message = f"SHOW takes no {kind}: {_ELSEWHERE[kind]}"
        cursor.refuse(message, place, code=Code.UNSUPPORTED)
    if cursor.take("INSERT"):
        return _show_insert(cursor)
    if cursor.take("VERSION"):
        cursor.end()
        return Show(kind, extended=extended)
    if cursor.take("AUTH"):
        provider = _path(cursor, "SHOW AUTH", RESOURCE[:1])
        cursor.end()
        return Show(kind, provider)
    if not cursor.take(*_WITHIN):
        cursor.fail(_TAKEN)
    return _listing(cursor, kind, extended=extended)


def parse_describe(cursor: Cursor) -> Describe | DescribeMethod:
    """DESCRIBE [EXTENDED] p.s.r, or DESCRIBE METHOD [EXTENDED] p.s.r.m."""
    cursor.take("DESCRIBE", "DESC")
    if cursor.flag("METHOD"):
        extended = cursor.flag("EXTENDED")
        name = _path(cursor, "DESCRIBE METHOD", (*RESOURCE, "method"))
        cursor.end()
        return DescribeMethod(name, extended)
    extended = cursor.flag("EXTENDED")
    name = _path(cursor, "DESCRIBE", RESOURCE)
    cursor.end()
    return Describe(name, extended)


def parse_use(cursor: Cursor) -> Use:
    """USE p or USE p.s: what names may leave out from now on."""
    cursor.take("USE")
    name = _path(cursor, "USE", RESOURCE[:2])
    cursor.end()
    return Use(name)


def parse_registry(cursor: Cursor) -> NoReturn:
    """REGISTRY LIST and REGISTRY PULL, which are refused.

    Raises:
        SqlError: UNSUPPORTED, always.
    """
    message = "REGISTRY isn't accepted: there is no registry of provider documents"
    hint = "Give the folder of a provider's documents as --provider-dir NAME=DIR."
    cursor.refuse(message, cursor.token, code=Code.UNSUPPORTED, hint=hint)


def _listing(cursor: Cursor, kind: str, *, extended: bool) -> Show:
    name: Name = ()
    if parts := _WITHIN[kind]:
        if not cursor.take("IN", "FROM"):
            cursor.fail(f"IN and a name of the form {'.'.join(parts)}")
        name = _path(cursor, f"SHOW {kind} IN", parts)
    if cursor.take("WHERE"):
        return Show(kind, name, extended, where=cursor.predicate())
    if not cursor.take("LIKE"):
        cursor.end("LIKE, WHERE or the end of the statement")
        return Show(kind, name, extended)
    place = cursor.token
    pattern = cursor.value()
    if not isinstance(pattern, str):
        cursor.refuse("LIKE takes a pattern in quotes, such as '%token%'", place)
    cursor.end()
    return Show(kind, name, extended, like=pattern)


def _show_insert(cursor: Cursor) -> ShowInsert:
    if not cursor.take("INTO"):
        cursor.fail(f"INTO and a name of the form {'.'.join(RESOURCE)}")
    hints, place = cursor.hints, cursor.token
    if unknown := sorted(hints - {"REQUIRED"}):
        message = f"SHOW INSERT takes the hint REQUIRED, not {', '.join(unknown)}"
        cursor.refuse(message, place)
    name = _path(cursor, "SHOW INSERT INTO", RESOURCE)
    cursor.end()
    return ShowInsert(name, required=bool(hints))


def _path(cursor: Cursor, what: str, parts: tuple[str, ...]) -> Name:
    """A name of at most those parts: the first ones may be left out, for USE to give them."""
    place, form = cursor.token, ".".join(parts)
    name = cursor.name(f"a name of the form {form}")
    if len(name) > len(parts):
        told = ".".join(name)
        cursor.refuse(f"{what} takes a name of the form {form}, not {told}", place)
    return name


def _body(
    cursor: Cursor, value: Scalar | Variable, place: Token | None
) -> Json | Variable:
    if isinstance(value, Variable):
        return value
    try:
        return json_object(value)
    except SqlError as error:
        cursor.refuse(error.message, place)


def json_object(value: object) -> Json:
    """The object that a text is as JSON, for @@json.

    Raises:
        SqlError: SYNTAX, it isn't the text of one.
    """
    try:
        body: object = msgspec.json.decode(value) if isinstance(value, str) else None
    except (msgspec.DecodeError, UnicodeEncodeError) as reason:
        raise SqlError(Code.SYNTAX, f"@@json isn't JSON: {reason}") from None
    if not isinstance(body, dict):
        message = '@@json takes an object in quotes, such as \'{"label": "ci"}\''
        raise SqlError(Code.SYNTAX, message)
    return cast("Json", body)
