"""The documents of others from end to end: the command line, over servers made from them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.mock.server import MockServer
from tests.mock.test_mock import FOLDERS, SETS

from patql.catalog.load import from_folder
from patql.rest.credentials import Credentials

pytestmark = [
    pytest.mark.skipif(
        not SETS.exists(), reason="no provider documents of others beside the checkout"
    ),
    pytest.mark.slow,
]

TOKEN = "t" * 64
DIRECTORIES = [f"--provider-dir={name}={folder}" for name, folder in FOLDERS.items()]


class Site:
    """The servers of all documents, and a data folder with a token for each."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._data = folder
        self.servers = {
            name: stack.enter_context(
                MockServer(from_folder(name, at, folder / "documents"), at, seed=5)
            )
            for name, at in FOLDERS.items()
        }
        with Credentials(folder).edit() as tokens:
            tokens |= dict.fromkeys((s.url for s in self.servers.values()), TOKEN)

    @property
    def urls(self) -> list[str]:
        """Where a person says that requests go."""
        return [f"--provider-url={n}={s.url}" for n, s in self.servers.items()]

    def run(
        self, sql: str, *options: str, python: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """What the command line makes of statements."""
        known = {k: v for k, v in os.environ.items() if not k.endswith("_TOKEN")}
        return subprocess.run(
            [sys.executable, *python, "-m", "patql", *DIRECTORIES, *options, sql],
            env={**known, "PATQL_DATA_DIR": str(self._data)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a statement that succeeds."""
        done = self.run(sql, *self.urls, "--output=jsonl")
        assert done.returncode == 0, done.stderr
        return list(map(json.loads, done.stdout.splitlines()))

    def listed(self, provider: str, path: str) -> list[dict[str, Any]]:
        """The rows of a list as its server has them."""
        server = self.servers[provider]
        methods = (
            m
            for s in server.provider.services
            for r in s.resources
            for m in r.methods
            if (m.verb, m.path) == ("GET", path)
        )
        return server.rows(next(methods), {})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All four sets of documents, two of which call themselves `linode`."""
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("data"), stack)


def test_selects(site: Site) -> None:
    """Lists, and rows by their key, of documents that share a name, with the credential that belongs to each."""
    new, old = (site.listed(name, "/profile/tokens") for name in ("new", "old"))
    assert new
    assert old
    found = site.rows("SELECT id FROM new.profile.personal_access_tokens ORDER BY id")
    assert [row["id"] for row in found] == [row["id"] for row in new]
    wanted = old[-1]["id"]
    (row,) = site.rows(f"SELECT * FROM old.profile.tokens WHERE tokenId = {wanted}")
    assert row["id"] == wanted
    assert site.servers["old"].requests[-1] == f"/v4/profile/tokens/{wanted}"
    assert site.servers["old"].credentials == {f"Bearer {TOKEN}"}


def test_join_of_providers(site: Site) -> None:
    """The rows of one give the parameters of the other."""
    servers = site.servers["old"].requests
    servers.clear()
    sql = (
        "SELECT t.id FROM old.profile.tokens t JOIN"
        " (SELECT id AS wanted FROM ocean.droplets.droplets WHERE id = 1) d ON t.tokenId = d.wanted"
    )
    assert site.rows(sql) == [{"id": 1}]
    assert servers == ["/v4/profile/tokens/1"]


def test_what_there_is(site: Site) -> None:
    """SHOW and DESCRIBE, of services that are missing too; nothing is asked for that."""
    before = [len(server.requests) for server in site.servers.values()]
    names = [row["name"] for row in site.rows("SHOW PROVIDERS")]
    assert names == ["linode", *FOLDERS, "patql"]
    services = {
        row["name"]: row["title"] for row in site.rows("SHOW SERVICES IN ocean")
    }
    assert services["account"].startswith("missing: its document")
    assert not services["droplets"].startswith("missing")
    assert site.rows("SHOW METHODS IN old.profile.tokens LIKE 'getPersonalAccessToken'")
    columns = site.rows("DESCRIBE new.profile.personal_access_tokens")
    assert {"name": "id", "type": "integer"} in columns
    asked = [len(server.requests) for server in site.servers.values()]
    assert asked == before


def test_warnings_are_a_handful(site: Site) -> None:
    """A few lines for each provider; all of them on demand."""
    done = site.run("SELECT 1", *site.urls)
    lines = done.stderr.splitlines()
    assert lines
    assert len(lines) <= 5 * len(FOLDERS)
    assert all(line.startswith("note: ") for line in lines)
    shown = site.rows("SHOW EXTENDED PROVIDERS LIKE 'github'")
    assert "28 of 33 services can't be used" in shown[0]["warnings"]
    assert "GraphQL" in shown[0]["warnings"]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (
            "SELECT * FROM github.scim.saml_ids WHERE org = 'x'",
            "GraphQL isn't supported",
        ),
        (
            "SELECT * FROM new.regions.availability WHERE regionId = 'x'",
            "can't be called",
        ),
        ("SELECT * FROM ocean.account.account", "is absent"),
        ("SELECT * FROM ocean.acount.account", "no service `acount`"),
        ("SELECT nothing FROM old.profile.tokens", "no column nothing"),
    ],
)
def test_what_can_not_be_done(site: Site, sql: str, says: str) -> None:
    """One sentence, and an exit code."""
    done = site.run(sql, *site.urls)
    assert done.returncode != 0
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_credential_goes_where_a_person_says(site: Site) -> None:
    """Without that, the statement says what to write, and nothing is sent."""
    done = site.run("SELECT * FROM old.profile.tokens", "--output=jsonl")
    assert done.returncode != 0
    assert "--provider-url old=https://api.linode.com" in done.stderr
    done = site.run(
        "SELECT * FROM old.profile.tokens", "--provider-url=old=http://127.0.0.1:9"
    )
    assert "LINODE_TOKEN belongs elsewhere" in done.stderr


def test_documents_are_parsed_once(site: Site) -> None:
    """The second run takes what the first one compiled, and needs no YAML."""
    assert site.run("SELECT 1", *site.urls).returncode == 0
    done = site.run("SELECT 1", *site.urls, python=("-X", "importtime"))
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "patql.catalog.cache" in imported
    assert "yaml" not in imported
