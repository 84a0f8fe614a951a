"""Which URLs can be a target, and which origin they belong to."""

import pytest

from patql.kernel.errors import Code, PatqlError
from patql.rest.origin import Base, parse, parse_server


@pytest.mark.parametrize(
    ("given", "origin", "exposed"),
    [
        ("https://api.linode.com/v4", "https://api.linode.com", False),
        ("https://api.linode.com/v4beta", "https://api.linode.com", False),
        ("https://api.linode.com:443/v4", "https://api.linode.com", False),
        ("https://api.linode.com:80/v4", "https://api.linode.com:80", False),
        ("HTTPS://API.Linode.COM/v4", "https://api.linode.com", False),
        ("http://127.0.0.1:8080/v4", "http://127.0.0.1:8080", False),
        ("http://127.9.9.9/v4", "http://127.9.9.9", False),
        ("http://localhost:80/v4", "http://localhost", False),
        ("http://127.0.0.1:08080/v4", "http://127.0.0.1:8080", False),
        ("http://[::1]:8080/v4", "http://[::1]:8080", False),
        ("http://[0:0:0:0:0:0:0:1]:8080/v4", "http://[::1]:8080", False),
        ("http://[2001:DB8::0:1]/v4", "http://[2001:db8::1]", True),
        ("https://example.com/behind/a/path/v4", "https://example.com", False),
        ("http://10.0.0.1/v4", "http://10.0.0.1", True),
        ("http://example.com/v4", "http://example.com", True),
        ("http://127.0.0.1.example.com/v4", "http://127.0.0.1.example.com", True),
        ("http://localhost.example.com/v4", "http://localhost.example.com", True),
        ("http://1.example.com/v4", "http://1.example.com", True),
    ],
)
def test_a_target_has_an_origin(given: str, origin: str, *, exposed: bool) -> None:
    """Scheme, host, and port unless it is the scheme's own; plain http beyond loopback is exposed."""
    base = parse(given)
    assert (base.origin, base.exposed) == (origin, exposed)


def test_the_path_keeps_its_case() -> None:
    """Only scheme and host are folded."""
    assert parse("HTTP://LocalHost/Some/v4") == Base(
        "http://localhost/Some/v4", "http://localhost", exposed=False, path="/Some/v4"
    )


@pytest.mark.parametrize(
    ("given", "url", "path"),
    [
        ("https://api.github.com", "https://api.github.com", ""),
        ("https://API.github.com/", "https://api.github.com", ""),
        ("https://x.example:8443/a/b@c/", "https://x.example:8443/a/b@c", "/a/b@c"),
        ("http://[::1]:9000/v1.0", "http://[::1]:9000/v1.0", "/v1.0"),
    ],
)
def test_a_server_has_any_path(given: str, url: str, path: str) -> None:
    """Or none; a slash at the end makes no difference."""
    assert (parse_server(given).url, parse_server(given).path) == (url, path)


@pytest.mark.parametrize(
    "given",
    [
        "api.github.com",
        "ftp://api.github.com",
        "https://me:hidden@api.github.com",
        "https://api.github.com/?key=x",
        "https://api.github.com/#x",
        "https://api.github.com/a/../b",
        "https://127.1/x",
        "https://{region}.example.com",
    ],
)
def test_any_other_server_is_refused(given: str) -> None:
    """A password isn't repeated."""
    with pytest.raises(PatqlError, match="can't be asked") as caught:
        parse_server(given)
    assert caught.value.code is Code.USAGE
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "likely"),
    [
        ("https://api.linode.com", "https://api.linode.com/v4"),
        ("https://api.linode.com/", "https://api.linode.com/v4"),
        ("https://api.linode.com/v4/", "https://api.linode.com/v4"),
        ("https://api.linode.com/v4beta/profile", "https://api.linode.com/v4beta"),
        (
            "https://api.linode.com/v4/profile/tokens?page=2",
            "https://api.linode.com/v4",
        ),
        ("api.linode.com/v4", "https://api.linode.com/v4"),
        ("localhost:8080", "http://localhost:8080/v4"),
        ("127.0.0.1:8080/v4", "http://127.0.0.1:8080/v4"),
        ("http://example.com/api", "http://example.com/api/v4"),
        ("ftp://example.com/v4", "https://example.com/v4"),
        ("https://me:hidden@example.com/v4", "https://example.com/v4"),
        ("https://example.com/v4#x", "https://example.com/v4"),
        ("https://example.com/v5", "https://example.com/v5/v4"),
        ("https://example.com/../v4", "http://127.0.0.1:8080/v4"),
        ("https://exämple.com/v4", "http://127.0.0.1:8080/v4"),
        ("https://example.com\\@evil.com/v4", "http://127.0.0.1:8080/v4"),
        ("https://example.com/v4\n", "https://example.com/v4"),
        ("https://example.com/V4", "https://example.com/v4"),
        ("https://example.com/V4Beta/", "https://example.com/v4beta"),
        ("http://localhost:65536/v4", "http://127.0.0.1:8080/v4"),
        ("http://localhost:0/v4", "http://127.0.0.1:8080/v4"),
        ("http://[::1::]/v4", "http://127.0.0.1:8080/v4"),
        ("http://2130706433/v4", "http://127.0.0.1:8080/v4"),
        ("https://127.1/v4", "http://127.0.0.1:8080/v4"),
        ("https://xn--/v4", "http://127.0.0.1:8080/v4"),
        ("https://0x7f.1/v4", "http://127.0.0.1:8080/v4"),
        ("https://a.0x/v4", "http://127.0.0.1:8080/v4"),
        ("https://1.2.3.256/v4", "http://127.0.0.1:8080/v4"),
        ("https://127.0.0.1./v4", "http://127.0.0.1:8080/v4"),
        ("http://[127.0.0.1]/v4", "http://127.0.0.1:8080/v4"),
        ("", "http://127.0.0.1:8080/v4"),
    ],
)
def test_anything_else_is_refused_with_the_likely_url(given: str, likely: str) -> None:
    """The one that was meant can be copied from the error, and a password isn't repeated."""
    with pytest.raises(PatqlError) as caught:
        parse(given)
    assert caught.value.code is Code.USAGE
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(f" {likely}")
    assert "hidden" not in str(caught.value)
    assert parse(likely).url == likely


def test_a_user_in_front_is_what_is_wrong() -> None:
    """The rest of the URL, which alone is shown, may be right."""
    with pytest.raises(PatqlError, match="target with a user or password") as error:
        parse("https://me:hidden@example.com/v4")
    assert "hidden" not in str(error.value)
