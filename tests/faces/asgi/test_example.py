"""The example product, as a server of its own; and what the documentation shows."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PRODUCT = ROOT / "examples" / "product.py"
PAGE = ROOT / "docs" / "in-your-product.md"
TOKENS = "/api/v4/profile/tokens"


class Browser:
    """Somebody on the product's pages, who keeps the cookie that the product gives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""

    def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """The status and the JSON that come back; a body is sent as JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"Content-Type": "application/json", "Cookie": self.cookie, **headers}
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, sent)
        response = connection.getresponse()
        if given := response.getheader("Set-Cookie"):
            self.cookie = given.partition(";")[0]
        read = json.loads(response.read())
        connection.close()
        return response.status, read


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser, and the product that it looks at."""
    log = tmp_path / "log"
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(PRODUCT.parent)]
    python = os.pathsep.join(str(Path(part).absolute()) for part in sys.path if part)
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [*command, "--port", "0", "product:app"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": python},
            stdout=subprocess.DEVNULL,
            stderr=written,
        ) as server,
    ):
        try:
            yield Browser(port(log, server))
        finally:
            server.terminate()
            server.wait(20)


def port(log: Path, server: subprocess.Popen[bytes]) -> int:
    """Where a server says that it listens."""
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"running on http://127.0.0.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def bearer(token: str) -> dict[str, str]:
    """The header of somebody who has a token and no cookie."""
    return {"Authorization": f"Bearer {token}", "Cookie": ""}


@pytest.mark.slow
def test_product(browser: Browser) -> None:
    """From a login to a token, which reads notes until it is revoked; a narrower one never does."""
    assert browser.send("POST", TOKENS, {})[0] == 401
    assert browser.send("POST", "/login?user=ada")[0] == 200
    wanted = {"label": "ci", "scopes": "notes:read_only"}
    status, made = browser.send("POST", TOKENS, wanted)
    assert status == 200
    assert made["token"].startswith("acme_")
    _, narrow = browser.send("POST", TOKENS, {"scopes": "account:read_only"})
    _, listed = browser.send("GET", TOKENS)
    assert [token["label"] for token in listed["data"]] == ["ci", "token-2"]

    assert browser.send("GET", "/notes", **bearer(made["token"])) == (
        200,
        ["Call Charles"],
    )
    assert browser.send("GET", "/notes", **bearer(narrow["token"]))[0] == 403
    assert browser.send("GET", "/notes")[0] == 401

    one = f"{TOKENS}/{made['id']}"
    elsewhere = {"Origin": "https://evil.example"}
    assert browser.send("DELETE", one, **elsewhere)[0] == 403
    assert browser.send("DELETE", one)[0] == 200
    assert browser.send("GET", "/notes", **bearer(made["token"]))[0] == 401


@pytest.mark.slow
def test_sql(browser: Browser, tmp_path: Path) -> None:
    """The product's tokens are a table where its endpoints are mounted."""
    assert browser.send("POST", "/login?user=grace")[0] == 200
    _, made = browser.send("POST", TOKENS, {"label": "sql"})
    secret = tmp_path / "token"
    secret.touch(0o600)
    secret.write_text(made["token"])
    target = ["--url", f"http://127.0.0.1:{browser.port}/api/v4"]
    sql = "SELECT label, scopes FROM linode.profile.tokens"
    done = subprocess.run(
        [sys.executable, "-m", "patql", *target, "--token-file", secret, sql],
        env={**os.environ, "PATQL_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "label  scopes\n-----  ------\nsql    *\n", done.stderr


def test_length() -> None:
    """The example can be read in a minute."""
    assert len(PRODUCT.read_text("utf-8").splitlines()) < 60


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows runs, one block after the other."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    verdicts: list[tuple[bool, str]] = []
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
        if "verdict" in names:
            verdict = names["authority"].verify(names["secret"])
            verdicts += [(bool(names["verdict"]), names["verdict"].user)]
            assert verdict.reason == "revoked"
    names["authority"].close()
    assert verdicts[0] == (True, "ada")
