"""What a document asks for and isn't done: never passed over, told once a service, and fatal to a method where it must be.

A method blocks where calling it as if the key weren't there would send a wrong request or misread the answer; it is only
noted where nothing but convenience is lost.
"""

from collections.abc import Iterator

import msgspec

from patql.catalog.auth import SUPPORTED, build_auth
from patql.catalog.config import algorithm, setting
from patql.catalog.node import Node

NAMED = 10
"""How many methods a warning names."""

_HARMLESS = "known, and nothing is lost without it"
_NOTED = "noted"
_BLOCKS = "blocks"

_METHOD = {
    "operation": _HARMLESS,
    "request": _HARMLESS,
    "response": _HARMLESS,
    "config": _HARMLESS,
    "servers": _HARMLESS,
    "parameters": _HARMLESS,
    "description": _HARMLESS,
    "inverse": _HARMLESS,
    "undo": _HARMLESS,
    "serviceName": _BLOCKS,
    "apiMethod": _BLOCKS,
    "inline": _BLOCKS,
}
_REQUEST = {
    "mediaType": _HARMLESS,
    "required": _HARMLESS,
    "default": _BLOCKS,
    "base": _BLOCKS,
    "transform": _BLOCKS,
    "xmlDeclaration": _BLOCKS,
    "xmlTransform": _BLOCKS,
    "xmlRootAnnotation": _BLOCKS,
}
_RESPONSE = {
    "mediaType": _HARMLESS,
    "openAPIDocKey": _HARMLESS,
    "objectKey": _HARMLESS,
    "schema_override": _HARMLESS,
    "overrideMediaType": _HARMLESS,
    "transform": _BLOCKS,
}
_CONFIG = {
    "auth": _HARMLESS,
    "pagination": _HARMLESS,
    "requestBodyTranslate": _HARMLESS,
    "queryParamPushdown": _HARMLESS,
    "minStackQLVersion": _HARMLESS,
    "retry": _HARMLESS,
    "queryParamTranspose": _HARMLESS,
    "requestTranslate": _HARMLESS,
    "sqlExternalTables": _BLOCKS,
}
_ALGORITHMS = ("", "default", "naive")


class Finding(msgspec.Struct, frozen=True):
    """One thing that isn't done: `what` is a sentence without its stop; a blocked method can't be called."""

    what: str
    blocks: bool


class Findings:
    """What was found in a service, and on which methods."""

    def __init__(self) -> None:
        self._methods: dict[Finding, dict[str, None]] = {}

    def add(self, finding: Finding, method: str) -> None:
        """Take one more."""
        self._methods.setdefault(finding, {})[method] = None

    def warnings(self, service: str) -> Iterator[str]:
        """A sentence for each kind of finding, with the methods that it affects."""
        for finding, found in self._methods.items():
            methods = list(found)
            more = f" and {len(methods) - NAMED} more" if methods[NAMED:] else ""
            named = ", ".join(f"`{name}`" for name in methods[:NAMED]) + more
            effect = "so these can't be called" if finding.blocks else "which concerns"
            yield f"`{service}`: {finding.what}, {effect}: {named}."


def find_unsupported(
    node: Node, operation: Node, outer: tuple[Node, ...]
) -> Iterator[Finding]:
    """What of a method's keys, and of the settings it inherits, isn't done."""
    yield from _keys("", node, _METHOD)
    for name, known in (("request", _REQUEST), ("response", _RESPONSE)):
        if holder := node.child(name):
            yield from _keys(f"{name}.", holder, known)
            yield from _media_type(name, holder)
    yield from _settings((node, *outer))
    if operation.raw("x-stackQL-graphQL"):
        yield Finding("GraphQL isn't supported", blocks=True)
    yield from _auth((node, *outer), provider=outer[-1])


def _keys(prefix: str, holder: Node, known: dict[str, str]) -> Iterator[Finding]:
    for key in holder.names():
        effect = known.get(key, _NOTED)
        if effect != _HARMLESS and holder.raw(key):
            yield _finding(f"{prefix}{key}", effect)


def _finding(key: str, effect: str) -> Finding:
    return Finding(f"`{key}` isn't supported", blocks=effect == _BLOCKS)


def _media_type(name: str, holder: Node) -> Iterator[Finding]:
    for key in ("mediaType", "overrideMediaType"):
        written = holder.text(key)
        if written and not is_json(written):
            what = f"{name}s of media type `{written}` aren't supported"
            yield Finding(what, blocks=True)


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON, `application/scim+json; charset=utf-8` among them (RFC 6839, section 3.1)."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare == "application/json" or bare.endswith("+json")


def _settings(holders: tuple[Node, ...]) -> Iterator[Finding]:
    for holder in holders:
        for name in ("config", "x-stackQL-config"):
            if config := holder.child(name):
                yield from _keys("config.", config, _CONFIG)
    for key in ("requestBodyTranslate", "queryParamTranspose", "requestTranslate"):
        named = algorithm(key, holders)
        if named not in _ALGORITHMS and not named.startswith("naive_"):
            yield Finding(f"`{key}` by `{named}` isn't supported", blocks=True)


def _auth(holders: tuple[Node, ...], provider: Node) -> Iterator[Finding]:
    """Auth of a type that isn't done, or other than the provider's."""
    own, general = setting("auth", holders), setting("auth", (provider,))
    if own is None:
        return
    if build_auth(own) is None:
        what = f"auth of type `{own.text('type')}` isn't supported ({', '.join(SUPPORTED)} are)"
        yield Finding(what, blocks=True)
    elif general is None or own.value != general.value:
        yield Finding("`auth` other than the provider's isn't supported", blocks=True)
