"""What docs/administration.md shows was run: it is run here too, from its beginning to its end, on one authority."""

import re
from pathlib import Path

import pytest
from tests.test_readme import Shell, usual

PAGE = Path(__file__).parent.parent / "docs" / "administration.md"


def sessions() -> list[tuple[str, str]]:
    """Each command of the page, with what it is shown to print."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    shown = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [(command, printed) for command, printed in shown]


@pytest.mark.slow
def test_the_page(tmp_path: Path) -> None:
    """Each command prints what is shown; only secrets, times and folders differ from run to run."""
    shell = Shell(tmp_path)
    each = sessions()
    assert len(each) == 18
    for command, shown in each:
        fails = " || true" if "error[" in shown else ""
        printed = shell.run(f"{{ {command}; }} 2>&1{fails}")
        printed = printed.replace(str(tmp_path / "data"), "DATA")
        assert usual(printed).strip() == usual(shown).strip(), command
    assert re.fullmatch(
        r"(?:[0-9a-f]{16} \d+ [0-9a-f]{64}\n){10}", (tmp_path / "heads").read_text()
    )
