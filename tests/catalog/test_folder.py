"""Documents in a folder: where they are found, what is kept of them, and that nothing else is read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.catalog.conftest import GOOD

from patql.catalog import cache, node, yaml_text
from patql.catalog.document import Provider
from patql.catalog.load import from_folder
from patql.catalog.names import Catalog
from patql.kernel.errors import Code, PatqlError

Load = Callable[..., Provider]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one provider, `shop/v1`."""
    lay(tmp_path / "root" / "shop" / "v1")
    return tmp_path / "root"


@pytest.fixture
def load(tmp_path: Path, root: Path) -> Load:
    """Loads the provider as `mine`, from `root` unless another folder is given."""

    def load(folder: Path = root) -> Provider:
        return from_folder("mine", folder, tmp_path / "cache")

    return load


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the YAML files that are parsed from now on."""
    names: list[str] = []
    check = yaml_text._check

    def counted(content: bytes, file: str) -> None:
        names.append(Path(file).name)
        check(content, file)

    monkeypatch.setattr(yaml_text, "_check", counted)
    return names


def lay(folder: Path, **provider: object) -> None:
    """Write the documents of a version."""
    (folder / "services").mkdir(parents=True)
    written = yaml.safe_dump(GOOD["provider"] | provider, sort_keys=False)
    (folder / "provider.yaml").write_text(written)
    service = yaml.safe_dump(GOOD["service"], sort_keys=False)
    (folder / "services" / "things.yaml").write_text(service)


@pytest.mark.parametrize("below", ["", "shop", "shop/v1"])
def test_layouts(root: Path, load: Load, below: str) -> None:
    """The folder is that of a version, of a provider, or of all providers if there is one."""
    provider = load(root / below)
    assert provider.services[0].resources[0].id == "mine.things.things"


def test_newest_version(root: Path, load: Load) -> None:
    """Of several versions the newest counts, by number and not by letters."""
    lay(root / "shop" / "v9", version="nine")
    lay(root / "shop" / "v10.1", version="ten")
    assert load().version == "ten"
    assert load(root / "shop").version == "ten"


def test_more_than_one_provider(root: Path, load: Load) -> None:
    """Which of several providers is meant must be said."""
    lay(root / "fair" / "v1")
    with pytest.raises(PatqlError) as caught:
        load()
    assert caught.value.code is Code.USAGE
    assert (
        str(caught.value)
        == f"{root} holds more than one provider (fair, shop): give the folder of one"
    )


@pytest.mark.parametrize("below", ["shop/v1/services", "nowhere"])
def test_no_provider(root: Path, load: Load, below: str) -> None:
    """A folder without documents is told as such."""
    with pytest.raises(PatqlError) as caught:
        load(root / below)
    assert caught.value.code is Code.USAGE
    assert "holds no provider document" in str(caught.value)


@pytest.mark.parametrize("name", ["", "a.b", "../a", "1a", "a b"])
def test_names(root: Path, tmp_path: Path, name: str) -> None:
    """A provider's name is one that statements can write without quotes."""
    with pytest.raises(PatqlError, match="can't name a provider"):
        from_folder(name, root, tmp_path)


def test_parsed_once(root: Path, load: Load, parsed: list[str]) -> None:
    """YAML is parsed when it is new; what was kept is the same provider."""
    first = load()
    assert parsed == ["provider.yaml", "things.yaml"]
    assert load() == first
    assert load(root / "shop" / "v1") == first
    assert len(parsed) == 2


def touched(path: Path) -> None:
    """As if saved a second later."""
    then = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(then, then))


def test_parsed_again_when_changed(root: Path, load: Load, parsed: list[str]) -> None:
    """A changed file, one that went away and one that came make what was kept stale."""
    version = root / "shop" / "v1"
    service = version / "services" / "things.yaml"
    first = load()
    for path in (version / "provider.yaml", service):
        parsed.clear()
        touched(path)
        assert load() == first
        assert parsed == ["provider.yaml", "things.yaml"]
    service.rename(version / "elsewhere.yaml")
    assert load().services[0].missing is not None
    (version / "elsewhere.yaml").rename(service)
    assert load() == first


def test_parsed_again_by_another_version(
    load: Load, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another version of the format kept isn't used."""
    load()
    monkeypatch.setattr(cache, "FORMAT", "another")
    load()
    assert len(parsed) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff", b'{"format": 1}'])
def test_damaged_cache(tmp_path: Path, load: Load, content: bytes) -> None:
    """What can't be read of the cache is compiled again, and kept again."""
    first = load()
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(content)
    assert load() == first
    assert kept.read_bytes() == whole


def test_cache_that_cannot_be(
    tmp_path: Path, load: Load, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be kept, documents are parsed each time, and no half file is left."""
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert load() == load()
    assert len(parsed) == 4
    (tmp_path / "cache").unlink()

    def full(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    load()
    assert list((tmp_path / "cache").iterdir()) == []


def test_cache_is_the_users_own(tmp_path: Path, load: Load) -> None:
    """Others on the machine can't put a document there."""
    load()
    (kept,) = (tmp_path / "cache").iterdir()
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert kept.stat().st_mode & 0o077 == 0


def services(**references: str) -> dict[str, Any]:
    """Services of a provider document, by the references to their documents."""
    return {
        "providerServices": {
            name: {"service": {"$ref": reference}}
            for name, reference in references.items()
        }
    }


def test_absent_services(root: Path, load: Load) -> None:
    """Services whose file is absent are listed as missing, told of once, and say which file when they are asked for."""
    lay(
        root / "shop" / "v2",
        **services(
            things="shop/v2/services/things.yaml",
            people="shop/v2/services/people.yaml",
            cars="shop/v2/services/cars.yaml",
        ),
    )
    provider = load()
    assert [s.missing is None for s in provider.services] == [True, False, False]
    assert provider.warnings == (
        "2 of 3 services can't be used, as their documents are absent: `people`, `cars`.",
    )
    catalog = Catalog((provider,))
    assert catalog.resource("mine", "things", "things").methods
    with pytest.raises(PatqlError) as caught:
        catalog.resource("mine", "people", "people")
    assert caught.value.code is Code.SCHEMA
    assert (
        str(caught.value)
        == "Nothing is known of `mine.people`: its document `shop/v2/services/people.yaml` is absent."
    )


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("../../../secret.yaml", "is no place in the folder"),
        ("shop/v1/../../../secret.yaml", "is no place in the folder"),
        ("/etc/passwd", "is no place in the folder"),
        ("a/b//etc/passwd", "is no place in the folder"),
        ("shop/v1/link.yaml", "leads out of the folder"),
        ("shop/v1/folder/secret.yaml", "leads out of the folder"),
        ("shop/v1/services", "is no file"),
        ("shop/v1/pipe", "is no file"),
        ("shop/v1/a\0b", "is no place in the folder"),
        ("shop/v1/broken.yaml", "broken.yaml can't be read: line 2, column 1"),
        ("shop/v1/endless.yaml", "references lead in a circle"),
    ],
)
def test_references_stay_in_the_folder(
    root: Path, load: Load, reference: str, problem: str
) -> None:
    """A service whose reference leads out, or to what isn't a document, is missing; the others are there."""
    version = root / "shop" / "v2"
    good = "shop/v2/services/things.yaml"
    lay(version, **services(things=good, odd=reference))
    (root / "secret.yaml").write_text("components: {}")
    (version / "link.yaml").symlink_to(root / "secret.yaml")
    (version / "folder").symlink_to(root)
    (version / "broken.yaml").write_text("a: [\n")
    (version / "endless.yaml").write_text(
        "{components: {$ref: '#/b'}, b: {$ref: '#/components'}}"
    )
    os.mkfifo(version / "pipe")
    provider = load()
    things, odd = provider.services
    assert things.missing is None
    assert odd.missing is not None
    assert problem in odd.missing
    assert provider.warnings == (f"`odd` can't be used: {odd.missing}",)


def test_provider_document_that_leads_out(root: Path, load: Load) -> None:
    """Nor may the provider document itself be a link to elsewhere."""
    document = root / "shop" / "v1" / "provider.yaml"
    document.rename(root / "elsewhere.yaml")
    document.symlink_to(root / "elsewhere.yaml")
    with pytest.raises(PatqlError, match="leads out of the folder"):
        load()


@pytest.mark.parametrize("content", ["a: [1", "providerServices: 1"])
def test_provider_document_that_cant_be_used(
    root: Path, load: Load, content: str
) -> None:
    """It is named in full, since of several folders one must be told from the others."""
    document = root / "shop" / "v1" / "provider.yaml"
    document.write_text(content)
    with pytest.raises(PatqlError) as caught:
        load()
    assert caught.value.message.startswith(str(document))


def test_references_that_multiply(
    root: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schemas that combine one another ten times over, level by level, are given up."""
    monkeypatch.setattr(node, "MAX_VISITS", 100_000)
    version = root / "shop" / "v1"
    service = GOOD["service"] | {"components": dict(GOOD["service"]["components"])}
    schemas = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 10}
        for n in range(25)
    }
    ends = {"S25": {"type": "object"}, "Things": schemas["S0"]}
    service["components"]["schemas"] |= schemas | ends
    (version / "services" / "things.yaml").write_text(yaml.safe_dump(service))
    missing = load().services[0].missing
    assert missing is not None
    assert "refers to itself too often" in missing
