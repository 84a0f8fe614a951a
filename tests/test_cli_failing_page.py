"""The command line over a list that fails before its last page: no row of it is printed or kept."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from patql import cli
from patql.faces.console.deliver import PARQUET
from patql.faces.console.render import FORMATS

PAGES, ROWS = 4, 500


class Failing(BaseHTTPRequestHandler):
    """A list whose last page but one fails."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A page."""
        number = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
        ids = range((number - 1) * ROWS + 1, number * ROWS + 1)
        told = {"page": number, "pages": PAGES, "results": PAGES * ROWS}
        content: dict[str, object] = {
            "data": [{"id": n, "label": f"l{n}"} for n in ids],
            **told,
        }
        if number == PAGES - 1:
            content = {"errors": [{"reason": "boom"}]}
        body = json.dumps(content).encode()
        self.send_response(500 if number == PAGES - 1 else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v4"
        server.shutdown()


@pytest.mark.parametrize("where", ["", "WHERE length(label) > 1"])
@pytest.mark.parametrize("kept", [False, True], ids=["printed", "kept"])
@pytest.mark.parametrize("form", [*FORMATS, PARQUET])
def test_nothing_of_it_is_written(
    url: str,
    form: str,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    kept: bool,
) -> None:
    """Whatever the format, and whether the relational engine is asked; a file keeps what it had."""
    monkeypatch.setenv("PATQL_TOKEN", "pql_" + "x" * 66)
    monkeypatch.setenv("PATQL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PATQL_URL", raising=False)
    out = tmp_path / "out"
    out.write_text("as before")
    options = ["--out", str(out)] if kept else []
    sql = f"SELECT id FROM linode.profile.tokens {where}"
    assert cli.main(["--url", url, "--output", form, *options, sql]) == 1
    written, told = capfd.readouterr()
    assert written == ""
    assert "answered 500: boom" in told
    assert out.read_text() == "as before"
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "out"}
