"""The requests of cases.yaml, administration.yaml, events.yaml and batches.yaml, each against the same few tokens."""

import re
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import yaml

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.model import Role, Use
from patql.kernel.clock import ManualClock
from patql.kernel.http import Headers, Request
from patql.kernel.secrets import SHOWN

TABLES = ("cases", "administration", "events", "batches")
CASES: list[dict[str, Any]] = [
    case
    for table in TABLES
    for case in yaml.safe_load(Path(__file__).with_name(f"{table}.yaml").read_text())
]
WRONG = "pql_" + "0" * 60


@pytest.fixture
def secrets(authority: Authority, clock: ManualClock) -> dict[str, str]:
    """The tokens that cases.yaml lists, by label; alice is an admin, gina verifies, and sue is suspended."""
    now = int(clock.now())
    authority.add_user("alice")
    issued = [
        authority.issue("alice", label="root"),
        authority.issue("alice", label="reader", scopes="account:read_only"),
        authority.issue(
            "alice", label="ci", scopes="linodes:read_only", expiry=now + 151 * 86400
        ),
        authority.issue("bob", label="bob"),
        authority.issue("alice", label="gone"),
    ]
    authority.revoke("alice", 5)
    clock.advance(-100)
    issued.append(authority.issue("alice", label="late", expiry=now - 50))
    clock.advance(100)
    issued.append(authority.issue("alice", label="nobody", scopes=""))
    authority.add_user("gina", role=Role.VERIFIER)
    issued.append(authority.issue("gina", label="gina"))
    issued.append(authority.issue("sue", label="sue"))
    authority.admin.change("sue", suspended=True)
    authority.use([Use(issued[2].token.shown, now + 60, "192.0.2.7")])
    return {one.token.label: one.secret.reveal() for one in issued} | {"wrong": WRONG}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_request(api: Api, secrets: dict[str, str], case: dict[str, Any]) -> None:
    """The request of a case answers as the case says."""
    response = api.handle(_request(case, secrets))
    assert response.status == case["status"], response.body
    if "errors" in case:
        told = [dict(zip(("reason", "field"), e, strict=False)) for e in case["errors"]]
        assert msgspec.json.decode(response.body) == {"errors": told}
        assert response.header(b"content-type") == b"application/json"
    if "json" in case:
        assert _matches(case["json"], msgspec.json.decode(response.body)), response.body
    for name, value in case.get("sent", {}).items():
        sent = response.header(name.encode())
        assert sent == (None if value is None else value.encode()), name
    assert response.header(b"access-control-allow-origin") == b"*"
    assert response.header(b"vary") == b"Authorization, X-Filter"


def _request(case: dict[str, Any], secrets: dict[str, str]) -> Request:
    method, path = case["request"].split(" ", 1)
    path, _, query = path.partition("?")
    headers: Headers = [
        (name.lower().encode(), value.encode())
        for name, value in case.get("headers", {}).items()
    ]
    acting = case.get("as", "root")
    if acting != "none":
        headers.append((b"authorization", b"Bearer " + secrets[acting].encode()))
    body = b""
    if "body" in case:
        body = msgspec.json.encode(case["body"])
    elif "raw" in case or "hex" in case:
        body = case["raw"].encode() if "raw" in case else bytes.fromhex(case["hex"])
    if body and b"content-type" not in dict(headers):
        headers.append((b"content-type", b"application/json"))
    return Request(method, path, query, headers, body)


def _matches(expected: Any, sent: Any) -> bool:  # noqa: ANN401
    """Whether a JSON value is as expected, keys in the same order."""
    if isinstance(expected, dict):
        return [*expected] == [*sent] and all(
            _matches(value, sent[key])
            for key, value in cast("dict[str, Any]", expected).items()
        )
    if isinstance(expected, list):
        elements = cast("list[object]", expected)
        pairs = zip(elements, sent, strict=False)
        return len(elements) == len(sent) and all(_matches(*pair) for pair in pairs)
    if expected == "<16>":
        return len(sent) == SHOWN
    if expected == "<writer>":
        return re.fullmatch("[0-9a-f]{16}", sent) is not None
    if expected == "<secret>":
        return len(sent) > 2 * SHOWN
    return type(expected) is type(sent) and bool(expected == sent)
