"""Reading a long list page by page while it changes: each token that is there throughout is seen exactly once."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.api.conftest import START, Client

from patql.api.api import Api
from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock
from patql.store.sqlite import SqliteStore

COUNT = 100_000 if os.environ.get("PATQL_LONG") == "1" else 4_000
LASTING = 3  # the first of three tokens stays; of the second some are revoked, of the third some expire
VERSION = b"x-patql-list-version"


class Row(msgspec.Struct):
    id: int


class Page(msgspec.Struct):
    data: list[Row]
    pages: int
    results: int


def read(client: Client, number: int, size: int) -> tuple[Page | None, bytes | None]:
    """A page, None past the end, and the list's version."""
    path = f"/v4/profile/tokens?page={number}&page_size={size}"
    response = client.get(path)
    if response.status == 404:
        return None, None
    assert response.status == 200
    page = msgspec.json.decode(response.body, type=Page)
    return page, response.header(VERSION)


def every_id(
    client: Client, size: int, meanwhile: Callable[[int], None]
) -> Iterator[int]:
    """The ids of all tokens.

    While the version stays, pages follow one another without a gap. Once it changes, rows may have moved to earlier
    pages: then it goes back until a page begins with what has been seen.
    """
    number, last, version = 1, 0, None
    while True:
        page, now = read(client, number, size)
        meanwhile(last)
        moved = now != version and number > 1
        if page is None or (moved and page.data[0].id > last):
            number -= 1
            version = None
            continue
        yield from (row.id for row in page.data if row.id > last)
        last, version = max(last, page.data[-1].id), now
        if number >= page.pages:
            return
        number += 1


def fill(authority: Authority) -> str:
    """COUNT tokens of alice; the secret of the first."""
    wanted = [
        Wanted(expiry=START + number if number % LASTING == 0 else None)
        for number in range(1, COUNT + 1)
    ]
    return authority.issue_many("alice", wanted)[0].secret.reveal()


@pytest.mark.slow
@pytest.mark.parametrize("size", [25, 500])
def test_each_lasting_token_once(tmp_path: Path, size: int) -> None:
    """However the list changes between two pages, the ids come in order, and all of those that last."""
    clock = ManualClock(START)
    store = SqliteStore(tmp_path / "tokens.db")
    chance = random.Random(size)
    with Authority(store, clock) as authority:
        secret = fill(authority)
        client = Client(
            Api(authority, builtin("linode"), builtin_openapi("linode")), secret
        )
        versions = set[bytes | None]()

        def meanwhile(last: int) -> None:
            """Revoke some tokens, mostly of those that were just passed, create some, or let some expire."""
            versions.add(client.get("/v4/profile/tokens").header(VERSION))
            match chance.randrange(4):
                case 0:
                    for _ in range(chance.randrange(size)):
                        near = chance.randint(max(1, last - 5 * size), last + size)
                        if near % LASTING == 2:
                            authority.revoke("alice", near)
                case 1:
                    for _ in range(chance.randrange(5)):
                        authority.issue("alice")
                case 2:
                    clock.advance(chance.randrange(COUNT // 20))
                case _:
                    pass

        seen = list(every_id(client, size, meanwhile))
        lasting = {
            token.id
            for token in authority.list("alice")
            if token.id <= COUNT  # those with greater ids were made meanwhile
        }
    assert len(versions) > 3
    assert seen == sorted(set(seen))
    assert lasting <= set(seen)
    assert len(lasting) >= COUNT // LASTING


def test_pages_of_one_version(client: Client) -> None:
    """Where nothing changes, the pages are the list: all rows, no row twice, and one version."""
    for _ in range(60):
        client.send("POST", "/v4/profile/tokens", {})
    pages = [read(client, number, 25) for number in (1, 2, 3)]
    ids = [row.id for page, _ in pages if page for row in page.data]
    assert ids == [*range(1, 62)]
    assert len({version for _, version in pages}) == 1
    assert read(client, 4, 25) == (None, None)
