"""What a gateway is told: which URLs require what, and which answer each verdict gets."""

from urllib.parse import unquote

import pytest

from patql.api import authorize
from patql.api.authorize import Answer
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason
from patql.authority.policy import Policy
from patql.kernel.http import Headers

TOKEN = b"pql_" + b"a1B2" * 15
GRANTED = Granted("ada", 7, 12, "linodes:read_only *", None, "pql_a1B2a1B2a1B2")


@pytest.mark.parametrize(
    ("target", "required"),
    [
        (b"/authorize", ""),
        (b"/authorize?", ""),
        (b"/authorize?scope=linodes:read_only", "linodes:read_only"),
        (
            b"/authorize?scope=linodes:read_only+vpc:read_write",
            "linodes:read_only vpc:read_write",
        ),
        (
            b"/authorize?scope=linodes%3Aread_only%20domains:read_write",
            "linodes:read_only domains:read_write",
        ),
        (b"/authorize?scope=*", "*"),
        (b"/authorize/linodes:read_only", "linodes:read_only"),
        (
            b"/authorize/linodes:read_only,domains:read_only/",
            "linodes:read_only domains:read_only",
        ),
        (
            b"/authorize/linodes%3aread_only+domains:read_only/x",
            "linodes:read_only domains:read_only",
        ),
        # What a client sent comes after what the gateway requires, and changes nothing of it.
        (b"/authorize/linodes:read_write/a/b?scope=linodes:read_only", "linodes:read_write"),
        (b"/authorize/linodes:read_write/../linodes:read_only", "linodes:read_write"),
        (b"/authorize/linodes:read_write//", "linodes:read_write"),
        (b"/authorize/linodes:read_write?scope=linodes:read_only", "linodes:read_write"),
    ],
)  # fmt: skip
def test_required(target: bytes, required: str) -> None:
    """The gateway's part of a URL says what is required; the client's part doesn't."""
    assert authorize.is_meant(target)
    assert authorize.demands(Policy())(target) == required


@pytest.mark.parametrize(
    "target",
    [
        b"/authorize?scope",
        b"/authorize?scope=",
        b"/authorize?scope=linodes",
        b"/authorize?scope=linodes:",
        b"/authorize?scope=linodes:read_only+",
        b"/authorize?scope=linodes:read_only++vpc:read_write",
        b"/authorize?scope=linodes:read_onlyx",
        b"/authorize?scope=linodes:view",
        b"/authorize?scope=vpc:read_only",
        b"/authorize?scope=Linodes:read_only",
        b"/authorize?scope=nothing:read_only",
        b"/authorize?scope=linodes:read_only&scope=domains:read_only",
        b"/authorize?scope=linodes:read_only&x=1",
        b"/authorize?x=1&scope=linodes:read_only",
        b"/authorize?scope=linodes:read_write/client?scope=linodes:read_only",
        b"/authorize?scope=linodes:read_write/",
        b"/authorize?Scope=linodes:read_only",
        b"/authorize/",
        b"/authorize//linodes:read_only",
        b"/authorize/?scope=linodes:read_only",
        b"/authorize/linodes:read_only%2f",
        b"/authorize/linodes:read_only%00/x",
        b"/authorize/linodes:read_only\xff/x",
        b"/authorize/linodes:read_only%ff/x",
        b"/authorize/client/path",
        # A fragment is never sent to a server (RFC 9112, section 3.2): what looks like one is a part of the URL.
        b"/authorize?#scope=linodes:read_only",
        b"/authorize?scope=linodes:read_only#x",
        b"/authorize/linodes:read_only#x/y",
    ],
)
def test_nobody_passes_where_the_demand_cant_be_read(target: bytes) -> None:
    """A URL that requires what there isn't, or nothing where something should be, refuses everyone and says why."""
    assert authorize.is_meant(target)
    demand = authorize.demands(Policy())(target)
    assert isinstance(demand, Answer)
    assert demand.status == 400
    assert demand.lines.startswith(b"x-patql-note: ")
    assert demand.lines.isascii()
    assert demand.lines.count(b"\n") == demand.lines.count(b"\r\n") == 1


def test_scopes_are_the_settings(authority: Authority) -> None:
    """A team's own categories are the ones that there are."""
    demand = authorize.demands(Policy(categories=("books", "loans:read_write")))
    assert demand(b"/authorize?scope=books:read_only+account:read_only") == (
        "books:read_only account:read_only"
    )
    assert isinstance(demand(b"/authorize/loans:read_only/x"), Answer)
    assert isinstance(demand(b"/authorize/linodes:read_only/x"), Answer)


@pytest.mark.parametrize(
    "target", [b"/authorized", b"/authorize.txt", b"/v4/authorize", b"/authorize%3f", b"/"]
)  # fmt: skip
def test_other_paths(target: bytes) -> None:
    """What only begins alike is something else."""
    assert not authorize.is_meant(target)


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([], None),
        ([(b"x-auth-user", b"root"), (b"cookie", TOKEN)], None),
        ([(b"authorization", b"Bearer " + TOKEN)], TOKEN),
        ([(b"authorization", b"bEARER  " + TOKEN + b" ")], TOKEN),
        ([(b"authorization", b"Bearer")], b""),
        ([(b"authorization", b"")], None),
        ([(b"authorization", b"Basic " + TOKEN)], None),
        ([(b"authorization", TOKEN)], None),
        ([(b"authorization", b"Bearer " + TOKEN)] * 2, b""),
        ([(b"authorization", b""), (b"authorization", b"Bearer " + TOKEN)], b""),
    ],
)
def test_credential(headers: Headers, credential: bytes | None) -> None:
    """A credential is the one bearer token in the one header for it."""
    assert authorize.credential(headers) == credential


@pytest.mark.parametrize(
    ("verdict", "status", "lines"),
    [
        (
            GRANTED,
            200,
            b"x-auth-user: ada\r\nx-auth-scopes: linodes:read_only *\r\nx-auth-token-id: 12\r\nx-auth-handle: pql_a1B2a1B2a1B2\r\n",
        ),
        (
            Denied(Reason.UNKNOWN),
            401,
            b'www-authenticate: Bearer error="invalid_token"\r\n',
        ),
        (
            Denied(Reason.EXPIRED),
            401,
            b'www-authenticate: Bearer error="invalid_token"\r\n',
        ),
        (
            Denied(Reason.REVOKED),
            401,
            b'www-authenticate: Bearer error="invalid_token"\r\n',
        ),
        (
            Denied(Reason.INSUFFICIENT_SCOPE, GRANTED),
            403,
            b'www-authenticate: Bearer error="insufficient_scope", scope="vpc:read_write"\r\n',
        ),
    ],
)
def test_answer(verdict: Granted | Denied, status: int, lines: bytes) -> None:
    """200 says whose the token is; 401 never says why; 403 says what was required (RFC 6750, section 3.1)."""
    told = authorize.answer(verdict, "vpc:read_write")
    assert (told.status, told.lines) == (status, lines)


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("ada@example.com", "ada@example.com"),
        ("a b", "a%20b"),
        (" a ", "%20a%20"),
        ("a%20b", "a%2520b"),
        ("Zoë", "Zo%C3%AB"),
        ("x\r\nX-Auth-Scopes: *", "x%0D%0AX-Auth-Scopes:%20*"),
        ("\x00\x7f", "%00%7F"),
    ],
)
def test_user_in_a_header(user: str, sent: str) -> None:
    """Any name goes into a header, on one line, and two names are never the same there."""
    granted = Granted(user, 7, 12, "", None)
    line = authorize.answer(granted, "").lines.split(b"\r\n")[0].decode("ascii")
    assert line == f"x-auth-user: {sent}"
    assert unquote(sent) == user
