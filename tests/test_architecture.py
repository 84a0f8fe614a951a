"""The rules of the house: who imports whom, tables without gaps, and documents that stay true."""

import importlib
import os
import pkgutil
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest

import patql
from patql.kernel.errors import Code

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def modules() -> Iterator[str]:
    """Every module of the package, except the one that runs when it is imported."""
    for found in pkgutil.walk_packages(patql.__path__, "patql."):
        if found.name != "patql.__main__":
            yield found.name


def resolve(name: str) -> object:
    """What a dotted name stands for: a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def make_targets() -> set[str]:
    """What `make help` lists."""
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE))


def tracked(git: str) -> list[Path]:
    """The files of the repository; a test of them is skipped where there is no repository."""
    done = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a checkout")
    paths = (ROOT / name for name in done.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.slow
def test_import_contracts() -> None:
    """Imports go down the layers only, and the further contracts of pyproject.toml hold."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_code_is_in_every_table() -> None:
    """Each face translates each error code: a new code must be given a status and an exit code, and nothing else has one."""
    tables: dict[str, Mapping[Code, object]] = {}
    for name in modules():
        table = getattr(importlib.import_module(name), "BY_CODE", None)
        if table is not None:
            tables[name] = table
    assert {"patql.api.problems", "patql.faces.console.exits"} <= set(tables)
    for name, table in tables.items():
        assert set(table) == set(Code), name


@pytest.mark.parametrize("page", ["path-of-a-query.md", "path-of-a-token.md"])
def test_path_pages_name_what_exists(page: str) -> None:
    """Each function that a path page walks through exists under the name it is given there."""
    names = re.findall(r"`(patql\.[\w.]+)", (ROOT / "docs" / page).read_text("utf-8"))
    assert len(names) >= 5
    for name in names:
        assert resolve(name) is not None, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documented_make_targets_exist(document: Path) -> None:
    """Each `make …` that a document tells to run is one that `make help` lists."""
    text = document.read_text("utf-8")
    told = re.findall(r"(?:`|^(?:    |\$ )?)make (\w+)", text, re.MULTILINE)
    assert set(told) <= make_targets()


def test_make_lists_every_target() -> None:
    """No target is missing from `make help`, and all that a developer needs is there."""
    phony = re.search(
        r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert phony is not None
    assert make_targets() == set(phony[1].split())
    assert {"help", "demo", "test", "check", "bench", "fmt"} <= make_targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A link from one of our documents to a file leads to a file that is there."""
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8"))
    for link in links:
        if "://" not in link and not link.startswith("mailto:"):
            assert (document.parent / link).exists(), link


def test_every_dependency_has_its_reason() -> None:
    """The page on dependencies names each package that running PatQL takes, and no other as one."""
    text = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE))
    taken = [
        *PROJECT["dependencies"],
        *chain(*PROJECT["optional-dependencies"].values()),
    ]
    assert told == {re.split(r"[^\w-]", name, maxsplit=1)[0] for name in taken}


def test_decisions_are_indexed() -> None:
    """The index of decisions links each of them."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index))
    assert linked == {path.name for path in folder.glob("[0-9]*.md")} != set()


def test_version_is_the_changelogs() -> None:
    """The package, its metadata and the newest released section of the changelog agree."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert released is not None
    assert patql.__version__ == PROJECT["version"] == released[1]


def test_nothing_names_a_machine(need: Callable[..., str]) -> None:
    """No file has the path of a home or a workplace, the name of this host, or the address of a package index."""
    words = [rf"/{'work'}/", re.escape(f"{Path.home()}/"), "pythonhosted", "npmjs"]
    host = socket.gethostname()
    if len(host) > 8:
        words.append(re.escape(host))
    pattern = re.compile("|".join(words))
    for path in tracked(need("git")):
        text = path.read_bytes().decode("utf-8", "replace")
        found = pattern.search(text)
        assert found is None or path == Path(__file__), (path, found)


def test_locks_are_hashed_and_name_no_host() -> None:
    """Each requirement has a version and a hash, and no line an address."""
    for path in ROOT.glob("requirements/*.txt"):
        text = path.read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE | re.IGNORECASE)
        for block in filter(str.strip, blocks):
            assert re.match(r"[\w.\[\]-]+==[\w.!+]+ \\\n\s+--hash=sha256:", block), (
                block
            )


def test_ci_runs_what_a_developer_runs() -> None:
    """CI's script can be started and ends with `make check`."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").rstrip().endswith("make check")
