"""A provider document as written, OpenAPI with `x-stackQL-resources`, made into what the engine plans from.

Runs when a document is compiled, never at query time, and reads no files: parsed YAML goes in.
"""

from collections.abc import Callable, Iterator, Mapping

from patql.catalog.document import Access, Method, Provider, Resource, Service
from patql.catalog.keys import with_keys
from patql.catalog.method import build_method
from patql.catalog.node import Node

# StackQL's names for a verb that `sqlVerbs` doesn't mention at all; an empty list there means no method.
_DEFAULT_METHODS: Mapping[Access, tuple[str, ...]] = {
    Access.SELECT: ("select", "list", "aggregatedList", "get"),
    Access.INSERT: ("insert", "create"),
    Access.UPDATE: (),
    Access.REPLACE: (),
    Access.DELETE: ("delete",),
}


def build(document: Node, open_service: Callable[[str], Node]) -> Provider:
    """The provider that a provider document and its service documents describe.

    Args:
        document: the whole of `provider.yaml`.
        open_service: gives the whole document that a `service.$ref`, such as
            `linode/v00.00.00000/services/profile.yaml`, names.

    Raises:
        PatqlError: SCHEMA, naming the place where a document isn't what the format asks for.
    """
    config = document.child("config")
    auth = config.child("auth") if config is not None else None
    name = document.text("name") or document.fail("`name` is missing")
    return Provider(
        id=document.text("id", name),
        name=name,
        version=document.text("version"),
        title=document.text("title", name),
        description=document.text("description"),
        services=tuple(
            _service(document, key, entry, open_service)
            for key, entry in document.children("providerServices")
        ),
        token_variable=auth.text("credentialsenvvar") or None if auth else None,
    )


def _service(
    document: Node, key: str, entry: Node, open_service: Callable[[str], Node]
) -> Service:
    link = entry.raw("service") or entry.fail("`service` is missing")
    root = open_service(link.reference or link.fail("`$ref` is missing"))
    name = entry.text("name", key)
    components = root.need("components")
    return Service(
        id=entry.text("id", name),
        name=name,
        title=entry.text("title", name),
        description=entry.text("description"),
        version=entry.text("version"),
        preferred=entry.flag("preferred"),
        servers=tuple(server.text("url") for server in root.elements("servers")),
        resources=tuple(
            _resource(
                f"{document.text('name')}.{name}", key, node, (root, entry, document)
            )
            for key, node in components.children("x-stackQL-resources")
        ),
        scopes=tuple(_known_scopes(components)),
    )


def _known_scopes(components: Node) -> Iterator[str]:
    for _, scheme in components.children("securitySchemes"):
        for _, flow in scheme.children("flows"):
            yield from (scope for scope, _ in flow.children("scopes"))


def _resource(service: str, name: str, node: Node, outer: tuple[Node, ...]) -> Resource:
    access = _access(node)
    methods: Iterator[Method] = (
        build_method(key, access.get(key, Access.EXEC), method, (node, *outer))
        for key, method in node.children("methods")
    )
    return Resource(
        id=f"{service}.{name}",
        name=name,
        title=node.text("title", name),
        description=node.text("description"),
        methods=with_keys(tuple(methods)),
    )


def _access(resource: Node) -> dict[str, Access]:
    """The verb that reaches each method; what isn't in it is for EXEC alone."""
    verbs = resource.child("sqlVerbs")
    found: dict[str, Access] = {}
    for access, names in _DEFAULT_METHODS.items():
        key = access.value.lower()
        if verbs is not None and verbs.raw(key) is not None:
            names = tuple(method.steps[-1] for method in verbs.elements(key))
        for name in names:
            found.setdefault(name, access)
    return found
