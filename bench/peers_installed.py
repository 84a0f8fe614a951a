"""The peers, installed: Python packages in an environment of their own, and Node packages in a folder; made once."""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from bench.serving import CACHE, ROOT

SOURCES = ROOT / "bench" / "peers"


def python() -> Path:
    """The interpreter of an environment with `requirements.txt`."""
    wanted = SOURCES / "requirements.txt"
    folder = _folder(wanted)
    interpreter = folder / "bin" / "python"
    if not _is_made(folder):
        _run(sys.executable, "-m", "venv", folder)
        _run(interpreter, "-m", "pip", "install", "--quiet", "-r", wanted)
        _made(folder)
    return interpreter


def node() -> Path:
    """A folder with the packages of `package.json`, in which `better_auth.mjs` can be run."""
    wanted = SOURCES / "package.json"
    folder = _folder(wanted)
    if not _is_made(folder):
        folder.mkdir(parents=True)
        shutil.copy(wanted, folder)
        # Their demands on each other contradict.
        _run(
            "npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund",
            "--no-package-lock", "--silent", "--prefix", folder,
        )  # fmt: skip
        _made(folder)
    shutil.copy(SOURCES / "better_auth.mjs", folder)
    return folder


def _folder(wanted: Path) -> Path:
    """Where they are: another folder for other versions."""
    return CACHE / f"{wanted.stem}-{sha256(wanted.read_bytes()).hexdigest()[:12]}"


def _is_made(folder: Path) -> bool:
    """Whether it was made to its end; what is left of another time is dropped."""
    if (folder / "made").exists():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _made(folder: Path) -> None:
    (folder / "made").touch()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)
