"""Requests as they are built from a method and its arguments."""

import pytest
from tests.engine.served import Served

from patql.catalog.document import Access, Method, Parameter
from patql.engine.request import build, refuse
from patql.kernel.errors import ServerRefusedError
from patql.kernel.http import Headers, Request, Response


@pytest.mark.parametrize(
    ("segments", "given", "path"),
    [
        (False, "docs/a b.md", "/contents/docs%2Fa%20b.md"),
        (True, "docs/a b.md", "/contents/docs/a%20b.md"),
        (True, "docs?x=1#y%2F", "/contents/docs%3Fx%3D1%23y%252F"),
    ],
)
def test_slashes_in_a_path(*, segments: bool, given: str, path: str) -> None:
    """They part segments where the document says so, and nowhere else."""
    parameter = Parameter("at", "path", "string", required=True, segments=segments)
    method = Method(
        "get", Access.SELECT, "get", "GET", "/contents/{at}", "", (parameter,)
    )
    assert build(method, {"at": given}).path == path


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (
            301,
            [(b"location", b"https://b.example/v4/x")],
            b"",
            "it points to https://b.example/v4/x, and redirects aren't followed",
        ),
        (302, [(b"location", b"/" + b"x" * 9_000)], b"", "it points to /x"),
        (302, [(b"location", b"/x")], b'{"errors": [{"reason": "moved"}]}', "moved"),
        (304, [], b"", "no reason given"),
        (500, [(b"location", b"/x")], b"", "no reason given"),
    ],
)
def test_what_a_server_said(
    status: int, headers: Headers, body: bytes, says: str
) -> None:
    """Its own words; else, of a redirect, where it points."""
    response = Response(status, headers, body)
    with pytest.raises(ServerRefusedError) as caught:
        refuse(Served({}), Request("GET", "/x"), response)
    assert str(caught.value).startswith(
        f"GET https://api.example.com/v4/x answered {status}: {says}"
    )
    assert len(str(caught.value)) < 500
