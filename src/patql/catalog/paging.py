"""How a list is read to its end: as `config.pagination` says, else as the operation shows by itself.

A list that goes on in a way that isn't known is refused rather than read in part, see `Reading.problem`.
"""

from collections.abc import Iterator

import msgspec

from patql.catalog import schema
from patql.catalog.document import Cursor, Paging, Parameter
from patql.catalog.node import Node

_SIZES = ("page_size", "per_page", "pagesize", "maxresults", "max_results", "limit")
_PAGES = ("page", "cursor", "after", "before", "since")
_OFFSETS = ("offset", "skip", "startindex")
_URL_NAMES = ("nextlink", "@odata.nextlink", "nexturl", "nextpageurl")
_URL_PATHS = ("links.pages.next", "links.next", "_links.next.href")


class Reading(msgspec.Struct, frozen=True):
    """How a list is read on, by number or by cursor; neither where one response is all there is.

    Attributes:
        paging: by page number.
        cursor: by what each response says.
        parameters: those that reading on takes and the operation doesn't declare.
        problem: why the list can't be read to its end, in a few words that follow "the list"; None where it can.
        doubt: what is assumed of it, likewise.
    """

    paging: Paging | None = None
    cursor: Cursor | None = None
    parameters: tuple[Parameter, ...] = ()
    problem: str | None = None
    doubt: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """An operation as paging sees it.

    Attributes:
        parameters: of the operation, as written.
        response: what it answers, as written, headers included.
        sent: the schema of the answer's body.
        rows: whether the rows are in a list.
        single: whether the path ends in a parameter, which most often means one row.
    """

    parameters: tuple[Node, ...]
    response: Node
    sent: Node
    rows: bool
    single: bool


def find_paging(listing: Listing, configured: Node | None) -> Reading:
    """How an operation's list is read to its end.

    Raises:
        PatqlError: SCHEMA where `config.pagination` lacks what its algorithm needs.
    """
    if not listing.rows and listing.single:
        return Reading()
    found = _configured(listing, configured) if configured else None
    return found or _shown(listing)


def _configured(listing: Listing, pagination: Node) -> Reading | None:
    """What `config.pagination` says; None where the operation isn't such a list, as settings are inherited by all."""
    match pagination.text("algorithm"):
        case "page_number":
            return _by_number(listing, pagination)
        case "odata_next_link":
            key = _key(pagination, "responseToken") or "@odata.nextLink"
            return _by_url(listing, key)
        case "":
            return _by_token(listing, pagination)
        case other:
            problem = f"is paged by `{other}`, which isn't supported"
            return Reading(problem=problem) if listing.rows else None


def _by_number(listing: Listing, pagination: Node) -> Reading | None:
    request = pagination.need("requestToken")
    end = pagination.need("responseTerminator")
    pages = _path(end.text("key"))
    if request.text("location", "query") != "query" or end.text("location") == "header":
        problem = "is paged by number otherwise than by a query parameter and a count in the body, which isn't supported"
        return Reading(problem=problem) if listing.rows else None
    if not listing.rows or schema.resolve(listing.sent, pages) is None:
        return None
    return _numbered(
        listing,
        request.text("key", "page"),
        pages,
        _path(pagination.text("x-patql-results-key")),
        pagination.text("x-patql-version-header").lower() or None,
    )


def _numbered(
    listing: Listing, page: str, pages: str, results: str, version: str | None = None
) -> Reading:
    size, maximum = _size(listing)
    if not results and schema.resolve(listing.sent, "results"):
        results = "results"
    return Reading(
        paging=Paging(page, pages, size, maximum, results or None, version),
        parameters=_undeclared(listing, Parameter(page, "query", "integer", minimum=1)),
    )


def _by_url(listing: Listing, key: str) -> Reading | None:
    if schema.resolve(listing.sent, key) is None:
        return None
    size, maximum = _size(listing)
    return Reading(cursor=Cursor("url", "body", key, size=size, size_maximum=maximum))


def _by_token(listing: Listing, pagination: Node) -> Reading | None:
    response = pagination.need("responseToken")
    key = _path(response.text("key"))
    header = response.text("location") == "header"
    if header and key.lower() == "link":
        return _by_link(listing) if listing.rows else None
    if not listing.rows or not (header or schema.resolve(listing.sent, key)):
        return None
    request = pagination.need("requestToken")
    if response.text("algorithm") or request.text("algorithm"):
        return Reading(
            problem="is paged by a token that must be computed, which isn't supported"
        )
    name, location = request.text("key"), request.text("location", "query")
    if location not in ("query", "header", "body"):
        request.fail(f"`{location}` is no place for a token: query, header or body is")
    source, key = ("header", key.lower()) if header else ("body", key)
    return _tokened(listing, source, key, name, location)


def _tokened(
    listing: Listing, source: str, key: str, name: str, location: str
) -> Reading:
    size, maximum = _size(listing)
    extra = () if location == "body" else (Parameter(name, location, "string"),)
    return Reading(
        cursor=Cursor("token", source, key, name, location, size, maximum),
        parameters=_undeclared(listing, *extra),
    )


def _by_link(listing: Listing, doubt: str | None = None) -> Reading:
    size, maximum = _size(listing)
    cursor = Cursor("link", "header", "link", size=size, size_maximum=maximum)
    return Reading(cursor=cursor, doubt=doubt)


def _shown(listing: Listing) -> Reading:
    """What the operation's own parameters, body and headers show."""
    if listing.rows and _counts_pages(listing.sent):
        return _numbered(listing, "page", "pages", "")
    if token := next(_tokens(listing), None):
        return _tokened(listing, "body", *token, "query")
    for key in (*_url_properties(listing.sent), *_URL_PATHS):
        if found := _by_url(listing, key):
            return found
    headers = listing.response.child("headers")
    if headers and "link" in map(str.lower, headers.names()):
        return _by_link(listing)
    if not listing.rows:
        return Reading()
    names = [node.text("name") for node in listing.parameters if _is_query(node)]
    if offset := next((n for n in names if n.casefold() in _OFFSETS), None):
        return Reading(problem=f"is paged by `{offset}`, which isn't supported")
    if page := next((n for n in names if n.casefold() in _PAGES), None):
        doubt = f"takes `{page}` but doesn't say how it goes on: it is read on where the server sends a Link header"
        return _by_link(listing, doubt)
    return Reading()


def _counts_pages(sent: Node) -> bool:
    """Whether a response says which page it is, and of how many, as Linode's envelope does."""
    found = (schema.resolve(sent, name) for name in ("page", "pages"))
    return all(node and schema.type_name(node) == "integer" for node in found)


def _tokens(listing: Listing) -> Iterator[tuple[str, str]]:
    """Property and query parameter that belong together: `nextPageToken` and `pageToken`, `next_marker` and `marker`."""
    names = {
        _folded(node.text("name")): node.text("name")
        for node in listing.parameters
        if _is_query(node)
    }
    for name, node in schema.properties(listing.sent):
        after = _folded(name).removeprefix("next")
        if after not in ("", _folded(name)) and schema.type_name(node) == "string":
            for wanted in (after, _folded(name)):
                if wanted in names:
                    yield name, names[wanted]


def _url_properties(sent: Node) -> Iterator[str]:
    for name, node in schema.properties(sent):
        if _folded(name) in _URL_NAMES or (
            name == "next" and node.text("format") in ("uri", "url")
        ):
            yield name


def _size(listing: Listing) -> tuple[str | None, int | None]:
    """The query parameter that takes rows a page, and the most it takes, where the document says."""
    sizes = [node for node in listing.parameters if _is_query(node)]
    marked = next((node for node in sizes if node.flag("x-patql-page-size")), None)
    named = (node for node in sizes if node.text("name").casefold() in _SIZES)
    found = marked or next(named, None)
    if found is None:
        return None, None
    bounds = found.child("schema")
    return found.text("name"), bounds.whole("maximum") if bounds else None


def _undeclared(listing: Listing, *wanted: Parameter) -> tuple[Parameter, ...]:
    declared = {(n.text("name"), n.text("in")) for n in listing.parameters}
    return tuple(p for p in wanted if (p.name, p.location) not in declared)


def _is_query(node: Node) -> bool:
    return node.text("in") == "query"


def _key(pagination: Node, part: str) -> str:
    found = pagination.child(part)
    return _path(found.text("key")) if found else ""


def _path(json_path: str) -> str:
    """A JSON path as dotted names: `$.a.b` is `a.b`, `$['@odata.nextLink']` is `@odata.nextLink`."""
    quoted = json_path.removeprefix("$").replace("['", ".").replace('["', ".")
    return quoted.replace("']", "").replace('"]', "").removeprefix(".")


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
