"""What somebody would write by hand instead of SQL: aiohttp, msgspec, and as many requests at once as a session makes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import aiohttp
import arro3.core as arrow
import msgspec
from bench.pageserver import ROWS
from bench.serving import TOKEN

from patql.engine.state import CONCURRENCY

T = TypeVar("T")


class Token(msgspec.Struct, gc=False):
    """A row of `/profile/tokens`."""

    id: int
    created: str
    expiry: str | None
    label: str
    scopes: str
    token: str


class Group(msgspec.Struct, gc=False):
    """A row of `/groups`."""

    id: int
    name: str


class Member(msgspec.Struct, gc=False):
    """A row of `/groups/{id}/members`."""

    id: int
    name: str
    admin: bool


class Page(msgspec.Struct, Generic[T], gc=False):
    """A page of a list."""

    data: list[T]
    pages: int = 1


_TYPES = {
    "id": arrow.DataType.int64(),
    **dict.fromkeys(
        ("created", "expiry", "label", "scopes", "token"), arrow.DataType.string()
    ),
}
TOKENS = arrow.Schema([arrow.Field(name, kind) for name, kind in _TYPES.items()])


@asynccontextmanager
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    """A client with as many connections as a session uses."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield session


async def each(items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Do something for each item, for so many at once."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await act(item)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def pages(
    session: aiohttp.ClientSession, url: str, take: Callable[[bytes], int]
) -> None:
    """Read the first page, then the others; `take` says how many there are."""

    async def read(page: int) -> int:
        target = f"{url}?page={page}&page_size={ROWS}"
        async with session.get(target) as response:
            return take(await response.read())

    async def read_on(page: int) -> None:
        await read(page)

    await each(range(2, await read(1) + 1), read_on)


async def tokens_as_arrow(base: str) -> int:
    """All tokens as one Arrow table, each page made columns as it comes; how many there are."""
    batches: list[arrow.RecordBatch] = []
    decode = msgspec.json.Decoder(Page[Token]).decode

    def take(body: bytes) -> int:
        page = decode(body)
        columns = zip(*map(msgspec.structs.astuple, page.data), strict=True)
        arrays = [
            arrow.Array(values, type=kind)
            for kind, values in zip(_TYPES.values(), columns, strict=True)
        ]
        batch = arrow.RecordBatch.from_arrays(arrays, schema=TOKENS)  # pyright: ignore[reportUnknownMemberType]
        batches.append(batch)
        return page.pages

    async with client() as session:
        await pages(session, f"{base}/profile/tokens", take)
    return arrow.Table.from_batches(batches, schema=TOKENS).num_rows


async def members_of_groups(base: str) -> int:
    """The groups, then the members of each, as rows of both; how many there are."""
    groups: list[Group] = []
    rows: list[tuple[str, int, str, bool]] = []
    decode = msgspec.json.Decoder(Page[Member]).decode
    decode_groups = msgspec.json.Decoder(Page[Group]).decode

    def take(body: bytes) -> int:
        page = decode_groups(body)
        groups.extend(page.data)
        return page.pages

    async with client() as session:

        async def read(group: Group) -> None:
            async with session.get(f"{base}/groups/{group.id}/members") as response:
                page = decode(await response.read())
            rows.extend((group.name, m.id, m.name, m.admin) for m in page.data)

        await pages(session, f"{base}/groups", take)
        await each(groups, read)
    return len(rows)


async def delete_tokens(base: str, chosen: Callable[[int], bool]) -> int:
    """List the tokens, then delete those with a chosen id; how many were deleted."""
    found: list[int] = []
    deleted: list[int] = []
    decode = msgspec.json.Decoder(Page[Token]).decode

    def take(body: bytes) -> int:
        page = decode(body)
        found.extend(token.id for token in page.data if chosen(token.id))
        return page.pages

    async with client() as session:

        async def delete(token: int) -> None:
            async with session.delete(f"{base}/profile/tokens/{token}") as response:
                response.raise_for_status()
                await response.read()
            deleted.append(token)

        await pages(session, f"{base}/profile/tokens", take)
        await each(found, delete)
    return len(deleted)
