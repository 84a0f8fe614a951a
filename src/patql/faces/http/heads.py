"""The heads of answers as bytes: what many of them share is put together once."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from patql.kernel.http import Headers, Response

_KEPT = 1024  # lists of headers

Lines = tuple[Headers, bytes]


class Heads:
    """What comes before the bodies of one process's answers."""

    def __init__(self) -> None:
        self._default: Headers = []
        self._beginnings = dict[int, bytes]()
        self._known = dict[int, Lines]()

    def of(self, response: Response, default: Headers) -> bytes:
        """The status line and the headers, without the empty line that ends them.

        Args:
            response: the answer, whose headers often are a list that others have too.
            default: what the server adds to each answer: another list in each second, for its date.
        """
        if default is not self._default:
            self._default = default
            self._beginnings.clear()
        status, headers = response.status, response.headers
        beginning = self._beginnings.get(status)
        if beginning is None:
            beginning = self._beginnings[status] = STATUS_LINE[status] + _lines(default)
        known = self._known.get(id(headers))
        if known is None or known[0] is not headers:
            known = self._keep(headers)
        length = b"content-length: %d\r\n" % len(response.body)
        return beginning + known[1] + length

    def _keep(self, headers: Headers) -> Lines:
        if len(self._known) >= _KEPT:
            self._known.clear()
        known = self._known[id(headers)] = headers, _lines(headers)
        return known


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
