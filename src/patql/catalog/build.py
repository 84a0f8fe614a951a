"""A provider document as written, OpenAPI with `x-stackQL-resources`, made into what the engine plans from.

Runs when a document is compiled, never at query time, and reads no files: parsed YAML goes in.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from patql.catalog.auth import build_auth
from patql.catalog.config import setting
from patql.catalog.document import Access, Auth, Method, Provider, Resource, Service
from patql.catalog.keys import with_keys
from patql.catalog.method import build_method
from patql.catalog.node import Node
from patql.catalog.unsupported import Finding, Findings
from patql.kernel.errors import PatqlError

# StackQL's names for a verb that `sqlVerbs` doesn't mention at all; an empty list there means no method.
_DEFAULT_METHODS: Mapping[Access, tuple[str, ...]] = {
    Access.SELECT: ("select", "list", "aggregatedList", "get"),
    Access.INSERT: ("insert", "create"),
    Access.UPDATE: (),
    Access.REPLACE: (),
    Access.DELETE: ("delete",),
}


class _Context(msgspec.Struct, frozen=True):
    """What resources of a service are read in: the documents that hand settings down, and who takes notes.

    `served` is whether requests go to the servers that the documents name.
    """

    provider: str
    service: str
    outer: tuple[Node, Node, Node]
    findings: Findings
    served: bool


def build(document: Node, open_service: Callable[[str], Node]) -> Provider:
    """The provider that a document of our own describes; who runs it chooses the target, and the way of authorisation.

    Args:
        document: the whole of `provider.yaml`.
        open_service: gives the whole document that a `service.$ref`, such as
            `linode/v00.00.00000/services/profile.yaml`, names.

    Raises:
        PatqlError: SCHEMA, naming the place where a document isn't what the format asks for.
    """
    name = document.text("name") or document.fail("`name` is missing")
    services: list[Service] = []
    for key, entry in document.children("providerServices"):
        outer = (open_service(_link(entry)), entry, document)
        outline = _outline(key, entry)
        context = _Context(name, outline.name, outer, Findings(), served=False)
        services.append(_filled(outline, context))
    return _provider(document, name, services)


def adopt(
    name: str, document: Node, open_service: Callable[[str], Node | None]
) -> Provider:
    """The provider that a document of somebody else describes, as far as it can be used.

    A service that can't be read is `missing`, and says why; what isn't supported is among the warnings.

    Args:
        name: what the provider is called here, whatever its document says.
        document: the whole of `provider.yaml`.
        open_service: as for `build`; None where there is no such file.

    Raises:
        PatqlError: SCHEMA, naming the place where `provider.yaml` isn't what the format asks for.
    """
    services: list[Service] = []
    warnings: list[str] = []
    for key, entry in document.children("providerServices"):
        findings = Findings()
        services.append(_adopted(name, key, entry, document, open_service, findings))
        warnings += findings.warnings(services[-1].name)
    auth = setting("auth", (document,))
    provider = _provider(document, name, services)
    return replace(
        provider,
        id=name,
        auth=build_auth(auth) or Auth(auth.text("type")) if auth else None,
        warnings=(*_missing(services), *warnings),
    )


def _provider(document: Node, name: str, services: list[Service]) -> Provider:
    auth = setting("auth", (document,))
    return Provider(
        id=document.text("id", name),
        name=name,
        version=document.text("version"),
        title=document.text("title", name),
        description=document.text("description"),
        services=tuple(services),
        token_variable=auth.text("credentialsenvvar") or None if auth else None,
    )


def _adopted(
    name: str,
    key: str,
    entry: Node,
    document: Node,
    open_service: Callable[[str], Node | None],
    findings: Findings,
) -> Service:
    outline = _outline(key, entry)
    try:
        reference = _link(entry)
        root = open_service(reference)
        if root is None:
            return replace(outline, missing=f"its document `{reference}` is absent")
        outer = (root, entry, document)
        return _filled(
            outline, _Context(name, outline.name, outer, findings, served=True)
        )
    except PatqlError as error:
        return replace(outline, missing=f"its document can't be used: {error.message}")


def _missing(services: list[Service]) -> Iterator[str]:
    """What is told of services that aren't there: the absent ones together, the broken ones each with its reason."""
    absent = [s for s in services if s.missing and s.missing.endswith(" is absent")]
    if absent:
        names = ", ".join(f"`{service.name}`" for service in absent)
        yield f"{len(absent)} of {len(services)} services can't be used, as their documents are absent: {names}."
    for service in services:
        if service.missing and service not in absent:
            yield f"`{service.name}` can't be used: {service.missing}"


def _link(entry: Node) -> str:
    link = entry.raw("service") or entry.fail("`service` is missing")
    return link.reference or link.fail("`$ref` is missing")


def _outline(key: str, entry: Node) -> Service:
    """A service as the provider document tells of it."""
    name = entry.text("name", key)
    return Service(
        id=entry.text("id", name),
        name=name,
        title=entry.text("title", name),
        description=entry.text("description"),
        version=entry.text("version"),
        preferred=entry.flag("preferred"),
        servers=(),
        resources=(),
    )


def _filled(outline: Service, context: _Context) -> Service:
    """A service with what its own document tells."""
    root = context.outer[0]
    components = root.need("components")
    return replace(
        outline,
        servers=tuple(server.text("url") for server in root.elements("servers")),
        resources=tuple(
            _resource(key, node, context)
            for key, node in components.children("x-stackQL-resources")
        ),
        scopes=tuple(_known_scopes(components)),
    )


def _known_scopes(components: Node) -> Iterator[str]:
    for _, scheme in components.children("securitySchemes"):
        for _, flow in scheme.children("flows"):
            yield from (scope for scope, _ in flow.children("scopes"))


def _resource(name: str, node: Node, context: _Context) -> Resource:
    access = _access(node)
    methods: list[Method] = []
    for key, written in node.children("methods"):
        verb = access.get(key, Access.EXEC)
        outer = (node, *context.outer)
        method, found = build_method(key, verb, written, outer, served=context.served)
        for finding in found:
            context.findings.add(finding, f"{name}.{key}")
        methods.append(method)
    if not methods and setting("views", (node,)):
        finding = Finding("`config.views` isn't supported", blocks=True)
        context.findings.add(finding, name)
    return Resource(
        id=f"{context.provider}.{context.service}.{name}",
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
