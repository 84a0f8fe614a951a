"""Settings from the environment."""

import sys
from pathlib import Path

import pytest

from patql.config import SETTINGS, Limit, Settings, database_path, read
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret


def test_the_table_is_complete() -> None:
    """Each setting is in it once, with a variable, a default and a help of whole sentences."""
    assert {s.name for s in SETTINGS} == set(Settings.__struct_fields__)
    assert len({s.variable for s in SETTINGS}) == len(SETTINGS)
    for setting in SETTINGS:
        assert setting.variable.isupper()
        assert setting.default
        assert setting.help.endswith(".")


def test_limits() -> None:
    """Guesses are limited unless one says `off`; requests only where one says so."""
    home = {"HOME": "/home/ann"}
    assert read(home).limit_failures == Limit(60, 60)
    assert read(home).limit_requests is None
    assert read(home | {"PATQL_LIMIT_FAILURES": "off"}).limit_failures is None


def test_every_variable_is_read() -> None:
    """Each into its own setting."""
    environ = {
        "PATQL_URL": "http://127.0.0.1/v4",
        "PATQL_TOKEN": " abc\n",
        "LINODE_TOKEN": "def",
        "PATQL_DATA_DIR": "/data",
        "PATQL_DB": "sqlite:///tokens.db",
        "PATQL_TOKEN_PREFIX": "acme_",
        "PATQL_SCOPES": "repos, builds vpc:read_write",
        "PATQL_TOKEN_SCOPE": "admin",
        "PATQL_LIFETIME_CAP": "on",
        "PATQL_LOG": "json",
        "PATQL_PROXIES": "unix, 127.0.0.1 2001:db8::/32",
        "PATQL_LIMIT_FAILURES": "10/second",
        "PATQL_LIMIT_REQUESTS": "60000/hour",
        "PATQL_PROVIDER": "acme",
    }
    assert environ.keys() == {s.variable for s in SETTINGS}
    assert read(environ) == Settings(
        url="http://127.0.0.1/v4",
        token=Secret("abc"),
        linode_token=Secret("def"),
        data_dir=Path("/data"),
        db="sqlite:///tokens.db",
        token_prefix="acme_",
        scopes=("repos", "builds", "vpc:read_write"),
        token_scope="admin",
        lifetime_cap=True,
        log="json",
        proxies=("unix", "127.0.0.1", "2001:db8::/32"),
        limit_failures=Limit(10, 1),
        limit_requests=Limit(60_000, 3600),
        provider="acme",
    )


def test_empty_is_absent() -> None:
    """As if the variable weren't there."""
    home = {"HOME": "/home/ann"}
    assert read(home | {s.variable: "" for s in SETTINGS}) == read(home)
    assert read(home | {"PATQL_TOKEN": " "}).token is None


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has a folder of its own")
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATQL_DATA_DIR": "/x", "XDG_DATA_HOME": "/y"}, "/x"),
        ({"XDG_DATA_HOME": "/y"}, "/y/patql"),
        ({"XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/patql"),
        ({}, "/home/ann/.local/share/patql"),
    ],
)
def test_the_data_folder_follows_the_xdg_rule(
    environ: dict[str, str], expected: str
) -> None:
    """Which says to ignore relative paths."""
    settings = read({"HOME": "/home/ann", **environ})
    assert settings.data_dir == Path(expected)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PATQL_DATA_DIR", "relative"),
        ("PATQL_LIFETIME_CAP", "yes"),
        ("PATQL_LOG", "xml"),
        ("PATQL_PROXIES", "gateway.internal"),
        ("PATQL_PROXIES", "10.0.0.1/8"),
        ("PATQL_LIMIT_FAILURES", "60"),
        ("PATQL_LIMIT_FAILURES", "0/minute"),
        ("PATQL_LIMIT_REQUESTS", "1.5/minute"),
        ("PATQL_LIMIT_REQUESTS", "60001/hour"),
        ("PATQL_LIMIT_REQUESTS", "100/day"),
    ],
)
def test_what_makes_no_sense_is_refused(variable: str, value: str) -> None:
    """By the variable's name, with what it was."""
    with pytest.raises(PatqlError, match=f"{variable}.*{value}") as caught:
        read({"HOME": "/", variable: value})
    assert caught.value.code is Code.USAGE


def test_secrets_dont_show() -> None:
    """Whoever prints the settings."""
    assert "hidden" not in repr(read({"HOME": "/", "PATQL_TOKEN": "hidden"}))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///tokens.db", "tokens.db"),
        ("sqlite:///a/tokens.db", "a/tokens.db"),
        ("sqlite:////var/lib/tokens.db", "/var/lib/tokens.db"),
    ],
)
def test_a_database_is_a_url(url: str, path: str) -> None:
    """Three slashes and a relative path, or four and an absolute one."""
    assert database_path(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "likely"),
    [
        ("tokens.db", "sqlite:///tokens.db"),
        ("/var/tokens.db", "sqlite:////var/tokens.db"),
        ("sqlite://tokens.db", "sqlite:///tokens.db"),
        ("sqlite:///", "sqlite:///tokens.db"),
        ("postgresql:///tokens", "sqlite:///tokens.db"),
        ("", "sqlite:///tokens.db"),
    ],
)
def test_any_other_database_is_refused(url: str, likely: str) -> None:
    """With one that works."""
    with pytest.raises(PatqlError, match=f"such as {likely}$") as caught:
        database_path(url)
    assert caught.value.code is Code.USAGE
