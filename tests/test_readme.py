"""What README and the quick start say was run: it is run here too."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
QUICK_START = (ROOT / "docs" / "quick-start.md").read_text("utf-8")


def test_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first door, as it stands there."""
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(
            block
            + "\nprint(bool(authority.verify(issued.secret)))\nauthority.close()\n",
            names,
        )
    assert told.getvalue() == "ada\nFalse\n"


COMMANDS = [
    line.strip()
    for line in QUICK_START.splitlines()
    if line.startswith("    patql ") and "serve" not in line and "init" not in line
]


@pytest.mark.slow
def test_quick_start_statements(tmp_path: Path) -> None:
    """Each statement of the quick start runs, in its order, on one embedded authority."""
    path = os.pathsep.join(part for part in sys.path if part)
    env = {**os.environ, "PATQL_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": path}
    assert len(COMMANDS) >= 8
    for command in COMMANDS:
        arguments = shlex.split(command)[1:]
        ran = subprocess.run(
            [sys.executable, "-m", "patql", *arguments],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
    assert (tmp_path / "tokens.csv").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "ci.token").read_text().strip()) == 65


def test_seven_methods() -> None:
    """README's table names the document's methods, in its order."""
    from patql.catalog.load import builtin
    from patql.catalog.names import Catalog

    tokens = Catalog((builtin("linode"),)).resource("linode", "profile", "tokens")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (?:`(\w+)`)? ?\|", README, re.MULTILINE)
    assert rows == [
        (m.name, m.access.value, ",".join(m.required)) for m in tokens.methods
    ]
