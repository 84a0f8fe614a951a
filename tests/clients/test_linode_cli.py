"""Linode's command line, unmodified, against a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Served

from patql.authority.authority import Authority

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]
NO_SCOPE = "Your OAuth token is not authorized to use this endpoint."


@pytest.fixture
def run(server: Served, secret: str, tmp_path: Path, need: Callable[..., str]) -> Run:
    """Runs `linode-cli profile`, or another of its commands, with a token (default: one with every scope)."""
    program = need("linode-cli", str(Path(sys.executable).parent / "linode-cli"))

    def call(
        *arguments: str, token: str = secret, command: str = "profile"
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LINODE_CLI_TOKEN": token,
            "LINODE_CLI_API_HOST": f"127.0.0.1:{server.port}",
            "LINODE_CLI_API_SCHEME": "http",
            "LINODE_CLI_API_VERSION": "v4",
        }
        return subprocess.run(
            [program, command, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return call


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What `--json` printed."""
    assert done.returncode == 0, done.stderr
    assert "comparing local version" not in done.stderr
    printed: list[dict[str, Any]] = json.loads(done.stdout)
    return printed


def labels(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The labels that `--json` printed."""
    return [row["label"] for row in rows(done)]


def test_life_of_a_token(run: Run) -> None:
    """A token is created, listed, viewed, renamed and revoked."""
    (made,) = rows(
        run("token-create", "--json", "--label", "cli", "--scopes",
            "linodes:read_only account:read_write", "--expiry", "2040-01-02T03:04:05")
    )  # fmt: skip
    number = str(made["id"])
    assert len(made["token"]) > 60
    assert made["scopes"] == "linodes:read_only account:read_write"
    assert made["expiry"] == "2040-01-02T03:04:05"
    assert labels(run("tokens-list", "--json")) == ["root", "cli"]
    (seen,) = rows(run("token-view", number, "--json"))
    assert seen == {**made, "token": made["token"][:16]}
    (renamed,) = rows(run("token-update", number, "--label", "cli-2", "--json"))
    assert renamed == {**seen, "label": "cli-2"}
    assert run("token-delete", number).returncode == 0
    gone = run("token-view", number)
    assert gone.returncode == 2
    assert "Not found" in gone.stderr
    refused = run("tokens-list", token=made["token"])
    assert refused.returncode == 2
    assert "401" in refused.stderr
    assert "Invalid Token" in refused.stderr


def test_expiry_null(run: Run) -> None:
    """`--expiry null` makes a token without an end."""
    (made,) = rows(run("token-create", "--json", "--label", "x", "--expiry", "null"))
    assert made["expiry"] is None
    table = run("tokens-list", "--text")
    assert table.returncode == 0
    assert "root" in table.stdout


def test_filters(run: Run, authority: Authority, user: str) -> None:
    """Each shape of filter that the command line sends selects and sorts."""
    for label in ("b", "a", "a"):
        authority.issue(user, label=label)
    lists = {
        ("--label", "a"): ["a", "a"],
        ("--label", "a", "--label", "b"): ["b"],  # it sends the last one
        ("--order-by", "label", "--order", "desc"): ["root", "b", "a", "a"],
        ("--label", "a", "--order-by", "label", "--order", "desc"): ["a", "a"],
        ("--created", "2020-01-01T00:00:00"): [],
        ("--page", "1", "--page-size", "25"): ["root", "b", "a", "a"],
    }
    found = {flags: labels(run("tokens-list", "--json", *flags)) for flags in lists}
    assert found == lists


def test_pages(run: Run, authority: Authority, user: str) -> None:
    """Two hundred and fifty tokens are read at once or in pages."""
    expected = ["root", *(f"n{number}" for number in range(249))]
    for label in expected[1:]:
        authority.issue(user, label=label)
    assert labels(run("tokens-list", "--json", "--all-rows")) == expected
    third = run("tokens-list", "--json", "--page", "3", "--page-size", "100")
    assert labels(third) == expected[200:]
    beyond = run("tokens-list", "--json", "--page", "4", "--page-size", "100")
    assert beyond.returncode == 2
    assert "Not found" in beyond.stderr


def test_self_revocation(run: Run) -> None:
    """A token revokes itself, and is refused from then on."""
    (own,) = rows(run("tokens-list", "--json"))
    assert run("token-delete", str(own["id"])).returncode == 0
    refused = run("tokens-list")
    assert refused.returncode == 2
    assert "Invalid Token" in refused.stderr


def test_refused_tokens(
    run: Run, authority: Authority, expired: Callable[[str], str], user: str
) -> None:
    """Expired and revoked tokens are refused alike, and a lack of scope with Linode's words."""
    revoked = authority.issue(user)
    authority.revoke(user, revoked.token.id)
    for token in (expired(user), revoked.secret.reveal()):
        refused = run("tokens-list", token=token)
        assert refused.returncode == 2
        assert "401" in refused.stderr
        assert "Invalid Token" in refused.stderr
    narrow = authority.issue(user, scopes="linodes:read_only").secret.reveal()
    refused = run("tokens-list", token=narrow)
    assert refused.returncode == 2
    assert NO_SCOPE in " ".join(refused.stderr.replace("│", " ").split())


def test_two_users(run: Run, authority: Authority, user: str) -> None:
    """Nobody sees or revokes another user's token."""
    other = authority.issue(f"not-{user}", label="theirs")
    assert labels(run("tokens-list", "--json")) == ["root"]
    for command in ("token-view", "token-delete"):
        refused = run(command, str(other.token.id))
        assert refused.returncode == 2
        assert "Not found" in refused.stderr
    assert authority.get(f"not-{user}", other.token.id) is not None


def test_problems(run: Run) -> None:
    """Everything wrong with a request is shown, each with its field."""
    refused = run("token-create", "--label", "x" * 101, "--scopes", "nope:read_only")
    assert refused.returncode == 2
    for word in ("label", "Length must be 1-100 characters", "scopes", "Unknown scope"):
        assert word in refused.stderr


def test_profile(run: Run, user: str) -> None:
    """The profile is its user's."""
    (profile,) = rows(run("view", "--json"))
    assert profile["username"] == user


def test_events(run: Run, authority: Authority, user: str) -> None:
    """What happened to tokens is listed, filtered and shown; without the scope, it isn't."""
    token = authority.issue(user, label="ci", scopes="account:read_only")
    authority.revoke(user, token.token.id)
    listed = rows(run("list", "--json", command="events"))
    assert [event["action"] for event in listed] == [
        "token_delete",
        "token_create",
        "token_create",
    ]
    assert listed[0]["entity"]["label"] == "ci"
    assert listed[0]["status"] == "notification"
    deleted = run("list", "--json", "--action", "token_delete", command="events")
    assert rows(deleted) == listed[:1]
    shown = run("view", str(listed[0]["id"]), "--json", command="events")
    assert rows(shown) == listed[:1]
    narrow = authority.issue(user, scopes="account:read_only").secret.reveal()
    refused = run("list", token=narrow, command="events")
    assert refused.returncode == 2
    assert NO_SCOPE in refused.stderr
