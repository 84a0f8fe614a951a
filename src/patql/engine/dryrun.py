"""What a statement would send: its requests as a result, with what is secret in them masked."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from patql.catalog.document import Auth, Method, Resource
from patql.engine.batch import IDEMPOTENCY_KEY, Rows, is_ours
from patql.engine.lines import texts
from patql.engine.ports import Transport
from patql.engine.result import Result
from patql.engine.state import State
from patql.kernel.http import Request
from patql.kernel.version import __version__

NAMED = 5
"""How many of the requests that have read something are named."""

MASK = "***"
"""Stands for what is secret."""

RANDOM = "(a new random one)"
"""Stands for what is drawn anew for each request."""

_BEARER = Auth("bearer", prefix="Bearer ")
"""How requests are authorised where no document says it."""


def preview(
    resource: Resource,
    method: Method,
    rows: Rows,
    state: State,
    *,
    names: Sequence[str] | None = None,
) -> Result:
    """The requests, one a row, none of which is sent; a note says what was read to make them.

    Args:
        resource: whose target they would go to.
        method: what they would call.
        rows: what is sent for them, in the order in which it would be.
        state: what the statement runs with.
        names: what to call each row, None where there is none yet.
    """
    if state.reads:
        more = len(state.reads) - NAMED
        named = [*state.reads[:NAMED], *([f"{more} more"] if more > 0 else [])]
        state.dialogue.note(f"dry run: the rows were found by {', '.join(named)}")
    transport = state.transport_of(resource)
    requests = rows.requests
    if batches := list(rows.parted()):
        requests = [request for _, request in batches]
        names = names and [
            _several(names[part.start : part.stop]) for part, _ in batches
        ]
        if not is_ours(resource, state):
            state.dialogue.note(_otherwise(transport.target, rows))
    auth = state.catalog.provider(resource.id.partition(".")[0]).auth or _BEARER
    shown: list[tuple[str, ...]] = [
        _shown(method, request, auth, transport) for request in requests
    ]
    headings: tuple[str, ...] = ("request", "headers", "body")
    count = f"{len(requests)} request{'' if len(requests) == 1 else 's'}"
    if names is not None:
        headings = (resource.key or "row", *headings)
        shown = [(row, *one) for row, one in zip(names, shown, strict=True)]
    result = texts(headings, shown)
    result.message = f"dry run: {count} to send, and none was sent"
    return result


def _several(names: Sequence[str]) -> str:
    """The first of some rows, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join([*names[:NAMED], *([f"{more:,} more"] if more > 0 else [])])


def _otherwise(target: str, rows: Rows) -> str:
    """What becomes of batches where the server turns out to have none."""
    path = rows.batch.path if rows.batch else ""
    return f"dry run: if {target} has no {path}, there will be {len(rows.requests):,} requests, one for each row"


def _shown(
    method: Method, request: Request, auth: Auth, transport: Transport
) -> tuple[str, ...]:
    headers = [
        (name.decode(), RANDOM if name == IDEMPOTENCY_KEY else value.decode("latin-1"))
        for name, value in request.headers
    ]
    query = [request.query] if request.query else []
    for one in _chain(auth):
        if one.location == "query":
            query.append(f"{one.name}={MASK}")
        else:
            headers.append((one.name.lower(), _credential(one, transport)))
    headers.append(("user-agent", f"patql/{__version__}"))
    base = request.base or transport.target
    url = f"{base}{request.path}" if base.startswith("http") else request.path
    return (
        f"{request.method} {'?'.join([url, '&'.join(query)]) if query else url}",
        "\n".join(f"{name}: {value}" for name, value in headers),
        _masked(method, request.body),
    )


def _chain(auth: Auth) -> Iterator[Auth]:
    following: Auth | None = auth
    while following is not None and following.type != "null":
        yield following
        following = following.successor


def _credential(auth: Auth, transport: Transport) -> str:
    acting = f"{transport.acting}…" if transport.acting else MASK
    match auth.type:
        case "bearer":
            return f"Bearer {acting}"
        case "basic":
            return f"Basic {MASK}"
        case _:
            return f"{auth.prefix}{MASK}"


def _masked(method: Method, body: bytes) -> str:
    """The body as it would be sent, save for the fields that are secrets by the document."""
    columns = method.body.columns if method.body else ()
    secrets = {column.name for column in columns if column.secret}
    if not body or not secrets:
        return body.decode()
    fields: dict[str, Any] = msgspec.json.decode(body)
    nested = method.body.nested if method.body else None
    entries = fields.get(method.batch.items) if method.batch else None
    for inner in entries or [fields[nested] if nested else fields]:
        for name in secrets & inner.keys():
            inner[name] = MASK
    return msgspec.json.encode(fields).decode()
