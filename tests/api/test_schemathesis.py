"""Requests made from the served document, by schemathesis: no 5xx, and no answer that the document doesn't describe."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Serving

from patql.authority.authority import Authority
from patql.authority.model import Role
from patql.kernel.clock import SystemClock
from patql.store.sqlite import SqliteStore

LONG = os.environ.get("PATQL_LONG") == "1"
OTHERS = 300
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@pytest.mark.slow
def test_any_request(
    serving: Serving, tmp_path: Path, need: Callable[..., str]
) -> None:
    """Any request, valid or not, alone or after others, is answered as the document says."""
    program = need("st", str(Path(sys.executable).parent / "st"))
    config = tmp_path / "schemathesis.toml"
    config.write_text('headers = { Authorization = "Bearer ${TOKEN}" }\n')
    with serving(tmp_path) as served:
        with Authority(SqliteStore(served.database), SystemClock()) as authority:
            for _ in range(
                OTHERS
            ):  # so that the acting token's id isn't one that is tried
                authority.issue("alice")
            authority.admin.change("alice", role=Role.ADMIN)
            secret = authority.issue("alice").secret.reveal()
        document = served.url.removesuffix("/v4") + "/openapi.json"
        done = subprocess.run(
            [program, f"--config-file={config}", "run", document, f"--url={served.url}",
             f"--checks={','.join(CHECKS)}", f"--max-examples={500 if LONG else 30}",
             "--generation-database=none", "--continue-on-failure", "--no-color"],
            cwd=tmp_path, env={**os.environ, "TOKEN": secret},
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        log = served.written()
    assert done.returncode == 0, done.stdout.replace(secret, "…") + done.stderr
    assert "Traceback" not in log
    assert secret not in log
