"""What README and the quick start say was run: it is run here too."""

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from patql.config import SETTINGS
from patql.faces.console import demo

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PRODUCT = (ROOT / "examples" / "product.py").read_text("utf-8")
QUICK_START = (ROOT / "docs" / "quick-start.md").read_text("utf-8")
EMBEDDED = (
    "Without a server",
    "Questions of tokens",
    "Many at once",
    "Several tables at once",
    "Files in and out",
    "Changes",
    "Before it happens",
    "Variables",
    "Long lists, slow servers",
    "Results",
    "What is refused",
    "Everybody's tokens",
)
"""The parts of the quick start that ask the embedded authority."""


def test_first_door() -> None:
    """It is the end of the example product, which a test of its own runs."""
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert PRODUCT.endswith(f"\n\n\n{block}")


def test_python_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick start's session, on an embedded authority of its own."""
    (block,) = re.findall(r"```python\n(.*?)```", QUICK_START, re.DOTALL)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("PATQL_DATA_DIR", str(tmp_path))
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(block, {})
    assert told.getvalue() == "[(1, 'root')]\n"


STOP = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


class Shell:
    """Runs commands in a folder, where `patql` is this one, with an embedded authority of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = {setting.variable for setting in SETTINGS}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        python = os.pathsep.join(part for part in sys.path if part)
        command = folder / "bin" / "patql"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m patql "$@"\n')
        command.chmod(0o755)
        self._env = {
            **kept,
            "PATQL_DATA_DIR": str(folder / "data"),
            "PYTHONPATH": python,
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])

    def run(self, script: str, typed: str = "") -> str:
        """What it printed; the server that it left is stopped, and its port is a free one."""
        ran = subprocess.run(
            ["bash", "-euc", STOP + script.replace("8080", self._port)],
            env=self._env,
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, f"{script}: {ran.stderr}"
        return ran.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)


@pytest.mark.slow
def test_second_door(shell: Shell) -> None:
    """The commands, one after the other, as they stand there."""
    block, _ = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert len(block.strip().splitlines()) <= 5
    told = shell.run(block)
    assert "label  scopes\n-----  ------\nroot   *\n" in told
    assert not (shell.folder / "data").exists()


def commands(heading: str) -> list[str]:
    """The commands of a part of the quick start."""
    return [command for command, _ in steps(heading)]


def steps(heading: str, page: str = QUICK_START) -> Iterator[tuple[str, str]]:
    """The commands of a part of a page, each with what it is shown to print; empty where that isn't shown."""
    part = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = r"^    ((?:patql|printf) .*)$|^\$ (.*)\n((?:(?!\$ |```).*\n)*)"
    for plain, shown, printed in re.findall(found, part, re.MULTILINE):
        yield plain or shown, printed


def usual(text: str) -> str:
    """A text without what differs from run to run: secrets, times and versions."""
    text = re.sub(r"pql_\w+", lambda found: "pql_".ljust(len(found[0]), "_"), text)
    text = re.sub(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?", "MOMENT", text)
    return re.sub(r"patql/[\d.]+", "patql/VERSION", text)


def check_shown(shell: Shell, each: Iterable[tuple[str, str]]) -> None:
    """Run commands, which print what is shown."""
    for command, shown in each:
        printed = shell.run(f"{command} 2>&1" + " || true" * ("error[" in shown))
        assert not shown or usual(printed).strip() == usual(shown).strip(), command


@pytest.mark.slow
def test_all_of_sql(shell: Shell) -> None:
    """README's statements over a file print what it shows, once there is an embedded authority."""
    shell.run("patql 'FROM linode.profile.profile'")
    each = list(steps("All of SQL", README))
    assert [bool(shown) for _, shown in each] == [False, True, True]
    check_shown(shell, each)


@pytest.mark.slow
def test_quick_start_statements(shell: Shell) -> None:
    """Each statement of the quick start runs, in its order, on one embedded authority, and prints what is shown."""
    each = [step for part in EMBEDDED for step in steps(part)]
    assert len(each) >= 24
    check_shown(shell, each)
    assert (shell.folder / "tokens.csv").stat().st_mode & 0o777 == 0o600
    assert len((shell.folder / "ci.token").read_text().strip()) == 65
    assert (shell.folder / "tokens.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.slow
def test_quick_start_server(shell: Shell) -> None:
    """A server's first token, made, stored and used."""
    make, serve, store, use = commands("With a server")
    shell.run(make)
    typed = (shell.folder / "root.token").read_text()
    told = shell.run(f"{serve} <&- & sleep 2\n{store}\n{use}", typed)
    assert re.search(r"^ 1 .* root +\* +pql_\w{12}$", told, re.MULTILINE)


class Heard:
    """A sink that keeps what comes."""

    terminal = False

    def __init__(self) -> None:
        self.text = ""

    def write(self, piece: str | bytes) -> None:
        """Keep it."""
        assert isinstance(piece, str)
        self.text += piece

    def settle(self) -> None:
        """It is here."""

    def close(self) -> None:
        """Nothing is open."""


def test_shown_output() -> None:
    """README shows what `make demo` prints; only secrets and times differ from run to run."""
    heard = Heard()
    demo.run({"HOME": os.environ.get("HOME", "/")}, heard)
    shown, _ = re.findall(r"```text\n(.*?)```", README, re.DOTALL)

    printed = usual(heard.text).strip().split("\n\n")
    parts = usual(shown).strip().split("\n\n")
    assert len(parts) == 4
    assert [part for part in printed if part in parts] == parts


def test_seven_methods() -> None:
    """README's table names the document's methods, in its order."""
    from patql.catalog.load import builtin
    from patql.catalog.names import Catalog

    tokens = Catalog((builtin("linode"),)).resource("linode", "profile", "tokens")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (?:`(\w+)`)? ?\|", README, re.MULTILINE)
    assert rows == [
        (m.name, m.access.value, ",".join(m.required)) for m in tokens.methods
    ]
