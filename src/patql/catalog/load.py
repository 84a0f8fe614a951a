"""Provider documents as the engine takes them: those inside the package, and those that a folder holds.

Both are read as compiled; YAML is parsed only where a folder's documents are new or have changed.

Four things in our own documents are settings of whoever runs it: what the provider is called, the prefix of tokens, the
categories of scopes (of which its examples name one), and the category that guards tokens. They are put in as the document
is read, so that page, errors and the served OpenAPI follow.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from patql.catalog.document import Provider
from patql.kernel.errors import Code, PatqlError

PROVIDERS = Path(__file__).parent.parent / "providers"
"""Folder of `<provider>/<version>/`, as StackQL's registry lays them out."""

COMPILED = "compiled.json"
"""The name of the file beside each `provider.yaml`."""

OPENAPI = "openapi.json"
"""The name of the file, beside the providers' folders, that describes all that a server of ours serves."""

LEVELS = ("read_only", "read_write")


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Settings(msgspec.Struct, frozen=True):
    """What a document says where nobody chose otherwise: its `x-patql-settings`."""

    token_prefix: str
    guard_scope: str
    example_scope: str
    events_scope: str


class Compiled(msgspec.Struct, frozen=True):
    """The content of `compiled.json`; the provider stays bytes until the settings are in."""

    settings: Settings
    provider: msgspec.Raw


def builtin(
    name: str,
    *,
    called: str | None = None,
    prefix: str | None = None,
    categories: Iterable[str] | None = None,
    guard: str | None = None,
) -> Provider:
    """A provider whose document is inside the package.

    Args:
        name: the document's name, such as `linode`.
        called: what statements call the provider; None as the document says.
        prefix: what tokens start with; None as the document says.
        categories: the categories of scopes, each a `name`, or `name:read_write` where only that level exists; None
            as the document says.
        guard: the category that guards the management of tokens, always among the categories; None as the document
            says.

    Raises:
        PatqlError: UNKNOWN_NAME where the package holds no such document; SCHEMA where it isn't compiled.
    """
    compiled = _compiled(name)
    scopes = _scopes(categories, guard or compiled.settings.guard_scope)
    encoded = _substituted(compiled.provider, compiled.settings, prefix, scopes, guard)
    encoded = _renamed(encoded, name, called)
    provider = msgspec.json.decode(encoded, type=Provider)
    if called is not None:
        provider = replace(provider, id=called, name=called)
    if not scopes:
        return provider
    services = (
        replace(s, scopes=scopes if s.scopes else ()) for s in provider.services
    )
    return replace(provider, services=tuple(services))


def from_folder(name: str, folder: Path, cache: Path) -> Provider:
    """A provider whose documents are in a folder, as StackQL's registry lays them out; the newest version.

    Args:
        name: what it is called here, whatever its document says.
        folder: holds `provider.yaml`, or a folder for each version, or one provider with its versions.
        cache: folder of what was compiled before; nothing is lost if it can't be written.

    Raises:
        PatqlError: USAGE where the name can't be one or the folder holds no provider; SCHEMA where the provider document
            can't be used. A service that can't be used is `missing` and says why.
    """
    from patql.catalog.cache import Kept
    from patql.catalog.layout import find_version

    if not _NAME.fullmatch(name):
        message = f"`{name}` can't name a provider: letters, digits and `_` can, with no digit in front"
        raise PatqlError(Code.USAGE, message)
    version = find_version(folder)
    kept = Kept(cache, name, version)
    if provider := kept.read():
        return provider
    from patql.catalog.build import adopt
    from patql.catalog.folder import Folder

    documents = Folder(version)
    provider = adopt(name, documents.document(), documents.open)
    kept.write(provider, documents.stamps)
    return provider


def builtin_openapi(
    name: str,
    *,
    called: str | None = None,
    prefix: str | None = None,
    categories: Iterable[str] | None = None,
    guard: str | None = None,
) -> bytes:
    """The OpenAPI document, as JSON, that a server of this provider's API serves, with all that ours serve beside it.

    The arguments are those of `builtin`.

    Raises:
        PatqlError: as `builtin`.
    """
    settings = _compiled(name).settings
    scopes = _scopes(categories, guard or settings.guard_scope)
    written = _content(PROVIDERS / OPENAPI, name)
    encoded = _substituted(written, settings, prefix, scopes, guard)
    encoded = _renamed(encoded, name, called)
    if not scopes:
        return encoded
    document: dict[str, Any] = msgspec.json.decode(encoded)
    described = {scope: _description(scope) for scope in scopes}
    for scheme in document["components"]["securitySchemes"].values():
        for flow in scheme.get("flows", {}).values():
            flow["scopes"] = described
    return msgspec.json.encode(document)


def _compiled(name: str) -> Compiled:
    versions = sorted((PROVIDERS / name).glob("v*")) if name.isidentifier() else []
    if not versions:
        raise PatqlError(Code.UNKNOWN_NAME, f"There is no built-in provider `{name}`.")
    content = _content(versions[-1] / COMPILED, name)
    return msgspec.json.decode(content, type=Compiled)


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PatqlError(
            Code.SCHEMA,
            f"The document of provider `{name}` isn't compiled.",
            hint="In a checkout, `make setup` compiles it; an installed package that lacks it must be installed again.",
        ) from None


def _substituted(
    encoded: bytes | msgspec.Raw,
    settings: Settings,
    prefix: str | None,
    scopes: tuple[str, ...],
    guard: str | None,
) -> bytes:
    """The JSON with the document's own prefix, guard and example replaced, in names and in prose alike.

    What would take a category of events takes the guard's scopes where the team has none of that name.
    """
    text = bytes(encoded)
    if prefix not in (None, settings.token_prefix):
        text = text.replace(settings.token_prefix.encode(), _in_json(prefix))
    if guard not in (None, settings.guard_scope):
        text = _scoped(text, settings.guard_scope, guard)
    if scopes and f"{settings.events_scope}:{LEVELS[0]}" not in scopes:
        text = _scoped(text, settings.events_scope, guard or settings.guard_scope)
    if scopes and settings.example_scope not in scopes:
        guarding = f"{guard or settings.guard_scope}:"
        others = (scope for scope in scopes if not scope.startswith(guarding))
        example = next(others, scopes[0])
        text = text.replace(settings.example_scope.encode(), _in_json(example))
    return text


def _scoped(text: bytes, category: str, other: str) -> bytes:
    """The JSON with another category in the place of one."""
    own = re.compile(rb"(?<![0-9A-Za-z_])%b(?=:read_)" % category.encode())
    return own.sub(lambda _: _in_json(other), text)


def _renamed(encoded: bytes, name: str, called: str | None) -> bytes:
    """The JSON with the ids of a provider's resources as another name has them."""
    if called in (None, name):
        return encoded
    own, other = (f'"id":"{each}.'.encode() for each in (name, called))
    return encoded.replace(own, other)


def _in_json(text: str) -> bytes:
    return msgspec.json.encode(text)[1:-1]


def _scopes(categories: Iterable[str] | None, guard: str) -> tuple[str, ...]:
    """Every `category:level` that exists, that of the guard first where the categories don't have it; None: nothing."""
    if categories is None:
        return ()
    given = [category.partition(":") for category in categories]
    if guard not in (name for name, _, _ in given):
        given.insert(0, (guard, "", ""))
    return tuple(
        f"{name}:{level}"
        for name, _, only in given
        for level in LEVELS
        if only in ("", level)
    )


def _description(scope: str) -> str:
    category, _, level = scope.partition(":")
    return f"{'Read' if level == LEVELS[0] else 'Read and change'} {category}."
