"""Where a list goes on: what pages say of the next, in every form that they may, and what they can't bring about."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.catalog.document import Cursor
from patql.engine.pages import check_moved, next_request
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response

LINK = Cursor("link", "header", "link")
URL = Cursor("url", "body", "next")
BASE = "https://api.example.com/v4"
FIRST = Request("GET", "/notes", "size=2", [(b"authorization", b"x")])


def following(
    cursor: Cursor,
    response: Response,
    found: str | int | None = None,
    base: str = BASE,
    last: Request = FIRST,
) -> str | None:
    """The next request as the path and query that it asks for, with the base where it has one of its own."""
    request = next_request(cursor, FIRST, last, response, found, base)
    if request is None:
        return None
    assert request.method == "GET"
    assert request.headers == FIRST.headers
    query = f"?{request.query}" if request.query else ""
    return f"{request.base or ''}{request.path}{query}"


LINKS: list[tuple[str, str | None]] = [
    ('<https://api.example.com/v4/notes?c=2>; rel="next"', "/notes?c=2"),
    ("<https://api.example.com/v4/notes?c=2>;rel=next", "/notes?c=2"),
    ('<https://api.example.com/v4/notes?c=2> ; REL = "Next"', "/notes?c=2"),
    ('</v4/notes?c=1>; rel="prev", </v4/notes?c=2>; rel="next"', "/notes?c=2"),
    ('</v4/notes?c=2>; rel="next", </v4/notes?c=9>; rel="last"', "/notes?c=2"),
    ('</v4/notes?c=2>; rel="last next"', "/notes?c=2"),
    ('</v4/notes?c=2>; title="a, b; c"; rel="next"', "/notes?c=2"),
    ('</v4/notes?c=1>; title="<x>; rel=next"; rel="prev"', None),
    ("</v4/notes?c=2>; rel=\"next\"; title*=UTF-8''%e2%82%ac", "/notes?c=2"),
    ('</v4/notes?c=2>; crossorigin; rel="next"', "/notes?c=2"),
    ('</v4/notes?c=a,b;c>; rel="next"', "/notes?c=a,b;c"),
    ('</v4/notes?c=2>; title="\\"; rel=prev"; rel="next"', "/notes?c=2"),
    ("<?c=2>; rel=next", "/notes?c=2"),
    ("<notes?c=2>; rel=next", "/notes?c=2"),
    ("<../v4/other>; rel=next", "/other"),
    ("<>; rel=next", None),
    ('</v4/notes?c=2>; rel="nextish"', None),
    ('</v4/notes?c=2>; rel="prev"; rel="next"', None),
    ('</v4/notes?c=2>; rev="next"', None),
    ("</v4/notes?c=2>", None),
    ("rel=next", None),
    ("", None),
    ("<", None),
]


@pytest.mark.parametrize(("header", "target"), LINKS)
def test_link_header(header: str, target: str | None) -> None:
    """RFC 8288, section 3: any relation of several, parameters in any order, the first `rel` of a link only."""
    response = Response(200, [(b"link", header.encode())])
    assert following(LINK, response) == target


def test_without_a_header_the_list_ends() -> None:
    """There is nothing to go on with."""
    assert following(LINK, Response(200, [])) is None


@pytest.mark.parametrize(
    ("url", "base", "target"),
    [
        ("https://api.example.com/v4/notes?c=2", BASE, "/notes?c=2"),
        ("/v4/notes?c=2", BASE, "/notes?c=2"),
        ("?c=2", BASE, "/notes?c=2"),
        # beside the base's path, but on its server
        ("/v5/notes?c=2", BASE, "https://api.example.com/v5/notes?c=2"),
        ("/v4notes", BASE, "https://api.example.com/v4notes"),
        # on another server: only what comes after the host is taken
        ("https://evil.example/v4/notes?c=2", BASE, "/notes?c=2"),
        ("//evil.example/v4/notes?c=2", BASE, "/notes?c=2"),
        ("http://api.example.com:1/v4/notes?c=2", BASE, "/notes?c=2"),
        ("https://u:p@evil.example/x", BASE, "https://api.example.com/x"),
        ("https://evil.example", BASE, "https://api.example.com/"),
        ("x:.evil.example/y", BASE, "https://api.example.com/.evil.example/y"),
        ("x:@evil.example/y", BASE, "https://api.example.com/@evil.example/y"),
        # a base without a path
        ("/notes?c=2", "https://api.example.com", "/notes?c=2"),
        ("https://other.example/notes?c=2#x", "https://api.example.com", "/notes?c=2"),
        ("/notes?c=2", "", "/notes?c=2"),
        # what is encoded stays so
        ("/v4/notes/a%2Fb?c=%20%3D", BASE, "/notes/a%2Fb?c=%20%3D"),
    ],
)
def test_urls_stay_on_the_server(url: str, base: str, target: str) -> None:
    """Whatever host they name."""
    assert following(URL, Response(200, []), url, base) == target


@pytest.mark.parametrize("url", ["http://[", "//[::1", "http://[x]/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """It is told what the server said."""
    with pytest.raises(PatqlError, match="which is no URL") as error:
        following(URL, Response(200, []), url)
    assert error.value.code is Code.BAD_RESPONSE


@pytest.mark.parametrize("found", [None, ""])
def test_the_list_ends_where_nothing_is_found(found: str | None) -> None:
    """Neither null nor empty text is a page."""
    for cursor in (URL, Cursor("token", "body", "next", "cursor")):
        assert following(cursor, Response(200, []), found) is None


def test_token_in_the_query() -> None:
    """Beside what the first request asks for, and not beside the token before."""
    cursor = Cursor("token", "body", "next", "cursor")
    last = Request("GET", "/notes", "size=2&cursor=old", FIRST.headers)
    found = following(cursor, Response(200, []), "a b&c=d", last=last)
    assert found == "/notes?size=2&cursor=a%20b%26c%3Dd"
    assert following(cursor, Response(200, []), 17) == "/notes?size=2&cursor=17"
    assert following(cursor, Response(200, []), 0) == "/notes?size=2&cursor=0"


def test_token_in_a_header_and_in_the_body() -> None:
    """As the document says, and its own header is where it is found."""
    response = Response(200, [(b"x-next", b"t2")])
    header = Cursor("token", "header", "X-Next", "X-From", "header")
    request = next_request(header, FIRST, FIRST, response, None, BASE)
    assert request is not None
    assert request.headers == [*FIRST.headers, (b"x-from", b"t2")]
    body = Cursor("token", "body", "next", "from", "body")
    first = Request("POST", "/search", body=b'{"q": "x"}')
    request = next_request(body, first, first, response, "t2", BASE)
    assert request is not None
    assert msgspec.json.decode(request.body) == {"q": "x", "from": "t2"}
    bare = Request("POST", "/search")
    request = next_request(body, bare, bare, response, "t2", BASE)
    assert request is not None
    assert msgspec.json.decode(request.body) == {"from": "t2"}


def test_page_that_names_itself_is_refused() -> None:
    """It would be read without end."""
    with pytest.raises(PatqlError, match="names itself") as error:
        check_moved(FIRST, FIRST, "GET /notes")
    assert error.value.code is Code.BAD_RESPONSE
    check_moved(FIRST, Request("GET", "/notes", "size=2&c=1"), "GET /notes")


@given(header=st.text(st.sampled_from('<>;,="\\ relnxt/?'), max_size=60))
def test_any_link_header_is_read(header: str) -> None:
    """Servers send what they like: it names a page of the same server, or none."""
    response = Response(200, [(b"link", header.encode())])
    found = following(LINK, response)
    assert found is None or found.startswith(("/", "https://api.example.com/"))


@given(url=st.text(st.sampled_from("ht:/@?#.\\[]%2Fabc"), min_size=1, max_size=30))
def test_any_url_stays_on_the_server(url: str) -> None:
    """Or is refused in a sentence."""
    try:
        found = following(URL, Response(200, []), url)
    except PatqlError as error:
        assert error.code is Code.BAD_RESPONSE  # noqa: PT017  (either will do)
    else:
        assert found is not None
        assert found.startswith(("/", "https://api.example.com/"))
