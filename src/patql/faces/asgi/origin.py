"""Whether a change comes from the product's own pages.

A browser sends a login's cookie with requests that other sites' pages make, too. Of those, a change that a login vouches
for is refused twice over: no page can send `application/json` to another site without being asked first (Fetch, "CORS
protocol"), and a browser says where a request comes from, in Sec-Fetch-Site (Fetch Metadata), or in Origin where that
isn't sent, as over plain HTTP. A request with neither comes from no page.
"""

from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request

CROSS_SITE = "This request comes from another site's page; with a login, only the product's own pages change something"
MEDIA_TYPE = (
    "With a login, only what has Content-Type: application/json may change something"
)

_OURS = frozenset(
    {b"same-origin", b"none"}
)  # none: the user's own doing, as by a bookmark


def check(request: Request) -> None:
    """Refuse a change that may not be the user's own doing.

    Raises:
        PatqlError: FORBIDDEN, or MEDIA_TYPE.
    """
    if not _is_ours(request):
        raise PatqlError(Code.FORBIDDEN, CROSS_SITE)
    media_type = (request.header(b"content-type") or b"").partition(b";")[0]
    if media_type.strip().lower() != b"application/json":
        raise PatqlError(Code.MEDIA_TYPE, MEDIA_TYPE)


def _is_ours(request: Request) -> bool:
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = request.header(b"origin")
    if origin is None:
        return True
    host = origin.partition(b"://")[2].lower()
    return host != b"" and host == (request.header(b"host") or b"").lower()
