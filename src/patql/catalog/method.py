"""One method of a resource: its operation, parameters, body, rows and paging, with inherited settings applied."""

from patql.catalog import schema
from patql.catalog.document import Access, Body, Method, Paging, Parameter
from patql.catalog.node import Node

_JSON = "application/json"
_HTTP_VERBS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_LOCATIONS = {"path", "query", "header"}


def build_method(
    name: str, access: Access, node: Node, outer: tuple[Node, ...]
) -> Method:
    """The method at `node`, which inherits settings from `outer`: nearest first, the service document second."""
    document = outer[1]
    operation = node.need("operation")
    path, verb = operation.steps[-2:]
    if verb not in _HTTP_VERBS:
        operation.fail(f"an operation is a verb of a path, not `{verb}`")
    parameters = _parameters(document.need("paths").need(path), operation)
    sent = _response(node, operation)
    rows = schema.rows(sent, _response_text(node, "objectKey")) if sent else None
    return Method(
        name=name,
        access=access,
        operation_id=operation.text("operationId", name),
        verb=verb.upper(),
        path=path,
        description=operation.text("description") or operation.text("summary"),
        parameters=tuple(map(_parameter, parameters)),
        scopes=_scopes(operation, document),
        body=_body(node, operation, outer),
        columns=rows.columns if rows else (),
        sent=schema.columns(sent) if sent else (),
        object_key=rows.object_key if rows else None,
        paging=_paging(parameters, _setting("pagination", (node, *outer))),
    )


def _parameters(item: Node, operation: Node) -> tuple[Node, ...]:
    """Those of the path, then those of the operation, which replace the path's of the same name and place."""
    found: dict[tuple[str, str], Node] = {}
    for holder in (item, operation):
        for node in holder.elements("parameters"):
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
    """The schema of what the server sends, None where the document describes no body."""
    responses = operation.child("responses")
    key = _response_text(node, "openAPIDocKey") or "200"
    found = responses.child(key) if responses else None
    return _content(found, _response_text(node, "mediaType")) if found else None


def _response_text(node: Node, key: str) -> str:
    response = node.child("response")
    return response.text(key) if response else ""


def _content(holder: Node, media_type: str) -> Node | None:
    content = holder.child("content")
    if content is None:
        return None
    found = content.child(media_type or _JSON) or content.child(_JSON)
    return found.child("schema") if found else None


def _body(node: Node, operation: Node, outer: tuple[Node, ...]) -> Body | None:
    described = operation.child("requestBody")
    request = node.child("request")
    media_type = request.text("mediaType", _JSON) if request else _JSON
    found = _content(described, media_type) if described else None
    if found is None:
        return None
    translate = _setting("requestBodyTranslate", (node, *outer))
    algorithm = translate.text("algorithm") if translate else ""
    return Body(
        media_type=media_type,
        columns=schema.columns(found),
        required=schema.required(found),
        naive=algorithm.startswith("naive"),
    )


def _setting(key: str, holders: tuple[Node, ...]) -> Node | None:
    """A key of `config`, from the nearest that has it; service documents call theirs `x-stackQL-config`."""
    for holder in holders:
        config = holder.child("config") or holder.child("x-stackQL-config")
        if config and (found := config.child(key)):
            return found
    return None


def _paging(parameters: tuple[Node, ...], pagination: Node | None) -> Paging | None:
    """Paging by number, where the operation takes one; None for every other way, which isn't read on."""
    if pagination is None or pagination.text("algorithm") != "page_number":
        return None
    page = pagination.need("requestToken")
    names = [node.text("name") for node in parameters if node.text("in") == "query"]
    if page.text("location") != "query" or page.text("key") not in names:
        return None
    size = next((n for n in parameters if n.flag("x-patql-page-size")), None)
    bounds = size.child("schema") if size else None
    return Paging(
        page=page.text("key"),
        pages_key=_key(pagination.need("responseTerminator").text("key")),
        size=size.text("name") if size else None,
        size_maximum=bounds.whole("maximum") if bounds else None,
        results_key=_key(pagination.text("x-patql-results-key")) or None,
        version_header=pagination.text("x-patql-version-header").lower() or None,
    )


def _key(json_path: str) -> str:
    return json_path.removeprefix("$.")
