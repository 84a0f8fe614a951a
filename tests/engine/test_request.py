"""Requests as they are built from a method and its arguments."""

import pytest

from patql.catalog.document import Access, Method, Parameter
from patql.engine.request import build


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
