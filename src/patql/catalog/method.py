"""One method of a resource: its operation, parameters, body, rows and paging, with inherited settings applied."""

from collections.abc import Iterator

from msgspec.structs import replace

from patql.catalog import schema
from patql.catalog.config import algorithm, setting
from patql.catalog.document import Access, Batch, Body, Column, Method, Parameter
from patql.catalog.node import Node
from patql.catalog.paging import Listing, Reading, find_paging
from patql.catalog.server import Server, find_server
from patql.catalog.unsupported import Finding, find_unsupported, is_json

_JSON = "application/json"
_HTTP_VERBS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_LOCATIONS = {"path", "query", "header"}


def build_method(
    name: str, access: Access, node: Node, outer: tuple[Node, ...], *, served: bool
) -> tuple[Method, tuple[Finding, ...]]:
    """The method at `node`, and what of it isn't done.

    It inherits settings from `outer`: nearest first, the service document second, the provider document last. `served` is
    whether its requests go to the server that the documents name.
    """
    document = outer[1]
    operation = node.need("operation")
    path, verb = operation.steps[-2:]
    if verb not in _HTTP_VERBS:
        operation.fail(f"an operation is a verb of a path, not `{verb}`")
    item = document.need("paths").need(path)
    declared = _parameters(item, operation, node)
    server = find_server((node, operation, item, document)) if served else None
    response = _response(node, operation)
    sent = _sent(node, response)
    rows = schema.rows(sent, _response_text(node, "objectKey")) if sent else None
    reading = Reading()
    if response and sent and rows:
        listed = _is_listed(sent, rows.object_key)
        listing = Listing(declared, response, sent, listed, path.endswith("}"))
        reading = find_paging(listing, setting("pagination", (node, *outer)))
    findings = (
        *find_unsupported(node, operation, outer),
        *_unread("request", operation.child("requestBody")),
        *_unread("response", response),
        *_doubts(reading),
        *_unserved(server),
    )
    method = Method(
        name=name,
        access=access,
        operation_id=operation.text("operationId", name),
        verb=verb.upper(),
        path=path,
        description=operation.text("description") or operation.text("summary"),
        parameters=(
            *map(_parameter, declared),
            *reading.parameters,
            *(server.variables if server else ()),
        ),
        scopes=_scopes(operation, document),
        body=_body(node, operation, outer),
        columns=_columns(rows, access),
        sent=schema.columns(sent) if sent else (),
        object_key=rows.object_key if rows else None,
        paging=reading.paging,
        cursor=reading.cursor,
        server=server.url if server else None,
        batch=None if served else _batch(node.child("x-patql-batch"), document),
    )
    return blocked(method, findings), findings


def _batch(node: Node | None, document: Node) -> Batch | None:
    """What does for many rows what the method does for one; only our own servers have that."""
    if node is None:
        return None
    operation = node.need("operation")
    path, verb = operation.steps[-2:]
    return Batch(
        operation_id=operation.text("operationId"),
        verb=verb.upper(),
        path=path,
        items=node.text("items") or node.fail("`items` is missing"),
        rows=node.text("rows") or None,
        key=node.text("key") or None,
        scopes=_scopes(operation, document),
    )


def _columns(rows: schema.Rows | None, access: Access) -> tuple[Column, ...]:
    """Those of a row; one that may have any properties is read as one JSON value."""
    if rows and not rows.columns and access is Access.SELECT:
        return (Column(schema.ANONYMOUS, "object"),)
    return rows.columns if rows else ()


def blocked(method: Method, findings: tuple[Finding, ...]) -> Method:
    """The method, which can't be called for what blocks it."""
    reasons = (f"{f.what[0].upper()}{f.what[1:]}." for f in findings if f.blocks)
    return replace(method, unsupported=(*method.unsupported, *dict.fromkeys(reasons)))


def _unread(kind: str, described: Node | None) -> Iterator[Finding]:
    """A body that is described in other media types than JSON only."""
    content = described.child("content") if described else None
    names = content.names() if content else ()
    if names and not any(map(is_json, names)):
        what = f"{kind}s of media type `{names[0]}` aren't supported"
        yield Finding(what, blocks=True)


def _doubts(reading: Reading) -> Iterator[Finding]:
    if reading.problem:
        yield Finding(f"the list {reading.problem}", blocks=True)
    if reading.doubt:
        yield Finding(f"the list {reading.doubt}", blocks=False)


def _unserved(server: Server | None) -> Iterator[Finding]:
    if server and server.url is None:
        what = f"its server `{server.written}` is no absolute URL"
        yield Finding(what if server.written else "no server is named", blocks=True)


def _is_listed(sent: Node, object_key: str | None) -> bool:
    """Whether a response holds a list of rows."""
    found = schema.resolve(sent, object_key) if object_key else sent
    return (
        found is None or schema.type_name(found) == "array" or "[*]" in str(object_key)
    )


def _parameters(item: Node, operation: Node, method: Node) -> tuple[Node, ...]:
    """Those of the path, the operation and the method; later ones replace earlier ones of the same name and place."""
    extra = method.child("parameters")
    if extra and isinstance(extra.value, dict):  # methods may name them in a mapping
        own = tuple(node for _, node in method.children("parameters"))
    else:
        own = tuple(method.elements("parameters"))
    found: dict[tuple[str, str], Node] = {}
    for node in (*item.elements("parameters"), *operation.elements("parameters"), *own):
        found[node.text("name"), node.text("in")] = node
    return tuple(
        node for (_, location), node in found.items() if location in _LOCATIONS
    )


def _parameter(node: Node) -> Parameter:
    described = node.child("schema")
    return Parameter(
        name=node.text("name") or node.fail("`name` is missing"),
        location=node.text("in"),
        type=schema.type_name(described) if described else "string",
        required=node.flag("required") or node.flag("x-alwaysRequired"),
        description=node.text("description"),
        minimum=described.whole("minimum") if described else None,
        maximum=described.whole("maximum") if described else None,
        key_column=node.text("x-patql-key") or None,
        segments=node.flag("x-multi-segment"),
        extension=node.flag("x-patql-extension"),
    )


def _scopes(operation: Node, document: Node) -> tuple[str, ...]:
    """The scopes of the first alternative that names any: OpenAPI's list is an OR, each scheme's list an AND."""
    holder = operation if operation.raw("security") else document
    for alternative in holder.elements("security"):
        schemes = alternative.names()
        scopes = [str(s.value) for key in schemes for s in alternative.elements(key)]
        if scopes:
            return tuple(dict.fromkeys(scopes))
    return ()


def _response(node: Node, operation: Node) -> Node | None:
    """What the server answers where all is well, None where the document doesn't describe it."""
    responses = operation.child("responses")
    key = _response_text(node, "openAPIDocKey") or "200"
    return responses.child(key) if responses else None


def _sent(node: Node, response: Node | None) -> Node | None:
    """The schema of what the server sends, None where the document describes no body."""
    settings = node.child("response")
    if settings and (override := settings.child("schema_override")):
        return override
    media_type = _response_text(node, "mediaType")
    return _content(response, media_type) if response else None


def _response_text(node: Node, key: str) -> str:
    response = node.child("response")
    return response.text(key) if response else ""


def _content(holder: Node, media_type: str) -> Node | None:
    content = holder.child("content")
    if content is None:
        return None
    found = content.child(media_type or _JSON) or content.child(_JSON) or _json(content)
    return found.child("schema") if found else None


def _json(content: Node) -> Node | None:
    """The first kind of JSON among media types."""
    return next(
        (content.child(name) for name in content.names() if is_json(name)), None
    )


def _body(node: Node, operation: Node, outer: tuple[Node, ...]) -> Body | None:
    described = operation.child("requestBody")
    request = node.child("request")
    media_type = request.text("mediaType", _JSON) if request else _JSON
    found = _content(described, media_type) if described else None
    if found is None:
        return None
    translate = algorithm("requestBodyTranslate", (node, *outer))
    extra = (
        (str(name.value) for name in request.elements("required")) if request else ()
    )
    return Body(
        media_type=media_type,
        columns=schema.fields(found),
        required=tuple(dict.fromkeys((*schema.required(found), *extra))),
        naive=translate.startswith("naive"),
        nested=translate.removeprefix("naive_") if "_" in translate else None,
    )
