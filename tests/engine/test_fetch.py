"""Reading a resource from servers that change, misbehave, or aren't what the URL promised."""

import msgspec
import pytest
from tests.engine.conftest import NOON, Script
from tests.engine.served import JSON, Answer, Served
from tests.engine.shop import provider

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Response

FIRST = "GET /profile/tokens?page=1&page_size=500"
SECOND = "GET /profile/tokens?page=2&page_size=500"
NOT_FOUND = b'{"errors": [{"reason": "Not found"}]}'


def page(ids: range, pages: int, results: int, version: str | None = None) -> Response:
    """A page of the list, with the list's version where the server is ours."""
    rows = [{"id": n, "label": f"l{n}", "expiry": None} for n in ids]
    body = msgspec.json.encode(
        {"data": rows, "page": 1, "pages": pages, "results": results}
    )
    stamp = [(b"x-patql-list-version", version.encode())] if version else []
    return Response(200, [JSON, *stamp], body)


def ask(
    answers: dict[str, Answer | list[Answer]],
    sql: str = "SELECT count(*), sum(id) FROM linode.profile.tokens",
) -> tuple[list[tuple[object, ...]], list[str]]:
    """The rows, and what was sent for them."""
    served = Served(answers)
    with Session(
        Catalog((builtin("linode"),)), served, ManualClock(NOON), Script()
    ) as session:
        (result,) = session.run(sql)
        return result.rows(), served.sent


@pytest.mark.parametrize("version", ["7-4", None])
def test_all_pages_are_read(version: str | None) -> None:
    """However many pages there are."""
    answers: dict[str, Answer | list[Answer]] = {
        FIRST: page(range(1, 3), 2, 4, version),
        SECOND: page(range(3, 5), 2, 4, version),
    }
    assert ask(answers) == ([(4, 10)], [FIRST, SECOND])


CHANGES: dict[str, tuple[list[Answer], list[Answer]]] = {
    "the version differs": (
        [page(range(1, 3), 2, 4, "7-4"), page(range(1, 3), 2, 4, "8-4")],
        [page(range(3, 5), 2, 4, "8-4")],
    ),
    "the number of results differs": (
        [page(range(1, 3), 2, 4), page(range(1, 3), 2, 3)],
        [page(range(3, 4), 2, 3)],
    ),
    "a row stands on two pages": (
        [page(range(1, 3), 2, 4)],
        [page(range(2, 4), 2, 4), page(range(3, 5), 2, 4)],
    ),
    "a page is short": (
        [page(range(1, 3), 2, 4)],
        [page(range(3, 4), 2, 4), page(range(3, 5), 2, 4)],
    ),
    "the last page is gone": (
        [page(range(1, 3), 2, 3), page(range(1, 3), 1, 2)],
        [(404, NOT_FOUND)],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_list_is_read_again(change: str) -> None:
    """Pages of two snapshots are never stitched together."""
    first, second = CHANGES[change]
    rows, sent = ask({FIRST: first, SECOND: second})
    last = first[-1]
    assert isinstance(last, Response)
    assert rows[0][0] == msgspec.json.decode(last.body)["results"]
    assert sent.count(FIRST) == 2


def test_list_that_never_stands_still_is_refused() -> None:
    """After three attempts the answer is a sentence, not rows."""
    answers: dict[str, Answer | list[Answer]] = {
        FIRST: page(range(1, 3), 2, 4, "7-4"),
        SECOND: page(range(3, 5), 2, 4, "8-4"),
    }
    with pytest.raises(PatqlError, match="changed while it was read") as refused:
        ask(answers)
    assert refused.value.code is Code.PAGES_CHANGED


ONE = "SELECT id, expiry FROM linode.profile.tokens WHERE tokenId = 3"


def test_missing_row_is_no_row() -> None:
    """The API's own words for a row that isn't there."""
    assert ask({"GET /profile/tokens/3": (404, NOT_FOUND)}, ONE)[0] == []


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, [(b"content-type", b"text/html")], b"<h1>Not Found</h1>"),
        Response(404, [(b"content-type", b"text/html")], NOT_FOUND),
        (404, b'{"message": "Not Found"}'),
        (404, b'{"errors": [{"reason": "Unknown path /profile/tokens/3"}]}'),
        (404, b'{"errors": []}'),
        (404, b""),
    ],
)
def test_other_404_is_an_error_that_names_the_url(answer: Answer) -> None:
    """A proxy or a wrong base URL says nothing about the row."""
    with pytest.raises(
        PatqlError, match=r"https://api\.example\.com/v4/profile/tokens/3"
    ) as error:
        ask({"GET /profile/tokens/3": answer}, ONE)
    assert error.value.code is Code.SERVER_REFUSED


def test_404_of_a_list_is_an_error() -> None:
    """Not an empty list."""
    with pytest.raises(PatqlError, match="Not found"):
        ask({FIRST: (404, NOT_FOUND)})


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502, 503])
def test_failing_page_fails_the_statement(status: int) -> None:
    """Rows of the pages before it aren't an answer."""
    answers: dict[str, Answer | list[Answer]] = {
        FIRST: page(range(1, 3), 2, 4, "7-4"),
        SECOND: (status, b'{"errors": [{"reason": "because", "field": "page"}]}'),
    }
    with pytest.raises(PatqlError, match=rf"page=2.* answered {status}: page: because"):
        ask(answers)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"",
        b'{"results": 0}',
        b'{"data": null}',
        b'{"data": {"id": 1}, "pages": 1, "results": 1}',
        b'{"data": [1], "pages": 1, "results": 1}',
        b'{"data": [{"id": 1}], "results": 1}',
        b'{"data": [{"id": 1}], "pages": "many"}',
    ],
)
def test_answer_that_the_document_does_not_describe(body: bytes) -> None:
    """Never rows that were guessed."""
    with pytest.raises(PatqlError) as error:
        ask({FIRST: (200, body)})
    assert error.value.code is Code.BAD_RESPONSE


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2999-12-12T05:00:00", None),
        ("2226-06-15T12:00:00", None),
        ("2126-06-15T00:00:00", "2126-06-15T00:00:00"),
        ("2027-01-01T00:00:00", "2027-01-01T00:00:00"),
        (None, None),
    ],
)
def test_never(sent: str | None, read: str | None) -> None:
    """A date that stands for never is NULL in SELECT, and as it was sent in EXEC."""
    body = msgspec.json.encode({"id": 3, "expiry": sent})
    answers: dict[str, Answer | list[Answer]] = {"GET /profile/tokens/3": (200, body)}
    assert ask(answers, ONE)[0] == [(3, read)]
    null = f"{ONE} AND expiry IS NULL"
    assert ask(answers, null)[0] == ([(3, None)] if read is None else [])
    raw = "EXEC linode.profile.tokens._getPersonalAccessToken @tokenId = 3"
    assert ask(answers, raw)[0][0][2] == sent


def test_unknown_properties_and_missing_ones() -> None:
    """Servers add properties; one that is left out is NULL."""
    body = b'{"id": 3, "colour": "red", "label": "x"}'
    sql = "SELECT * FROM linode.profile.tokens WHERE id = 3"
    assert ask({"GET /profile/tokens/3": (200, body)}, sql)[0] == [
        (3, None, None, "x", None, None)
    ]


def ask_shop(answers: dict[str, Answer | list[Answer]], sql: str) -> None:
    """Run a query of the shop."""
    catalog = Catalog((provider("acme"),))
    with Session(catalog, Served(answers), ManualClock(NOON), Script()) as session:
        list(session.run(sql))


def test_page_that_names_itself_is_refused() -> None:
    """It would be read without end."""
    body = b'{"data": [{"id": 1}], "links": {"next": "/v4/news?size=2"}}'
    with pytest.raises(PatqlError, match="names itself as the next page") as error:
        ask_shop({"GET /news?size=2": (200, body)}, "SELECT id FROM acme.shop.news")
    assert error.value.code is Code.BAD_RESPONSE


def test_page_that_is_missing_after_others_is_an_error() -> None:
    """Of one of several values too: its rows so far aren't an answer."""
    following = [(b"link", b'</v4/orgs/a/repos?cursor=2>; rel="next"')]
    answers: dict[str, Answer | list[Answer]] = {
        "GET /orgs/a/repos": Response(200, [JSON, *following], b'[{"name": "x"}]'),
        "GET /orgs/a/repos?cursor=2": (404, NOT_FOUND),
        "GET /orgs/b/repos": (404, NOT_FOUND),
    }
    with pytest.raises(PatqlError, match=r"answered 404|changed while it was read"):
        ask_shop(answers, "SELECT name FROM acme.shop.repos WHERE org IN ('a', 'b')")
